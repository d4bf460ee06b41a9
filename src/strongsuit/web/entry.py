"""What a person typed -> a label, or a sentence that says how to type it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from strongsuit.campaign.rules import CLASS, NUMBERS
from strongsuit.errors import InvalidLabel

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?: \d{3})+(?:[.,]\d*)?", re.ASCII)  # 12 400,5
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-"})  # no-break, thin; minus
LONGEST = 1_000  # characters of one entry


def label_of(target: Mapping[str, Any], form: Mapping[str, Any]) -> Any:
    """The label that a form's fields say: `value`, or `value_0`, `value_1` ... for several numbers; InvalidLabel."""
    if target["kind"] == NUMBERS:
        texts = [str(form.get(f"value_{i}", "")) for i in range(len(target["name"]))]
        return tuple(None if not text.strip() else number_of(text, _part(target.get("unit"), i))
                     for i, text in enumerate(texts))  # fmt: skip
    text = str(form.get("value", ""))
    if target["kind"] == CLASS:
        if not text:
            raise InvalidLabel("Choose a class, or skip the row.")
        return text
    return number_of(text, str(target.get("unit") or ""))


def number_of(text: str, unit: str = "") -> float:
    """The number that was typed: with a point or a comma, with or without its unit; InvalidLabel for anything else.

    One mark is always the decimal one: `1.287,5` and `1,287.5` could be either, and are refused.
    """
    given = text[:LONGEST].translate(_SPACES).strip()
    bare = given[: -len(unit)].strip() if unit and given.lower().endswith(unit.lower()) else given
    if _GROUPED.fullmatch(bare):
        bare = bare.replace(" ", "")
    if not bare:
        raise InvalidLabel("Enter a number, or skip the row.")
    if "." in bare and "," in bare:
        raise InvalidLabel(f"{text.strip()!r} could be two numbers: write it with one decimal mark and no other.")
    if not _NUMBER.fullmatch(bare):
        more = f", with or without {unit}" if unit else ""
        raise InvalidLabel(f"{text.strip()[:60]!r} is not a number{more}, such as 12.5 or 12,5.")
    return float(bare.replace(",", "."))


def _part(unit: Any, i: int) -> str:
    return str(unit[i]) if isinstance(unit, list | tuple) and i < len(unit) else str(unit or "")
