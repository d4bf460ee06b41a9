"""Where a head that is not linear changes its mind, by gradients through it.

A head is `logits(params, z) -> (k,)` for one row z (p,), traceable and hashable: it is compiled in, its params are not.
Shapes: n rows Z (n, p), k classes, a anchors; `seen` (k,) bool marks the classes that may be predicted. Float32.

All climb logsumexp_{c != y} f_c - f_y, y the class at the start. The gradient of CE(f, y) is the probability of the
other classes times the gradient of that, so its direction and signs are the same, and a head that is sure of itself
does not make it underflow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from strongsuit.core.arrays import bucket, chunks, pad_rows
from strongsuit.core.compile import door

ROWS = 8192  # taken at once
SMALLEST_BUCKET = 64
STEPS = 50  # of the two attacks, at most; the public loops have no end
BIM_RATE = 0.05  # as in the public code
OVERSHOOT = 0.02  # by how much DeepFool oversteps a plane to see what lies behind it, as published
TIE = 1e-6  # of 1 + the largest logit: DeepFool's least step in logits, since a tie would stop it
_JACOBIAN = 2**22  # numbers of the rows' k x p derivatives held at once

Head = Callable[[Any, Any], Any]


def directions(logits: Head, params: Any, Z: np.ndarray, *, seen: np.ndarray | None = None) -> np.ndarray:
    """Unit vectors (n, p) along the gradient of CE(f, y) at each row, 0 where that is 0."""
    seen = _seen(logits, params, Z, seen)
    return _rows_through(lambda part: _directions(logits, params, part, seen), Z)


def flip_share_traced(
    logits: Head,
    params: Any,
    Z: np.ndarray,
    anchors: np.ndarray,
    *,
    cap: float = 0.2,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """e (n,) as `core.flips.flip_share` has it, from trials: infinity for rows that flip in none.

    z + eps h u is tried for the distance h to each anchor (a, p) and eps = i cap / sqrt(p), i = 1, 2, ... while
    i cap < 1. A row that flips first at i gets e = (i - 1/2) cap / sqrt(p), so that e sqrt(p) < i cap says as much.
    A head that is not linear may turn back, so the farthest anchor alone would not do (arXiv 2203.07034).
    """
    if not len(anchors):
        return np.full(len(Z), np.inf)
    seen = _seen(logits, params, Z, seen)
    sizes = cap * np.arange(1, np.ceil(1.0 / cap) + 1.0)
    sizes = (sizes[sizes < 1.0] / np.sqrt(Z.shape[1])).astype(np.float32)
    h = cdist(np.asarray(Z, np.float64), np.asarray(anchors, np.float64))
    first = _rows_through(lambda part, h: _first_trial(logits, params, part, h, sizes, seen), Z, h)
    e = (first + 0.5) * cap / np.sqrt(Z.shape[1])
    return np.where(first < len(sizes), e, np.inf)


def deepfool(
    logits: Head, params: Any, Z: np.ndarray, *, steps: int = STEPS, seen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How far (n,) each row moved to the nearest plane, of the head linearised anew at each step, and whether (n,) it
    flipped (Moosavi-Dezfooli, Fawzi and Frossard 2016).

    Trials overstep the planes by OVERSHOOT; the distance does not. For a linear head it is `core.flips.nearest_plane`.
    """
    seen = _seen(logits, params, Z, seen)
    size = max(1, _JACOBIAN // (len(seen) * Z.shape[1]))
    found = _rows_through(lambda part: _deepfool(logits, params, part, np.int32(steps), seen), Z, most=size)
    return found[:, 0], found[:, 1] > 0.0


def bim(
    logits: Head,
    params: Any,
    Z: np.ndarray,
    *,
    rate: float = BIM_RATE,
    steps: int = STEPS,
    seen: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """|eta| (n,) of each row and whether (n,) it flipped: eta grows by rate * sign(gradient of CE(f(z + eta), y)) until
    the class changes (basic iterative method: Kurakin, Goodfellow and Bengio 2017)."""
    seen = _seen(logits, params, Z, seen)
    found = _rows_through(lambda part: _bim(logits, params, part, np.float32(rate), np.int32(steps), seen), Z)
    return found[:, 0], found[:, 1] > 0.0


def _seen(logits: Head, params: Any, Z: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """The mask of classes, all of them by default; the head says how many there are."""
    if seen is not None:
        return np.asarray(seen, dtype=bool)
    import jax

    row = jax.ShapeDtypeStruct(Z.shape[1:], np.float32)
    return np.ones(jax.eval_shape(lambda z: logits(params, z), row).shape, dtype=bool)


def _rows_through(fn: Callable, *arrays: np.ndarray, most: int = ROWS) -> np.ndarray:
    """fn of padded float32 rows of the arrays, chunk by chunk and cut to size, in float64."""
    n, parts = len(arrays[0]), []
    size = bucket(min(n, ROWS, most), smallest=SMALLEST_BUCKET)
    for rows in chunks(n, size):
        padded = [pad_rows(np.asarray(array[rows], np.float32), size) for array in arrays]
        parts.append(np.asarray(fn(*padded), np.float64)[: len(arrays[0][rows])])
    return np.concatenate(parts)


def _class(logits, params, z, seen):
    import jax.numpy as jnp

    return jnp.argmax(jnp.where(seen, logits(params, z), -jnp.inf))


def _uphill(logits, params, z, y, seen):
    """The gradient (p,) of logsumexp_{c != y} f_c - f_y; 0 where there is no other class."""
    import jax
    import jax.numpy as jnp

    others = seen & (jnp.arange(seen.shape[0]) != y)

    def behind(z):
        f = logits(params, z)
        return jax.nn.logsumexp(jnp.where(others, f, -jnp.inf)) - f[y]

    return jnp.where(others.any(), jax.grad(behind)(z), jnp.float32(0.0))


def _unit(g):
    """g (p,) at length 1, or 0; scaled first, so that no square underflows."""
    import jax.numpy as jnp

    size = jnp.abs(g).max()
    g = g / jnp.where(size > 0.0, size, jnp.float32(1.0))
    length = jnp.sqrt((g * g).sum())
    return g / jnp.where(length > 0.0, length, jnp.float32(1.0))


def _direction(logits, params, z, seen):
    y = _class(logits, params, z, seen)
    return _unit(_uphill(logits, params, z, y, seen)), y


def _all_directions(logits, params, Z, seen):
    import jax

    return jax.vmap(lambda z: _direction(logits, params, z, seen)[0])(Z)


def _trials(logits, params, Z, H, sizes, seen):
    """The number (n,) of the first size at which some distance of H (n, a) flips the row; len(sizes) if none does."""
    import jax
    import jax.numpy as jnp

    def one(z, h):
        u, y = _direction(logits, params, z, seen)
        flips = jax.lax.map(lambda s: _class(logits, params, z + s * u, seen) != y, (sizes[:, None] * h).ravel())
        by_size = flips.reshape(sizes.shape[0], h.shape[0]).any(axis=1)
        return jnp.where(by_size.any(), by_size.argmax(), sizes.shape[0])

    return jax.vmap(one)(Z, H)


def _walk(logits, params, z, seen, steps, overshoot, step):
    """|eta| and whether z + (1 + overshoot) eta has another class than z: eta grows by step(place, y) until it has."""
    import jax
    import jax.numpy as jnp

    y, stretch = _class(logits, params, z, seen), jnp.float32(1.0 + overshoot)

    def going(state):
        done, _, flipped = state
        return (done < steps) & ~flipped

    def move(state):
        done, eta, _ = state
        eta = eta + step(z + stretch * eta, y)
        return done + 1, eta, _class(logits, params, z + stretch * eta, seen) != y

    _, eta, flipped = jax.lax.while_loop(going, move, (jnp.int32(0), jnp.zeros_like(z), jnp.bool_(False)))
    size = jnp.abs(eta).max()
    length = size * jnp.sqrt(((eta / jnp.where(size > 0.0, size, jnp.float32(1.0))) ** 2).sum())
    return jnp.stack([length, flipped.astype(jnp.float32)])


def _deepfool_walks(logits, params, Z, steps, seen):
    import jax
    import jax.numpy as jnp

    def to_nearest(z, y):
        f, J = logits(params, z), jax.jacrev(lambda z: logits(params, z))(z)
        apart, gap = J - J[y], f[y] - f
        length = jnp.sqrt((apart * apart).sum(axis=1))
        reachable = seen & (length > 0.0)  # y itself is not: its difference is 0
        safe = jnp.where(reachable, length, jnp.float32(1.0))
        away = jnp.where(reachable, jnp.abs(gap) / safe, jnp.inf)
        c = away.argmin()
        least = jnp.float32(TIE) * (1.0 + jnp.abs(jnp.where(seen, f, jnp.float32(0.0))).max())
        rise = jnp.maximum(gap[c], least) / safe[c]
        return jnp.where(reachable.any(), rise * (apart[c] / safe[c]), jnp.float32(0.0))

    return jax.vmap(lambda z: _walk(logits, params, z, seen, steps, OVERSHOOT, to_nearest))(Z)


def _bim_walks(logits, params, Z, rate, steps, seen):
    import jax
    import jax.numpy as jnp

    def sign(z, y):
        return rate * jnp.sign(_uphill(logits, params, z, y, seen))

    return jax.vmap(lambda z: _walk(logits, params, z, seen, steps, 0.0, sign))(Z)


_directions = door(_all_directions, static=(0,), name="flip_directions")
_first_trial = door(_trials, static=(0,), name="flip_trials")
_deepfool = door(_deepfool_walks, static=(0,), name="deepfool")
_bim = door(_bim_walks, static=(0,), name="bim")
