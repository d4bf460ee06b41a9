"""describe(): what a partitioned model is and how well it does, in numbers and sentences.

Nothing is fitted but the small tree of the rules; summary, report and JSON all read the one value made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from scipy.stats import t as student

from strongsuit.errors import InputError
from strongsuit.partition.describe_design import copies_warning, design_warning
from strongsuit.partition.describe_evidence import CrossFitted
from strongsuit.partition.describe_map import map_of
from strongsuit.partition.describe_portraits import evenly, portraits
from strongsuit.partition.describe_rules import TREE_ROWS, rule_tree
from strongsuit.partition.describe_summary import summary_text
from strongsuit.partition.describe_values import (
    Bin,
    Contest,
    Description,
    Gate,
    Interval,
    LossLine,
    PathPoint,
    RegimeLine,
    Rules,
    interval,
)
from strongsuit.partition.describe_words import (
    diagnosis_sentence,
    regime_words,
    verdict_sentence,
    warnings_of,
)
from strongsuit.partition.discover import Partitioned
from strongsuit.partition.pipeline import FAR, pieces
from strongsuit.partition.units import mean_and_error

BINS = 10
FEWEST_IN_BIN = 10
GATE_ROWS = 5_000  # rows that estimate the gate's reliability where no cross-fitted ones are kept
FAR_ROWS = 20_000
WAYS = {
    "oracle": "the expert that is right in hindsight: a bound, no model",
    "gated": "every row by the expert of its regime",
    "single": "one model for all rows",
    "deployed": "what the model will answer",
}
SETTINGS = (
    "mode", "max_regimes", "restarts", "min_rows", "folds", "alpha", "min_gain", "caution", "gating",
    "search_rows", "evidence_rows",
)  # fmt: skip


def describe(
    model: Partitioned,
    X: np.ndarray,
    Y: np.ndarray,
    names: Sequence[str],
    *,
    frame: pd.DataFrame | None = None,
    targets: Sequence[str] | None = None,
    grouped: bool = False,
    evidence: CrossFitted | None = None,
) -> Description:
    """The description of a model that discover() made of X (n, d) and Y (n, q).

    `names` (d,) are X's columns; `frame` holds them as the user gave them, for ranges and typical rows;
    `grouped` says that a group column kept rows together; `evidence` defaults to what the model carries.
    Raises InputError where the shapes do not fit.
    """
    X, Y, targets = _checked(model, X, Y, names, targets)
    names = tuple(map(str, names))
    evidence = getattr(model, "held_out", None) if evidence is None else evidence
    table = _table(X, names, frame, targets)
    rules, told = _rules(model, X, names, frozenset(map(str, table.columns)))
    lines = regime_lines(model, evidence)
    losses = loss_lines(model, evidence)
    gate = gate_quality(model, X, names, evidence)
    far = _far_share(model, X, evidence)
    reason, path = _reason(model), _path(model)
    config = model.config
    return Description(
        verdict=verdict_sentence(
            lines, found=model.found, deployed=model.verdict.deployed, reason=reason, gain=model.verdict.gain,
            min_gain=config.min_gain, mode=config.mode,
        ),
        diagnosis=diagnosis_sentence(
            losses, path, found=model.found, deployed=model.verdict.deployed, min_gain=config.min_gain
        ),
        rows=len(X),
        names=names,
        targets=targets,
        found=model.found,
        regimes=model.regimes,
        deployed=model.verdict.deployed,
        reason=reason,
        gain=float(model.verdict.gain),
        mode=config.mode,
        fallback=model.pipeline.fallback.family,
        losses=losses,
        held_out=evidence is not None,
        table=lines,
        portraits=portraits(model, X, Y, names, table, told) if model.found > 1 else (),
        rules=rules,
        path=path,
        contests=_contests(model),
        stability=_stability(model),
        gate=gate,
        far_share=far,
        cost=_cost(model),
        settings={name: asdict(config)[name] for name in SETTINGS},
        warnings=_warnings(model, rules, gate, far, X, names, grouped),
        notes=tuple(model.notes),
        evidence=evidence,
        map=map_of(X, Y, model.labels, names, targets, table, model.pipeline.columns, rules),
    )  # fmt: skip


def _checked(model, X, Y, names, targets) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    X, Y = np.asarray(X, float), np.asarray(Y, float)
    Y = Y[:, None] if Y.ndim == 1 else Y
    if X.ndim != 2 or len(X) != len(model.labels) or len(Y) != len(X) or X.shape[1] != len(names):
        raise InputError(
            f"X {X.shape}, Y {Y.shape} and {len(names)} names do not belong to a model of {len(model.labels)} rows; "
            "give the arrays that discover() was given, and a name for each column of X"
        )
    targets = tuple(targets or (["y"] if Y.shape[1] == 1 else [f"y{j + 1}" for j in range(Y.shape[1])]))
    if len(targets) != Y.shape[1]:
        raise InputError(f"targets names {len(targets)} columns, Y has {Y.shape[1]}: give a name for each")
    return X, Y, tuple(map(str, targets))


def _table(X, names, frame: pd.DataFrame | None, targets) -> pd.DataFrame:
    """The features as the user gave them: the columns of `frame` that X's names come from, else X itself."""
    if frame is None:
        return pd.DataFrame(X, columns=list(names))
    frame = frame.rename(columns=str)
    heads = set(names) | {name[:i] for name in names for i, letter in enumerate(name) if letter == "="}
    kept = [c for c in frame.columns if c in heads and c not in targets]
    missing = [name for name in names if not any(name == c or name.startswith(f"{c}=") for c in kept)]
    plain = pd.DataFrame({name: X[:, names.index(name)] for name in missing}, index=frame.index)
    return pd.concat([frame[kept], plain], axis=1)


def _rules(model: Partitioned, X, names, numeric) -> tuple[Rules | None, dict]:
    if model.found == 1 or len(np.unique(model.labels)) < 2:
        return None, {}
    rows = evenly(np.arange(len(X)), TREE_ROWS)
    return rule_tree(X[rows], model.labels[rows], names, model.pipeline.columns, numeric=numeric)


def _reason(model: Partitioned) -> str:
    """The verdict's reason, told apart further where nothing was searched."""
    if model.search is None and model.found == 1 and model.verdict.reason == "one_regime":
        return "constant_target" if model.scale.constant.all() else "few_rows"
    return model.verdict.reason


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
        words=regime_words(case.reason, proven=bool(case.enabled), deployed=model.verdict.deployed, p=case.p),
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
        stated, right, brier = evidence.probability[own], evidence.agrees[own], evidence.brier[own]
    else:
        rows = evenly(np.arange(len(X)), GATE_ROWS)
        p = boundary.probabilities(X[rows][:, columns])
        labels = model.labels[rows]
        stated, right = p.max(1), p.argmax(1) == labels
        brier = ((p - np.eye(p.shape[1])[labels]) ** 2).sum(1)
    majority = np.bincount(model.labels).max() / max(1, len(model.labels))
    return Gate(
        kind=str(getattr(boundary, "kind", "")),
        columns=tuple(names[j] for j in columns),
        accuracy=float(boundary.accuracy),
        majority=float(majority),
        brier=float(brier.mean()),
        bins=_bins(stated, right),
        held_out=evidence is not None,
        soft=bool(model.pipeline.soft),
    )


def _bins(stated: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Rows in order of stated probability, cut into bins of equal width that hold enough rows."""
    place = np.minimum((stated * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(float(stated[place == b].mean()), float(right[place == b].mean()), int((place == b).sum()))
        for b in range(BINS)
        if (place == b).sum() >= FEWEST_IN_BIN
    )


def _far_share(model: Partitioned, X, evidence: CrossFitted | None) -> float:
    if model.pipeline.far is None:
        return 0.0
    if evidence is not None:
        return float(np.mean(evidence.reason == FAR))
    rows = evenly(np.arange(len(X)), FAR_ROWS)
    said = pieces(model.pipeline, X[rows], np.zeros(len(rows), bool), model.config)
    return float(np.mean(said.reason == FAR))


def _path(model: Partitioned) -> tuple[PathPoint, ...]:
    if model.search is None:
        return ()
    chosen = model.found if model.search.chosen is None else model.search.chosen.count
    return tuple(PathPoint(int(k), float(m), float(e), int(k) == chosen) for k, m, e in model.search.path)


def _contests(model: Partitioned) -> tuple[Contest, ...]:
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


def _stability(model: Partitioned) -> Mapping[str, float]:
    nothing = {"mean": float("nan"), "min": float("nan"), "restarts": 0}
    return nothing if model.search is None or model.found == 1 else dict(model.search.stability)


def _cost(model: Partitioned) -> Mapping[str, float]:
    cost = model.cost
    ratio = cost.seconds / cost.single_seconds if cost.single_seconds > 0 else float("nan")
    return {"seconds": cost.seconds, "fits": cost.fits, "single_seconds": cost.single_seconds, "ratio": ratio}


def _warnings(model: Partitioned, rules, gate, far: float, X, names, grouped: bool) -> tuple[str, ...]:
    nan = float("nan")
    return warnings_of(
        found=model.found,
        stability=_stability(model)["mean"],
        accuracy=gate.accuracy if gate else nan,
        majority=gate.majority if gate else nan,
        fidelity=rules.fidelity if rules else nan,
        far_share=far,
        copies=copies_warning(model.notes),
        design="" if grouped else design_warning(X, names),
        unguarded=model.verdict.reason == "unguarded" and model.found > 1,
    )


__all__ = ["Description", "describe", "summary_text"]
