"""The Learner contract and the primitive that carries every fit: m models at once, a row of weights each.

Only this file looks at `traceable`: such learners are padded to row buckets and compiled, the others are
looped over on the host, and a process that uses only these never loads JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from strongsuit.core.arrays import bucket, chunks, pad_rows, pytree
from strongsuit.core.compile import door, over_members
from strongsuit.core.keys import Key, key_for

PREDICT_ROWS = 16384  # rows a compiled prediction takes at once; bounds memory to about 16384 x width floats
SKETCH_BLOCK = 2048  # rows sketched at once: small, since padding to a power of two would double the work of a pool
FEW_ROWS = 1024  # up to so many rows all models predict in one call, above it one after another
SMALLEST_BUCKET = 64
SKETCH_ROWS = 65536  # rows of features that host learners sketch at once


@pytree
@dataclass(frozen=True)
class Prediction:
    """Means (n, k), or probabilities, and variances (n, k) or None; of stacked models (m, n, k)."""

    mean: Any
    variance: Any = None


@runtime_checkable
class Learner(Protocol):
    """A frozen, hashable dataclass of hyper-parameters with pure functions.

    `fit(key, X, y, w) -> params` takes X (n, d), y (n, k), w (n,) >= 0, where w = 0 means that the row does
    not exist; `predict(params, X) -> Prediction`; `embed(params, X) -> (n, p)`. Traceable learners get a JAX
    key and JAX arrays; the others a `Key` and NumPy arrays. A traceable learner may set `smallest_bucket`
    (rows of the smallest buffer) and `runtime` (names of numeric settings that are not compiled in).

    Any may offer more: `refine(key, params, X, y, w) -> params`, one more pass from given parameters; `resume`, of
    the same form, a short training of its own after rows were added;
    `init(key, X, y, w) -> params`, untrained ones; `sketch(key, params, X, width)`, gradient features
    (n, width), and `stand_in(params) -> str`, words for what they show instead where they are none of the model's;
    `kernel_features(params, X, rank) -> (features (n, r), noise)`, if a kernel's prior stands behind them: inner
    products are the prior covariance of X, noise the variance of a label's error in the same units;
    `marginal(params) -> core.marginal.Marginal`, if a marginal likelihood fitted them; `auxiliary(name) -> Learner`, a
    network to train beside it whose variance is an estimate that it cannot give: "dropout" or "loss"; of a classifier
    also "vaal", "waal" or "gcn", whose mean it is. These take up to `most_rows` rows, open ones with a y of 0 among
    them, and by `sees` either "inputs" or the "features" of the learner.
    """

    @property
    def traceable(self) -> bool: ...

    def fit(self, key: Any, X: Any, y: Any, w: Any) -> Any: ...

    def predict(self, params: Any, X: Any) -> Prediction: ...

    def embed(self, params: Any, X: Any) -> Any: ...


class _Tally:
    """Fits of this process so far: a diagnostic, like the trace counts of compile.py."""

    fits = 0


def fits_done() -> int:
    """How many models this process has fitted or refined so far."""
    return _Tally.fits


def fit_many(learner: Learner, keys: Sequence[Key], X: Any, y: Any, W: Any) -> Any:
    """Parameters of m models, one for each key and each row of W (m, n): stacked if traceable, else a list.

    X (n, d) and y (n, k) or (n,) are shared by all models.
    """
    X, y, W = _rows(X), _columns(y), _rows(W)
    _Tally.fits += len(W)
    if not learner.traceable:
        return [learner.fit(key, X, y, w) for key, w in zip(keys, W, strict=True)]
    shell, settings = shell_of(learner)
    X, y, W = _padded(learner, X, y, W)
    return _first(len(keys), _fit_members(shell, settings, _words(keys), X, y, W))


def predict_many(learner: Learner, params: Any, X: Any) -> Prediction:
    """Prediction of all models for X (n, d): mean and variance have shape (m, n, k)."""
    X = _rows(X)
    if not learner.traceable:
        return _stack([learner.predict(one, X) for one in params], axis=0)
    shell, m = shell_of(learner)[0], len(_leaf(params))
    parts = [_predict_chunk(shell, params, m, X[rows]) for rows in chunks(len(X), PREDICT_ROWS)]
    return _stack(parts, axis=None)


def refine_many(learner: Any, keys: Sequence[Key], params: Any, X: Any, y: Any, W: Any) -> Any:
    """Parameters after one more pass from given ones, in the form `fit_many` returns; see `can_refine`."""
    return _onward("refine", learner, keys, params, X, y, W)


def resume_many(learner: Any, keys: Sequence[Key], params: Any, X: Any, y: Any, W: Any) -> Any:
    """Parameters after a short training from given ones, in the form `fit_many` returns; for learners that offer
    `resume`."""
    return _onward("resume", learner, keys, params, X, y, W)


def _onward(method: str, learner: Any, keys: Sequence[Key], params: Any, X: Any, y: Any, W: Any) -> Any:
    X, y, W = _rows(X), _columns(y), _rows(W)
    _Tally.fits += len(W)
    if not learner.traceable:
        train = getattr(learner, method)
        return [train(key, p, X, y, w) for key, p, w in zip(keys, params, W, strict=True)]
    shell, settings = shell_of(learner)
    X, y, W = _padded(learner, X, y, W)
    params = _repeated(params, len(W))
    return _first(len(keys), _onward_members[method](shell, settings, _words(keys), params, X, y, W))


def start_one(learner: Any, key: Key, X: Any, y: Any, w: Any) -> Any:
    """Parameters of a model that `refine` can train step by step: untrained if the learner offers `init`,
    else fitted."""
    if not (learner.traceable and hasattr(learner, "init")):
        return fit_one(learner, key, X, y, w)
    shell, settings = shell_of(learner)
    X, y, W = _padded(learner, _rows(X), _columns(y), _rows(w)[None])
    return pick(_first(1, _init_members(shell, settings, _words([key]), X, y, W)), 0)


def can_refine(learner: Any) -> bool:
    """True if the learner offers `refine`; otherwise it is fitted anew where others take a further pass."""
    return hasattr(learner, "refine")


def fit_one(learner: Learner, key: Key, X: Any, y: Any, w: Any) -> Any:
    """Parameters of one model, for `predict_one`."""
    if not learner.traceable:
        _Tally.fits += 1
        return learner.fit(key, _rows(X), _columns(y), np.asarray(w, dtype=float))
    return pick(fit_many(learner, [key], X, y, np.asarray(w)[None]), 0)


def refine_one(learner: Any, key: Key, params: Any, X: Any, y: Any, w: Any) -> Any:
    """Parameters of one model after one more pass from given ones; see `can_refine`."""
    if not learner.traceable:
        _Tally.fits += 1
        return learner.refine(key, params, _rows(X), _columns(y), np.asarray(w, dtype=float))
    return pick(refine_many(learner, [key], join([params]), X, y, np.asarray(w)[None]), 0)


def resume_one(learner: Any, key: Key, params: Any, X: Any, y: Any, w: Any) -> Any:
    """Parameters of one model after a short training from given ones; see `resume_many`."""
    if not learner.traceable:
        _Tally.fits += 1
        return learner.resume(key, params, _rows(X), _columns(y), np.asarray(w, dtype=float))
    return pick(resume_many(learner, [key], join([params]), X, y, np.asarray(w)[None]), 0)


def predict_one(learner: Learner, params: Any, X: Any) -> Prediction:
    """Prediction of one model for X (n, d): mean and variance have shape (n, k)."""
    if not learner.traceable:
        found = learner.predict(params, _rows(X))
        return Prediction(np.asarray(found.mean), _host(found.variance))
    many = predict_many(learner, join([params]), X)
    return Prediction(many.mean[0], None if many.variance is None else many.variance[0])


def embed_many(learner: Learner, params: Any, X: Any) -> np.ndarray:
    """Embeddings of X by all models, (m, n, p)."""
    X = _rows(X)
    if not learner.traceable:
        return np.stack([np.asarray(learner.embed(one, X)) for one in params])
    shell = shell_of(learner)[0]
    parts = []
    for rows in chunks(len(X), PREDICT_ROWS):
        n = len(X[rows])
        parts.append(np.asarray(_embed_members(shell, params, _block(X[rows])))[:, :n])
    return np.concatenate(parts, axis=1)


def sketch_many(learner: Any, keys: Sequence[Key], params: Any, X: Any, width: int) -> np.ndarray:
    """Gradient features of a committee, (n, width) or a few columns less: independent sketches of its members side by
    side, over sqrt(m).

    Their inner products estimate the mean of the members' gradient kernels nearly as well as sums of full sketches
    would, whose terms between members add what their width saves: 1.3 times their spread on a small network, at 1/m of
    the work. Needs a learner with `sketch`; those of the host are summed.
    """
    X = _rows(X)
    if not learner.traceable:
        return _host_sketches(learner, keys, params, X, width)
    shell = shell_of(learner)[0]
    words = np.array([key.words for key in keys], np.uint32)
    # One array, filled piece by piece: fresh memory for every copy of a large pool's features costs more than they do.
    found = np.empty((len(X), len(keys) * _share(width, len(keys))), np.float32)
    for rows in chunks(len(X), SKETCH_BLOCK):
        found[rows] = np.asarray(_sketch_members(shell, width, words, params, _block(X[rows])))[: len(X[rows])]
    return found


def _share(width: int, members: int) -> int:
    """Columns of a sketch for each member."""
    return max(1, width // members)


def _host_sketches(learner: Any, keys: Sequence[Key], params: Any, X: np.ndarray, width: int) -> np.ndarray:
    total = np.zeros((len(X), width), np.float32)
    for rows in chunks(len(X), SKETCH_ROWS):
        for key, one in zip(keys, params, strict=True):
            total[rows] += learner.sketch(key, one, X[rows], width)
    total /= np.float32(len(keys) ** 0.5)
    return total


def pick(params: Any, index: int) -> Any:
    """The parameters of one model out of those of many."""
    if isinstance(params, list):
        return params[index]
    import jax

    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], params)


def join(params: Sequence[Any]) -> Any:
    """Stacked parameters of single traceable models, in the form `predict_many` takes."""
    import jax

    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *params)


def shell_of(learner: Any) -> tuple[Any, dict[str, np.float32]]:
    """The learner with its run-time settings at their defaults, and the settings as numbers.

    Only the first decides what is compiled: learners that differ in learning rate or epochs share an executable.
    """
    names = getattr(learner, "runtime", ())
    defaults = {field.name: field.default for field in fields(learner) if field.name in names}
    return replace(learner, **defaults), {name: np.float32(getattr(learner, name)) for name in names}


def _fit(learner, settings, words, X, y, W):
    from jax.random import wrap_key_data

    learner = replace(learner, **settings)

    def one(word, w):
        return learner.fit(wrap_key_data(word, impl="threefry2x32"), X, y, w)

    return over_members(one)(words, W)


def _init(learner, settings, words, X, y, W):
    from jax.random import wrap_key_data

    learner = replace(learner, **settings)

    def one(word, w):
        return learner.init(wrap_key_data(word, impl="threefry2x32"), X, y, w)

    return over_members(one)(words, W)


def _train_on(method, learner, settings, words, params, X, y, W):
    from jax.random import wrap_key_data

    train = getattr(replace(learner, **settings), method)

    def one(word, start, w):
        return train(wrap_key_data(word, impl="threefry2x32"), start, X, y, w)

    return over_members(one)(words, params, W)


def _predict(learner, params, X):
    return over_members(lambda one: learner.predict(one, X))(params)


def _sketch(learner, width, words, params, X):
    import jax.numpy as jnp
    from jax.random import wrap_key_data

    members = len(words)
    share = _share(width, members)

    def one(word, params):
        return learner.sketch(wrap_key_data(word, impl="threefry2x32"), params, X, share)

    parts = over_members(one)(words, params)
    return jnp.moveaxis(parts, 0, 1).reshape(len(X), members * share) / members**0.5


def _embed(learner, params, X):
    return over_members(lambda one: learner.embed(one, X))(params)


_fit_members = door(_fit, static=(0,), name="fit_many")
_init_members = door(_init, static=(0,), name="init_many")
_onward_members = {
    method: door(partial(_train_on, method), static=(0,), name=f"{method}_many") for method in ("refine", "resume")
}
_predict_members = door(_predict, static=(0,), name="predict_many")
_sketch_members = door(_sketch, static=(0, 1), name="sketch_many")
_embed_members = door(_embed, static=(0,), name="embed_many")


def _predict_chunk(learner: Any, params: Any, m: int, X: np.ndarray) -> Prediction:
    """Prediction of m models for at most PREDICT_ROWS rows, computed on a padded block and cut to size."""
    n, block = len(X), _block(X)
    if len(block) <= FEW_ROWS:
        found = _predict_members(learner, _repeated(params, bucket(m, smallest=1)), block)
        return _cut(found, m, n)
    ones = [_cut(_predict_members(learner, join([pick(params, i)]), block), 1, n) for i in range(m)]
    return _stack([Prediction(p.mean[0], None if p.variance is None else p.variance[0]) for p in ones], axis=0)


def _block(X: np.ndarray) -> np.ndarray:
    """X in float32 with zero rows up to its bucket."""
    return pad_rows(X.astype(np.float32), bucket(len(X), smallest=FEW_ROWS))


def _cut(found: Prediction, m: int, n: int) -> Prediction:
    """The first m models and n rows, on the host."""
    variance = None if found.variance is None else np.asarray(found.variance)[:m, :n]
    return Prediction(np.asarray(found.mean)[:m, :n], variance)


def _first(m: int, params: Any) -> Any:
    """The first m of stacked models, on the host."""
    import jax

    return jax.tree.map(lambda leaf: np.asarray(leaf)[:m], params)


def _repeated(params: Any, size: int) -> Any:
    """Stacked models with the first one repeated behind the last, up to `size`."""
    import jax

    short = size - len(_leaf(params))
    if short == 0:
        return params
    return jax.tree.map(lambda leaf: np.concatenate([leaf, np.repeat(leaf[:1], short, axis=0)]), params)


def _leaf(params: Any) -> Any:
    """Any one array of stacked models."""
    import jax

    return jax.tree.leaves(params)[0]


def _stack(parts: list[Prediction], *, axis: int | None) -> Prediction:
    """Predictions joined: along a new first axis of models (0), or along the rows of stacked ones (None)."""
    glue = np.stack if axis == 0 else (lambda arrays: np.concatenate(arrays, axis=1))
    variances = [part.variance for part in parts]
    mean = glue([np.asarray(part.mean) for part in parts])
    if any(variance is None for variance in variances):
        return Prediction(mean, None)
    return Prediction(mean, glue([np.asarray(variance) for variance in variances]))


def _padded(learner, X, y, W):
    """The arrays in float32 with rows of weight zero up to the learner's bucket, and models without rows.

    A model without rows costs next to nothing, and committees of any size then share few executables.
    """
    size = bucket(len(X), smallest=getattr(learner, "smallest_bucket", SMALLEST_BUCKET))
    X, y, W = (array.astype(np.float32) for array in (X, y, W))
    W = pad_rows(pad_rows(W, size, axis=1), bucket(len(W), smallest=1))
    return pad_rows(X, size), pad_rows(y, size), W


def _words(keys: Sequence[Key]) -> np.ndarray:
    """The keys' words, and zeros for the models that `_padded` adds."""
    words = np.array([key.words for key in keys], dtype=np.uint32)
    return pad_rows(words, bucket(len(words), smallest=1))


def _rows(array: Any) -> np.ndarray:
    return np.asarray(array, dtype=float)


def _columns(y: Any) -> np.ndarray:
    y = np.asarray(y, dtype=float)
    return y[:, None] if y.ndim == 1 else y


def _host(array: Any) -> np.ndarray | None:
    return None if array is None else np.asarray(array)


def member_keys(key: Key, m: int) -> list[Key]:
    """m independent keys, one for each model of a committee."""
    return [key_for(key, "member", index) for index in range(m)]
