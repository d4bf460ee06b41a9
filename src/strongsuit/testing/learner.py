"""What every Learner must keep: the promises that competition, committees and the guard build on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from strongsuit.core.compile import trace_counts
from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.core.learner import fit_many, fit_one, predict_many, predict_one
from strongsuit.errors import InputError

_ROWS, _NEW, _FEATURES = 60, 25, 3


def check_learner(
    learner: Any,
    *,
    tolerance: float = 1e-5,
    exceptions: Mapping[str, str] | None = None,
    classes: int | None = None,
) -> dict[str, str]:
    """Outcome of each check by name: "kept", or the reason why it was excepted; AssertionError where one fails.

    tolerance: largest difference of two predictions that count as equal, relative to the spread of y. exceptions:
    checks that do not apply, each with its reason. classes: check a classifier of so many classes.
    """
    exceptions = dict(exceptions or {})
    unknown = exceptions.keys() - CHECKS.keys()
    if unknown:
        raise InputError(f"no check is named {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    if not all(exceptions.values()):
        raise InputError("an exception needs a reason")
    data = _data(classes)
    outcome = {}
    for name, check in CHECKS.items():
        if name in exceptions:
            outcome[name] = exceptions[name]
            continue
        check(learner, *data, tolerance)
        outcome[name] = "kept"
    return outcome


def _data(classes: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (60, 3), targets (60, 2) or indicators of the classes, and new features (25, 3)."""
    rng = np.random.default_rng(12)
    X, new = rng.normal(size=(_ROWS, _FEATURES)), rng.normal(size=(_NEW, _FEATURES))
    smooth = np.stack([np.sin(X[:, 0]) + X[:, 1], 10.0 + X[:, 1] * X[:, 2]], axis=1)
    if classes is None:
        return X, smooth + 0.1 * rng.normal(size=smooth.shape), new
    order = np.argsort(smooth[:, 0])
    labels = np.empty(_ROWS, int)
    labels[order] = np.arange(_ROWS) * classes // _ROWS
    return X, np.eye(classes)[labels], new


def _close(one: np.ndarray, other: np.ndarray, y: np.ndarray, tolerance: float, promise: str) -> None:
    """AssertionError with the promise unless the predictions are equal up to `tolerance` spreads of y."""
    worst = float(np.max(np.abs(one - other)))
    assert worst <= tolerance * max(float(y.std()), 1e-12), f"{promise}: predictions differ by {worst:.3g}"


def _mean(learner: Any, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray, new: np.ndarray) -> np.ndarray:
    return np.asarray(predict_one(learner, fit_one(learner, key, X, y, w), new).mean)


def _is_a_value(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """Learners are compared and used as keys of caches."""
    assert hash(learner) == hash(learner) and learner == learner, "a learner must be hashable"
    assert isinstance(learner.traceable, bool), "traceable must be True or False"


def _same_key_same_bits(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """A fit repeated with the same key gives the same bits."""
    once, again = (_mean(learner, root_key(1), X, y, np.ones(len(X)), new) for _ in range(2))
    assert np.array_equal(once, again), "the same key must give the same bits"


def _shapes(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """Means (n, k), variances alike or None, embeddings (n, p), one row as well as many."""
    params = fit_one(learner, root_key(1), X, y, np.ones(len(X)))
    for rows in (new, new[:1]):
        found = predict_one(learner, params, rows)
        assert found.mean.shape == (len(rows), y.shape[1]), f"mean has shape {found.mean.shape}"
        assert np.isfinite(found.mean).all()
        if found.variance is not None:
            assert found.variance.shape == found.mean.shape and (found.variance >= 0).all()
    assert np.asarray(learner.embed(params, rows)).shape[0] == len(rows)


def _padding(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """Rows of weight zero do not exist, whatever they hold and wherever they stand."""
    plain = _mean(learner, root_key(1), X, y, np.ones(len(X)), new)
    place = np.sort(np.random.default_rng(3).permutation(3 * len(X))[: len(X)])
    X_wide, y_wide = np.full((3 * len(X), X.shape[1]), 1e3), np.full((3 * len(X), y.shape[1]), -1e3)
    w = np.zeros(3 * len(X))
    X_wide[place], y_wide[place], w[place] = X, y, 1.0
    _close(plain, _mean(learner, root_key(1), X_wide, y_wide, w, new), y, tolerance, "padding must not matter")


def _members(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """A member of fit_many equals a single fit with its key and weights."""
    keys = [key_for(root_key(1), i) for i in range(3)]
    W = np.ones((3, len(X)))
    W[1, ::2], W[2, : len(X) // 3] = 0.0, 3.0
    many = predict_many(learner, fit_many(learner, keys, X, y, W), new).mean
    assert many.shape == (3, len(new), y.shape[1]), f"stacked means have shape {many.shape}"
    for key, w, found in zip(keys, W, many, strict=True):
        _close(found, _mean(learner, key, X, y, w, new), y, tolerance, "a member must equal a single fit")


def _weights(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """Weight 2 equals the row twice."""
    w = np.ones(len(X))
    w[: len(X) // 2] = 2.0
    rows = np.repeat(np.arange(len(X)), w.astype(int))
    heavy = _mean(learner, root_key(1), X, y, w, new)
    twice = _mean(learner, root_key(1), X[rows], y[rows], np.ones(len(rows)), new)
    _close(heavy, twice, y, tolerance, "weight 2 must equal the row twice")


def _traces(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """Fits and predictions of other row counts and weights in the same bucket compile nothing."""
    _mean(learner, root_key(1), X, y, np.ones(len(X)), new)
    before = trace_counts()
    for n in (33, 47, 60):
        w = np.ones(n)
        w[::5] = 0.0
        _mean(learner, root_key(n), X[:n], y[:n], w, new[: n // 3])
    assert trace_counts() == before, "another row count in the same bucket must not compile anything"


def _degenerate(learner: Any, X: Any, y: Any, new: Any, tolerance: float) -> None:
    """Finite on a constant target, a constant column, duplicate rows and three rows."""
    constant = np.zeros_like(y)
    constant[:, 0] = 1.0
    flat = X.copy()
    flat[:, 1] = 7.0
    few = np.zeros(len(X))
    few[:3] = 1.0
    cases = {
        "a constant target": (X, constant, np.ones(len(X))),
        "a constant column": (flat, y, np.ones(len(X))),
        "duplicate rows": (np.repeat(X[:6], 10, axis=0), np.repeat(y[:6], 10, axis=0), np.ones(len(X))),
        "three rows": (X, y, few),
    }
    for name, (A, b, w) in cases.items():
        found = _mean(learner, root_key(1), A, b, w, new)
        assert np.isfinite(found).all(), f"predictions must be finite on {name}"
        if name == "a constant target":
            _close(found, np.broadcast_to(constant[:1], found.shape), y, 1e-2, "a constant is predicted as it is")


CHECKS: dict[str, Callable[..., None]] = {
    "is_a_value": _is_a_value,
    "same_key_same_bits": _same_key_same_bits,
    "shapes": _shapes,
    "padding": _padding,
    "members": _members,
    "weights": _weights,
    "traces": _traces,
    "degenerate": _degenerate,
}
