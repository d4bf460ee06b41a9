"""report_html(), write_report(): the page put together, and put in its place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from strongsuit.errors import StoreError
from strongsuit.partition.describe_values import Description
from strongsuit.partition.discover import Partitioned
from strongsuit.report.evidence import gate_section, guard_section, losses_section, residuals_section
from strongsuit.report.head import head_section
from strongsuit.report.page import Section, page
from strongsuit.report.regimes import map_section, regimes_section
from strongsuit.report.search import run_section, search_section

# In the order of a reader's questions: what, where, how good, may it speak, what is left over, how was it found.
SECTIONS = (
    regimes_section,
    map_section,
    losses_section,
    guard_section,
    residuals_section,
    gate_section,
    search_section,
    run_section,
)


def report_html(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray, *, title: str) -> str:
    """The page as text: X (n, d) and Y (n, q) are what discover() was given; `title` heads the page."""
    X, Y = np.asarray(X, float), np.asarray(Y, float)
    Y = Y[:, None] if Y.ndim == 1 else Y
    built = [make(model, description, X, Y) for make in SECTIONS]
    sections: list[Section] = [section for section in built if section is not None]
    return page(title, head_section(description, title), sections)


def write_report(
    path: str | Path, model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray, *, title: str
) -> Path:
    """The path of the written page; it is complete or not there. Raises StoreError if it cannot be written."""
    path = Path(path)
    text = report_html(model, description, X, Y, title=title)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(draft, 0o644)
            os.replace(draft, path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"the report could not be written to {path}: {error}") from error
    return path
