"""What a discovered model says of encoded rows: regimes, predictions, and who answered why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from strongsuit.core.arrays import chunks, map_chunks
from strongsuit.partition.discover import Partitioned, Routed
from strongsuit.partition.pipeline import CHUNK, combine, pieces


def regime_probabilities(model: Partitioned, X: np.ndarray) -> np.ndarray:
    """Probability (n, r) of every regime found; a column of ones if there is one only."""
    boundary, columns = model.pipeline.boundary, model.pipeline.columns
    if boundary is None or not len(X):
        return np.ones((len(X), model.found))
    return map_chunks(lambda rows: boundary.probabilities(rows[:, columns]), X, size=CHUNK)


def fallback_answer(model: Partitioned, X: np.ndarray) -> np.ndarray:
    """What the one global model says (n, q), in target units."""
    if not len(X):
        return np.zeros((0, len(model.scale.center)))
    return _in_target_units(model, map_chunks(model.pipeline.fallback.mean, X, size=CHUNK))


def unguarded_answer(model: Partitioned, X: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """What the model would say (n, q) if every expert found were allowed to speak, in target units."""
    if not len(X):
        return np.zeros((0, len(model.scale.center)))
    every, soft = np.ones(model.found, bool), model.pipeline.soft
    parts = [
        combine(pieces(model.pipeline, X[rows], unseen[rows], model.config), every, soft=soft)[0]
        for rows in chunks(len(X), CHUNK)
    ]
    return _in_target_units(model, np.concatenate(parts))


def _in_target_units(model: Partitioned, answer: np.ndarray) -> np.ndarray:
    """The answer on the scale of y; what is not finite becomes the target's mean, as `route` has it."""
    return np.where(np.isfinite(answer), answer, 0.0) * model.scale.spread + model.scale.center


def routed_frame(routed: Routed, targets: tuple[str, ...], index: pd.Index) -> pd.DataFrame:
    """One line a row: prediction and spread of every target, regime, its probability, and the reason."""
    columns: dict[str, np.ndarray] = {}
    for j, name in enumerate(targets):
        suffix = "" if len(targets) == 1 else f"_{name}"
        columns[f"prediction{suffix}"] = routed.prediction[:, j]
        columns[f"spread{suffix}"] = routed.spread[:, j]
    columns |= {"regime": routed.regime, "probability": routed.probability, "reason": routed.reason}
    return pd.DataFrame(columns, index=index)
