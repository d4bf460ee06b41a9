"""The facts of a discovered model as plain values, as JSON and estimators show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from strongsuit.partition.discover import Partitioned

ANSWERS = ("single", "gated", "oracle", "deployed")


def facts(model: Partitioned, rows: int, targets: Sequence[str]) -> dict[str, Any]:
    """Sizes, verdict, losses and cost of a model of `rows` rows, ready for JSON: NaN becomes None.

    `loss` is cross-fitted, in squared target units, the mean over the targets; `relative_loss` is in
    shares of the targets' variance.
    """
    losses, boundary = model.losses, model.pipeline.boundary
    return _json_ready(
        {
            "rows": rows,
            "found": model.found,
            "regimes": model.regimes,
            "deployed": "partitioned" if model.verdict.deployed else "single",
            "reason": model.verdict.reason,
            "gain": model.verdict.gain,
            "second_opinion": _opinion(model),
            "loss": {name: float(np.mean(losses.per_output[i])) for i, name in enumerate(ANSWERS)},
            "relative_loss": {name: getattr(losses, name)[0] for name in ANSWERS},
            "target_variance": float(np.mean(model.scale.spread**2)),
            "targets": list(targets),
            "gate_accuracy": 1.0 if boundary is None else float(boundary.accuracy),
            "stability": None if model.search is None else model.search.stability["mean"],
            "families": {
                "fallback": model.pipeline.fallback.family,
                "experts": [None if e is None else e.family for e in model.pipeline.experts],
            },
            "sizes": np.bincount(model.labels, minlength=model.found).tolist(),
            "cpu_seconds": round(model.cost.seconds, 2),
            "fits": model.cost.fits,
        }
    )


def _opinion(model: Partitioned) -> dict[str, Any] | None:
    """What the guard says of the same evidence under the other caution."""
    verdict = model.second_opinion
    if verdict is None:
        return None
    deployed = "partitioned" if verdict.deployed else "single"
    return {"deployed": deployed, "reason": verdict.reason, "gain": verdict.gain}


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _json_ready(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
