"""Oracles for the tests of the runner: functions in a module that its processes import."""

from __future__ import annotations

import math
import os
import time
from typing import Any

from strongsuit.errors import OracleFailed


def product(row: dict[str, Any]) -> float:
    """A number."""
    print("noise on the output")
    return row["u"] * row["v"]


def with_cost(row: dict[str, Any]) -> dict[str, Any]:
    """A number with what it cost."""
    return {"value": row["u"], "cost": 2.5, "note": row["id"]}


def odd(row: dict[str, Any]) -> float:
    """Fails in every way a function can, by key; else a number."""
    number = int(row["id"][1:])
    if number == 0:
        raise OracleFailed("no such alloy", final=True)
    if number == 1:
        raise ZeroDivisionError("dividing")
    if number == 2:
        return math.nan
    if number == 3:
        os._exit(7)
    if number == 4:
        time.sleep(600)
    return 1e9 if number == 5 else 1.0
