"""The facts of a suggestion as JSON has them, and the notes a user should read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from strongsuit.active.history import History
from strongsuit.active.pool import ACTIVE, AUDIT, AVAILABLE
from strongsuit.active.reasons import FLAGS, used
from strongsuit.active.session import Batch, Session
from strongsuit.active.strategies import CLASSIFICATION, REGRESSION
from strongsuit.active.suspects import Suspect
from strongsuit.datasets.columns import level_text
from strongsuit.suggestions.limits import Limits
from strongsuit.suggestions.tables import ROW, Universe
from strongsuit.suggestions.words import advice


def facts_of(universe: Universe, session, after, batch: Batch, history: History, limits: Limits, free: int) -> dict:
    """What was chosen, what is known, what it costs, the curve and the advice, as plain values."""
    pool = session.pool
    gain = None if history.gain is None else dict(zip(("value", "low", "high"), history.gain, strict=True))
    return {
        "rows": len(batch.index),
        "asked": limits.n,
        "random": int((batch.role == AUDIT).sum()),
        "strategy": batch.strategy,
        "chooses": batch.words if batch.strategy == "random" else used(batch, session.strategy).words,
        "degraded": batch.degraded,
        "task": CLASSIFICATION if universe.classifies else REGRESSION,
        "classes": None if universe.classes is None else list(universe.classes.values),
        "labels": list(universe.labels) or None,
        "search": dict(batch.facts),
        "model": _model(after),
        "labelled": int(universe.labelled.sum()),
        "outside": universe.outside,
        "pending": int(pool.pending.sum()),
        "left": free - len(batch.index),
        "state": after.state if after.guarded else "off",
        "round": after.round,
        "audits": int((pool.labelled & (pool.role == AUDIT)).sum()),
        "actives": int((pool.labelled & (pool.role == ACTIVE)).sum()),
        "verdict": [_verdict(one) for one in after.verdicts],
        "cost": _cost(universe, batch, limits),
        "curve": _curve(history),
        "gain": gain,
        "stop": {"yes": history.stop.yes, "rule": history.stop.rule, "numbers": dict(history.stop.numbers)},
        "advice": advice(history),
        "notes": _notes(universe, session, batch, limits, free),
    }


def suspects_of(universe: Universe, found: Sequence[Suspect]) -> list[dict[str, Any]]:
    """Suspects as plain values: the row's place in the pool, from 1, or null outside it; its identifier; its label."""
    return [
        {
            ROW: one.row + 1 if one.row < len(universe.given) else None,
            "id": None if universe.names is None else level_text(universe.names[one.row]),
            "label": _label(universe, one),
            "probability": one.probability,
            "agreement": one.agreement,
            "reasons": list(one.reasons),
        }
        for one in found
    ]


def _label(universe: Universe, one: Suspect) -> Any:
    if universe.classes is None:
        return None if one.label is None else universe.labels[one.label]
    return universe.classes.values[int(universe.y[one.row].argmax())]


def _curve(history: History) -> dict[str, Any]:
    points = [vars(point) for point in history.points]
    return {"kind": history.kind, "why": history.why, "points": points, "balanced": list(history.balanced) or None}


def _model(after: Session) -> dict[str, float] | None:
    """Cross-validated squared errors over the labels' variance of the models compared, the one used first."""
    return None if after.selecting is None or not after.selecting.compared else dict(after.selecting.compared)


def _verdict(verdict: Any) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in ("round", "state", "next_state", "theta", "error", "reason")}


def _cost(universe: Universe, batch: Batch, limits: Limits) -> dict[str, float | None] | None:
    if not limits.priced:
        return None
    total = float(limits.prices(universe)[batch.index].sum())
    return {"batch": total, "spent": limits.spent(universe), "budget": limits.budget}


def _notes(universe: Universe, session: Session, batch: Batch, limits: Limits, free: int) -> list[str]:
    """What a user should know of the tables and of this batch."""
    rows, known, notes = len(batch.index), int(universe.labelled.sum()), list(universe.notes)
    if rows < limits.n:
        why = "these are all that are left" if rows == free else "the budget allows no more"
        if rows < free and limits.budget is None:
            why = "the other rows equal these in all features (allow replicates to ask for them)"
        notes.append(f"{rows} rows instead of the {limits.n} asked for: {why}")
    if universe.outside:
        notes.append(f"{universe.outside} of {known} labelled rows are not in the pool; they train all the same")
    if session.pool.pending.any():
        notes.append(
            f"{int(session.pool.pending.sum())} rows without a label count as asked for and are not chosen again"
        )
    if known and np.ptp(universe.y[universe.labelled], axis=0).max() == 0.0:
        notes.append(f"the target is the same in all {known} labelled rows, so rows are chosen by their features alone")
    if batch.strategy not in ("random", session.strategy.name) and not universe.classifies:
        notes.append(
            f"{batch.strategy} stands in for {session.strategy.name} until the learner predicts better than the mean"
        )
    if universe.price is not None and not session.strategy.scored and batch.strategy != "random":
        scored = "margin, entropy and bald" if universe.classifies else "qbc, bald and emoc"
        notes.append(f"{session.strategy.name} has no score to weigh against prices; {scored} have")
    if universe.price is not None and np.isnan(universe.price[universe.state != AVAILABLE]).any():
        notes.append("labelled rows outside the pool whose price is unknown count as free")
    said = "pool_exhausted" if rows < limits.n else ""  # by the first note
    notes += [FLAGS.get(flag, flag) for flag in batch.degraded.split(",") if flag and flag != said]
    return notes
