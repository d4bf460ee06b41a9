"""The pages: every marked place is filled, every link between pages leads somewhere, every row is listed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from strongsuit.datasets import GENERATORS, PUBLIC_SETS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", DOCS / "tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_marked_places_are_filled_and_links_lead_somewhere(page: Path, tables: ModuleType) -> None:
    filled = tables.on_page_markdown(page.read_text(encoding="utf-8"))
    assert "<!-- table:" not in filled
    for target in re.findall(r"\]\((\w+\.md)\)", filled):
        assert (DOCS / target).is_file(), target


def test_reference_lists_every_law_and_set(tables: ModuleType) -> None:
    filled = tables.on_page_markdown((DOCS / "reference.md").read_text(encoding="utf-8"))
    assert not [name for name in (*GENERATORS, *PUBLIC_SETS) if f"`{name}`" not in filled]
    assert "Usage: strongsuit generate" in filled
