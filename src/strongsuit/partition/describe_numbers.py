"""The numbers of a description: losses, the guard's table, the gate, the K path, competitions and cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import t as student

from strongsuit.partition.describe_evidence import CrossFitted
from strongsuit.partition.describe_portraits import evenly
from strongsuit.partition.describe_values import (
    Bin,
    Contest,
    Gate,
    Interval,
    LossLine,
    PathPoint,
    RegimeLine,
    interval,
)
from strongsuit.partition.describe_words import regime_words
from strongsuit.partition.discover import Partitioned
from strongsuit.partition.units import mean_and_error

BINS = 10
FEWEST_IN_BIN = 10
GATE_ROWS = 5_000  # rows that estimate the gate's reliability where no cross-fitted ones are kept
WAYS = {
    "oracle": "the expert that is right in hindsight: a bound, no model",
    "gated": "every row by the expert of its regime",
    "single": "one model for all rows",
    "deployed": "what the model will answer",
}


def _omega(model: Partitioned) -> np.ndarray:
    live = ~model.scale.constant
    return live / max(1, live.sum())


def loss_lines(model: Partitioned, evidence: CrossFitted | None) -> tuple[LossLine, ...]:
    """Oracle, gated, single and deployed losses, relative and per target, each with its interval."""
    rows = {"single": 0, "gated": 1, "oracle": 2, "deployed": 3}
    return tuple(
        LossLine(
            name,
            words,
            interval(*getattr(model.losses, name)),
            tuple(_per_target(model, evidence, name, rows[name])),
        )
        for name, words in WAYS.items()
    )


def _per_target(model: Partitioned, evidence, name: str, row: int) -> list[Interval]:
    variance = model.scale.spread**2
    if len(variance) == 1:
        return [interval(*getattr(model.losses, name)).scaled(float(variance[0]))]
    if evidence is None:
        return [Interval(float(value)) for value in model.losses.per_output[row]]
    square = (evidence.Y - getattr(evidence, name)) ** 2
    return [
        interval(*mean_and_error(square[:, j], evidence.w, evidence.units)).scaled(float(variance[j]))
        for j in range(len(variance))
    ]


def regime_lines(model: Partitioned, evidence: CrossFitted | None) -> tuple[RegimeLine, ...]:
    """The guard's table: one line a regime."""
    sizes = np.bincount(model.labels, minlength=model.found)
    return tuple(_regime_line(model, evidence, k, int(sizes[k]), len(model.labels)) for k in range(model.found))


def _regime_line(model: Partitioned, evidence, k: int, rows: int, total: int) -> RegimeLine:
    case, pipeline = model.verdict.regimes[k], model.pipeline
    expert = pipeline.experts[k] if pipeline.experts else None
    speaks = bool(model.verdict.enabled[k])
    own, base = _regime_losses(evidence, k, _omega(model))
    reach = float(student.ppf(0.975, case.units - 1)) if case.units > 2 else float("nan")
    gain = interval(case.gain, case.error, reach)
    return RegimeLine(
        regime=k + 1,
        rows=rows,
        share=rows / max(1, total),
        family=expert.family if expert else pipeline.fallback.family,
        expert_loss=own,
        fallback_loss=base,
        gain=gain,
        relative_gain=gain.scaled(1.0 / base if base > 0 else float("nan")),
        units=float(case.units),
        p=float(case.p),
        threshold=float(case.threshold),
        shrink=float(pipeline.shrink[k]) if len(pipeline.shrink) else float("nan"),
        proven=bool(case.enabled),
        speaks=speaks,
        reason=case.reason,
        words=regime_words(
            case.reason, proven=bool(case.enabled), deployed=model.verdict.deployed, p=case.p, needed=case.threshold
        ),
    )


def _regime_losses(evidence: CrossFitted | None, k: int, omega) -> tuple[float, float]:
    """Mean loss of expert and fallback on the rows left out that speak for regime k."""
    if evidence is None or not (evidence.regime == k).any():
        return float("nan"), float("nan")
    own = evidence.regime == k
    w = evidence.w[own]
    loss = ((evidence.Y[own] - evidence.expert[own]) ** 2) @ omega
    base = ((evidence.Y[own] - evidence.single[own]) ** 2) @ omega
    return float(np.average(loss, weights=w)), float(np.average(base, weights=w))


def gate_quality(model: Partitioned, X, names, evidence: CrossFitted | None) -> Gate | None:
    """Accuracy, Brier score and reliability of the boundary; None where there is none."""
    boundary = model.pipeline.boundary
    if boundary is None:
        return None
    columns = model.pipeline.columns
    if evidence is not None and evidence.judged.any():
        own = evidence.judged
        stated, right, brier, w = (
            column[own] for column in (evidence.probability, evidence.agrees, evidence.brier, evidence.w)
        )
    else:
        rows = evenly(np.arange(len(X)), GATE_ROWS)
        p = boundary.probabilities(X[rows][:, columns])
        labels = model.labels[rows]
        stated, right = p.max(1), p.argmax(1) == labels
        brier, w = ((p - np.eye(p.shape[1])[labels]) ** 2).sum(1), np.ones(len(p))
    majority = np.bincount(model.labels).max() / max(1, len(model.labels))
    return Gate(
        kind=str(getattr(boundary, "kind", "")),
        columns=tuple(names[j] for j in columns),
        accuracy=float(boundary.accuracy),
        majority=float(majority),
        recovered=float(np.average(right, weights=w)) if evidence is not None else float("nan"),
        brier=float(np.average(brier, weights=w)),
        bins=_bins(stated, right, w),
        held_out=evidence is not None,
        soft=bool(model.pipeline.soft),
    )


def _bins(stated: np.ndarray, right: np.ndarray, w: np.ndarray) -> tuple[Bin, ...]:
    """Rows in order of stated probability, cut into bins of equal width that hold enough rows."""
    place = np.minimum((stated * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(
            float(np.average(stated[own], weights=w[own])),
            float(np.average(right[own], weights=w[own])),
            int(own.sum()),
        )
        for own in (place == b for b in range(BINS))
        if own.sum() >= FEWEST_IN_BIN
    )


def path_of(model: Partitioned) -> tuple[PathPoint, ...]:
    """The best judged loss for each number of regimes met."""
    if model.search is None:
        return ()
    chosen = model.found if model.search.chosen is None else model.search.chosen.count
    return tuple(PathPoint(int(k), float(m), float(e), int(k) == chosen) for k, m, e in model.search.path)


def contests_of(model: Partitioned) -> tuple[Contest, ...]:
    """A line for each competition."""
    if model.search is None:
        return ()
    origin = getattr(model.search.chosen, "origin", None)
    return tuple(_contest(one, origin) for one in model.search.competitions if one.trace)


def _contest(one, origin) -> Contest:
    events = [step.event for step in one.trace]
    accepted = [step for step in one.trace if not step.event.startswith("refused")]
    best = min(accepted, key=lambda step: step.loss)
    chosen = origin is not None and (origin.competitor.name, origin.recipe) == (
        one.competitor.name,
        one.recipe,
    )
    return Contest(
        one.competitor.name, one.recipe.start, one.recipe.gate, float(one.recipe.sigma), best.models, best.loss,
        events.count("add"), events.count("drop"), sum(e.startswith("refused") for e in events), chosen,
    )  # fmt: skip


def stability_of(model: Partitioned) -> Mapping[str, float]:
    """Agreement of the restarts; NaN with one regime."""
    nothing = {"mean": float("nan"), "min": float("nan"), "restarts": 0}
    return nothing if model.search is None or model.found == 1 else dict(model.search.stability)


def cost_of(model: Partitioned) -> Mapping[str, float]:
    """Seconds of processor time, fits, and how often a single model's seconds that is."""
    cost = model.cost
    ratio = cost.seconds / cost.single_seconds if cost.single_seconds > 0 else float("nan")
    return {"seconds": cost.seconds, "fits": cost.fits, "single_seconds": cost.single_seconds, "ratio": ratio}
