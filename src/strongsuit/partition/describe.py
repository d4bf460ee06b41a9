"""describe(): what a partitioned model is and how well it does, in numbers and sentences.

Nothing is fitted but the small tree of the rules; summary, report and JSON all read the one value made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from strongsuit.errors import InputError
from strongsuit.partition.describe_design import copies_warning, design_warning
from strongsuit.partition.describe_evidence import CrossFitted
from strongsuit.partition.describe_map import map_of
from strongsuit.partition.describe_numbers import (
    contests_of,
    cost_of,
    gate_quality,
    loss_lines,
    path_of,
    regime_lines,
    stability_of,
)
from strongsuit.partition.describe_portraits import evenly, portraits
from strongsuit.partition.describe_rules import TREE_ROWS, rule_tree
from strongsuit.partition.describe_summary import summary_text
from strongsuit.partition.describe_values import Description, Rules
from strongsuit.partition.describe_words import diagnosis_sentence, opinion_sentence, verdict_sentence, warnings_of
from strongsuit.partition.discover import Partitioned
from strongsuit.partition.pipeline import FAR, pieces
from strongsuit.partition.values import CAUTIONS

FAR_ROWS = 20_000
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
    reason, path = _reason(model), path_of(model)
    config, gain = model.config, _gain(model)
    return Description(
        verdict=verdict_sentence(
            lines, found=model.found, deployed=model.verdict.deployed, reason=reason, gain=gain,
            min_gain=config.min_gain, mode=config.mode,
        ),
        diagnosis=diagnosis_sentence(
            losses, path, found=model.found, deployed=model.verdict.deployed, min_gain=config.min_gain
        )
        + _second_opinion(model),
        rows=len(X),
        names=names,
        targets=targets,
        found=model.found,
        regimes=model.regimes,
        deployed=model.verdict.deployed,
        reason=reason,
        gain=gain,
        mode=config.mode,
        fallback=model.pipeline.fallback.family,
        losses=losses,
        held_out=evidence is not None,
        table=lines,
        portraits=portraits(model, X, Y, names, table, told) if model.found > 1 else (),
        rules=rules,
        path=path,
        contests=contests_of(model),
        stability=stability_of(model),
        gate=gate,
        far_share=far,
        cost=cost_of(model),
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


def _second_opinion(model: Partitioned) -> str:
    if model.second_opinion is None:
        return ""
    other = next(c for c in CAUTIONS if c != model.config.caution)
    return opinion_sentence(model.verdict.deployed, model.second_opinion.deployed, other)


def _gain(model: Partitioned) -> float:
    """The cross-fitted gain of the deployed model; without a guard, that of letting every expert speak.

    The guard's own figure counts fold regimes without a match as silent, which an unguarded model does not know.
    """
    if model.verdict.reason != "unguarded":
        return float(model.verdict.gain)
    return 1.0 - model.losses.gated[0] / max(model.losses.single[0], 1e-300)


def _reason(model: Partitioned) -> str:
    """The verdict's reason, told apart further where nothing was searched."""
    if model.search is None and model.found == 1 and model.verdict.reason == "one_regime":
        return "constant_target" if model.scale.constant.all() else "few_rows"
    return model.verdict.reason


def _far_share(model: Partitioned, X, evidence: CrossFitted | None) -> float:
    if model.pipeline.far is None:
        return 0.0
    if evidence is not None:
        return float(np.average(evidence.reason == FAR, weights=evidence.w))
    rows = evenly(np.arange(len(X)), FAR_ROWS)
    said = pieces(model.pipeline, X[rows], np.zeros(len(rows), bool), model.config)
    return float(np.mean(said.reason == FAR))


def _warnings(model: Partitioned, rules, gate, far: float, X, names, grouped: bool) -> tuple[str, ...]:
    nan = float("nan")
    return warnings_of(
        found=model.found,
        stability=stability_of(model)["mean"],
        accuracy=gate.accuracy if gate else nan,
        majority=gate.majority if gate else nan,
        fidelity=rules.fidelity if rules else nan,
        far_share=far,
        copies=copies_warning(model.notes),
        design="" if grouped else design_warning(X, names),
        unguarded=model.verdict.reason == "unguarded" and model.found > 1,
    )


__all__ = ["Description", "describe", "summary_text"]
