"""A point of the learning curve for the journal, and the advice that follows from it: whether to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from strongsuit.active.history import History, look_back
from strongsuit.active.pool import ACTIVE, START
from strongsuit.active.session import Batch, Session, chosen_learner, start_rows
from strongsuit.active.stopping import Budget, Plateau, Rule, Stop, Target, all_of, any_of
from strongsuit.campaign.events import Assessed
from strongsuit.campaign.rules import CLASS
from strongsuit.campaign.view import View
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError
from strongsuit.proposals.replay import plain
from strongsuit.suggestions.words import advice

LEVEL = 0.95  # of the bootstrap intervals of `look_back`
RULES = ("how", "plateau", "target_error", "labels", "auto_close")


def assessed(key: Key, view: View, session: Session, after: Session, batch: Batch) -> Assessed | None:
    """The newest point of the curve with its advice; None as long as there are too few labels for one."""
    rules = rules_of(view)
    classes = view.settings["target"]["kind"] == CLASS
    pool, order = session.pool, session.order
    begun = pool.labelled & (pool.role == START)
    # Without a row that a strategy chose, all are beginning, however many were given.
    start = int(begun.sum()) if (pool.labelled & (pool.role == ACTIVE)).any() else start_rows(pool)
    history = look_back(
        key_for(key, "history", session.round), chosen_learner(after), pool, order, batch=len(batch.index),
        start=start, cost=view.spent, rule=_joined(view, rules), classes=classes,
    )  # fmt: skip
    if not history.points:
        return None
    point = history.points[-1]
    return Assessed(
        basis=0,
        labels=point.labels,
        metric="error rate" if classes else "RMSE",
        value=point.error,
        low=_finite(point.low),
        high=_finite(point.high),
        level=LEVEL,
        n_test=history.progress.checks[-1].rows,
        method=history.kind,
        advice=plain(_advice(history, rules, view, classes)),
    )


def rules_of(view: View) -> list[tuple[str, Rule, float | None]]:
    """The stopping rules that the settings name, each with its threshold; a plateau and the budget if none."""
    stopping = dict(view.settings.get("stopping") or {})
    lost = sorted(set(stopping) - set(RULES))
    if lost:
        raise InputError(f"stopping.{lost[0]}: there are {', '.join(RULES)}")
    found: list[tuple[str, Rule, float | None]] = []
    if stopping.get("plateau", True):
        found.append(("plateau", Plateau(), Plateau.gain))
    if stopping.get("target_error") is not None:
        error = float(stopping["target_error"])
        kind = view.settings["target"]["kind"]
        found.append(("target_error", Target(error, metric="mse" if kind == CLASS else "rmse"), error))
    if stopping.get("labels") is not None:
        found.append(("labels", Budget(labels=int(stopping["labels"])), float(stopping["labels"])))
    limit, price = (view.settings.get("budget") or {}).get("limit"), (view.settings.get("cost") or {}).get("row", 1.0)
    if limit is not None and not isinstance(price, Mapping) and price > 0:
        found.append(("budget", Budget(cost=float(limit), price_per_row=float(price)), float(limit)))
    return found or [("plateau", Plateau(), Plateau.gain)]


def _joined(view: View, rules: list[tuple[str, Rule, float | None]]) -> Rule:
    """The rules as one: any of them, or all where the settings say so."""
    alone = [rule for _, rule, _ in rules]
    if len(alone) == 1:
        return alone[0]
    return all_of(*alone) if (view.settings.get("stopping") or {}).get("how") == "all" else any_of(*alone)


def _advice(history: History, rules: list[tuple[str, Rule, float | None]], view: View, classes: bool) -> dict[str, Any]:
    """Whether to stop, rule by rule, and what the next batch should bring in units of the metric."""
    said = [(name, rule(history.progress), threshold) for name, rule, threshold in rules]
    return {
        "stop": history.stop.yes,
        "rules": [
            {"name": name, "met": stop.yes, "value": _value(name, stop), "threshold": threshold, "text": stop.sentence}
            for name, stop, threshold in said
        ],
        "next": _next(history, classes),
        "text": advice(history).removeprefix("Advice: "),
    }


def _value(name: str, stop: Stop) -> float | None:
    """The number that a rule compares with its threshold."""
    place = {"plateau": "high", "target_error": "bound", "labels": "labels", "budget": "cost"}[name]
    return stop.numbers.get(place)


def _next(history: History, classes: bool) -> dict[str, Any] | None:
    """The fall of the metric under the next batch, with its interval: of squared errors the law speaks, of their root
    users do."""
    if history.gain is None:
        return None
    error, power = history.points[-1].error, 1.0 if classes else 0.5
    gain, low, high = (error * (1.0 - (1.0 - one) ** power) for one in history.gain)
    return {"labels": history.progress.batch, "gain": gain, "low": low, "high": high}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
