"""From a table to a model directory and back: what the commands do, callable from Python."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from strongsuit import model_files, recipes
from strongsuit.core.keys import root_key
from strongsuit.datasets.encoding import Encoder, fit_encoder
from strongsuit.datasets.table import Table, read_table
from strongsuit.datasets.writing import write_table
from strongsuit.errors import InputError
from strongsuit.executors import few_threads, fold_map
from strongsuit.partition.discover import Partitioned, discover, route
from strongsuit.partition.facts import facts as model_facts
from strongsuit.partition.values import CAUTIONS, Config

MODES = ("held_out", "paper")
FEWEST_ROWS = 2


@dataclass(frozen=True)
class Settings:
    """The choices of a run; the defaults are what is measured."""

    learner: str = "auto"
    mode: str = "held_out"
    max_regimes: int = Config.max_regimes
    restarts: int = Config.restarts
    caution: str = Config.caution
    seed: int = 0
    jobs: int = 1

    def config(self) -> Config:
        """The partition wing's switches, or InputError that names the parameter."""
        _require("mode", self.mode, MODES)
        _require("caution", self.caution, CAUTIONS)
        return Config(
            mode=self.mode,
            max_regimes=self.max_regimes,
            restarts=self.restarts,
            caution=self.caution,
            jobs=self.jobs,
        )


@dataclass(frozen=True)
class Result:
    """A finished run: the model, the facts as JSON has them, and the summary to read."""

    model: Partitioned
    facts: dict[str, Any]
    text: str


def _require(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def partition_table(
    source: Any,
    *,
    targets: Sequence[str],
    groups: str | None = None,
    exclude: Sequence[str] = (),
    categorical: Sequence[str] = (),
    weight: str | None = None,
    test: Any = None,
    settings: Settings | None = None,
    out: Path | None = None,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> Result:
    """The guarded partitioned model of a table, stored in the folder `out` with its report if one is named."""
    settings = settings or Settings()
    config, families = settings.config(), recipes.families(settings.learner, mode=settings.mode)
    began = time.perf_counter()
    progress("reading", 0.0)
    table, w = _read(source, targets, groups, exclude, categorical, weight)
    tested = None if test is None else read_table(test, target=list(targets), categorical=list(categorical))
    encoder = fit_encoder(table)
    X = encoder.transform(table.X).X
    _check_size(table, X)
    with few_threads(len(X)):
        model = discover(
            root_key(settings.seed), X, table.y, families=families, competitors=recipes.competitors(),
            settler=recipes.settler(), paper=recipes.paper_competitor() if settings.mode == "paper" else None,
            w=w, groups=table.groups, categorical=encoder.categorical, config=config, progress=progress,
            run=fold_map(settings.jobs or -1),
        )  # fmt: skip
    facts = model_facts(model, len(X), table.targets) | {"seconds": round(time.perf_counter() - began, 2)}
    facts["notes"] = [*table.notes, *model.notes]
    facts["seed"], facts["learner"], facts["caution"] = settings.seed, settings.learner, settings.caution
    if tested is not None:
        facts["test"] = _score(model, encoder, tested)
    return _finish(model, facts, table, X, encoder, out)


def _read(source, targets, groups, exclude, categorical, weight) -> tuple[Table, np.ndarray | None]:
    roles = {"groups": groups, "exclude": list(exclude), "categorical": list(categorical)}
    if weight is None:
        return read_table(source, target=list(targets), **roles), None
    table = read_table(source, target=[*targets, weight], **roles)
    w = table.y[:, -1]
    if (w < 0).any() or not w.any():
        raise InputError(f"--weight {weight}: weights must be zero or more, with at least one above zero")
    kept = table.frame.drop(columns=weight)
    return replace(table, frame=kept, targets=table.targets[:-1]), w


def _check_size(table: Table, X: np.ndarray) -> None:
    if len(X) < FEWEST_ROWS:
        raise InputError(f"{table.source} has {len(X)} row; at least {FEWEST_ROWS} are needed to fit a model")
    if X.shape[1] == 0:
        raise InputError(f"{table.source} has no feature column left besides the target; exclude fewer columns")


def _score(model: Partitioned, encoder: Encoder, table: Table) -> dict[str, float]:
    encoded = encoder.transform(table.frame)
    routed = route(model, encoded.X, encoded.unseen)
    variance = np.mean(model.scale.spread**2)
    return {
        "rows": len(encoded.X),
        "deployed": float(np.mean((routed.prediction - table.y) ** 2)),
        "single": float(np.mean((routed.fallback - table.y) ** 2)),
        "deployed_relative": float(np.mean((routed.prediction - table.y) ** 2) / variance),
        "single_relative": float(np.mean((routed.fallback - table.y) ** 2) / variance),
    }


def _finish(model, facts, table: Table, X, encoder: Encoder, out: Path | None) -> Result:
    from strongsuit.partition.describe import describe, summary_text
    from strongsuit.report import report_html

    described = describe(model, X, table.y, encoder.names, frame=table.frame, targets=table.targets)
    text = summary_text(described)
    if out is not None:
        page = report_html(model, described, X, table.y, title=Path(table.source).stem or "Table")
        facts["out"], facts["report"] = str(out), str(Path(out) / "report.html")
        saved = model_files.SavedModel(model, encoder, table.targets, facts)
        model_files.save(saved, out, extra={"report.html": page})
        text += f"\nModel and report: {facts['report']}"
    return Result(model, facts, text)


def predict_table(folder: Path, source: Any, *, out: Path) -> dict[str, Any]:
    """Writes the table and, beside it, prediction, spread, regime, its probability, who answered and why.

    Returns the counts of who answered and why.
    """
    saved = model_files.load(folder)
    table = read_table(source, target=None, features=None)
    encoded = saved.encoder.transform(table.frame)
    routed = route(saved.model, encoded.X, encoded.unseen)
    frame = predictions(table.frame, routed, saved.targets)
    write_table(frame, out)
    reasons = dict(Counter(routed.reason.tolist()))
    experts = int(reasons.get("expert", 0))
    return {
        "rows": len(frame), "out": str(out), "experts": experts, "fallback": len(frame) - experts,
        "reasons": reasons, "columns": list(frame.columns),
    }  # fmt: skip


def predictions(frame: pd.DataFrame, routed: Any, targets: Sequence[str]) -> pd.DataFrame:
    """The frame with prediction, spread, regime (from 1), its probability, who answered and why."""
    added: dict[str, Any] = {}
    for j, name in enumerate(targets):
        suffix = "" if len(targets) == 1 else f"_{name}"
        added[f"prediction{suffix}"] = routed.prediction[:, j]
        added[f"spread{suffix}"] = routed.spread[:, j]
    expert = routed.reason == "expert"
    added["regime"] = routed.regime + 1
    added["regime_probability"] = routed.probability
    added["answered_by"] = np.where(expert, "expert", "fallback")
    added["reason"] = np.where(expert, "", routed.reason)
    taken = {name: f"{name}_given" for name in added if name in frame.columns}
    return pd.concat([frame.rename(columns=taken), pd.DataFrame(added, index=frame.index)], axis=1)
