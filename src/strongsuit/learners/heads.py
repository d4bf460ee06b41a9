"""Linear softmax heads on the host: probabilities over the classes seen, and passes of a head with dropout."""

from __future__ import annotations

import numpy as np

from strongsuit.core.keys import Key
from strongsuit.errors import InputError

Head = tuple[np.ndarray, np.ndarray, np.ndarray]  # weights (k, p), intercepts (k,), classes seen in training (k,) bool


def probabilities(logits: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Softmax of logits (..., k) over the classes seen (over all where none is), exactly 0 elsewhere."""
    logits = np.where(seen if np.any(seen) else ~seen, logits, -np.inf)
    weight = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def check_labelling(smoothing: float, class_weight: str | None) -> None:
    """Nothing, or InputError for settings of label smoothing and class weights that mean nothing."""
    if not 0.0 <= smoothing < 1.0:
        raise InputError(f"smoothing must be a share from 0 to below 1, got {smoothing}; 0.05 is usual")
    if class_weight not in (None, "balanced"):
        raise InputError(f'class_weight must be None or "balanced", got {class_weight!r}')


def head_passes(key: Key, z: np.ndarray, head: Head, *, count: int, rate: float) -> np.ndarray:
    """Probabilities (count, n, k) of features z (n, p) through the head, of which each pass drops a share `rate`.

    Which features a pass drops is drawn once for all rows (Gal and Ghahramani 2016 call a pass a draw of the weights):
    joint probabilities over rows then mean something, and a row's answer does not depend on its place.
    """
    if not 0.0 < rate < 1.0:
        raise InputError(f"passes need a dropout rate between 0 and 1, got {rate}: without dropout all are the same")
    W, c, seen = (np.asarray(part) for part in head)
    kept = key.numpy().random((count, W.shape[1])) >= rate
    thinned = (W * (kept[:, None, :] / W.dtype.type(1.0 - rate))).reshape(-1, W.shape[1])
    logits = (np.asarray(z) @ thinned.T).reshape(len(z), count, len(W)) + c
    return probabilities(np.moveaxis(logits, 1, 0), seen)
