"""Bilevel problems: how an outer loss changes with what an inner fit was given.

The inner problem is theta(m) = argmin inner(theta, m), the outer loss outer(theta(m), m); wanted is its gradient by m.

| function | inner problem | how |
| --- | --- | --- |
| `cross_fit` | any Learner | every row is answered by a model that did not see it |
| `influence` | solved; m weighs rows, and is zero | one factor of its Hessian |
| `implicit_gradient` | solved | conjugate gradients on products with its Hessian |
| `unrolled_gradient` | descended for some steps | backwards through the steps |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from strongsuit.core.compile import door
from strongsuit.core.keys import Key
from strongsuit.core.learner import fit_many, member_keys, predict_many

STEPS = 50  # of conjugate gradients at most, or of descent
ENOUGH = 1e-3  # residual of the linear system, relative to its right-hand side
INDEFINITE, SLOW, DIVERGED = "indefinite", "slow", "diverged"
Loss = Callable[..., Any]  # (params, m, *rows) -> a number


@dataclass(frozen=True)
class Hypergradient:
    """The gradient `value` of the outer loss, in the form of m. `residual` is what was left unsolved: of the linear
    system over its right-hand side, or of the inner gradient over that of the first step. `degraded` says why the value
    is not to be trusted: "indefinite" (no minimum: a direction without curvature was met), "slow" (the residual is too
    large), "diverged" (descent left the inner gradient larger than it was), or ""."""

    value: Any
    residual: float
    degraded: str = ""


def cross_fit(
    key: Key, learner: Any, X: np.ndarray, y: np.ndarray, w: np.ndarray, fold: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Parameters of a model for each fold, fitted to all other rows, and what each row's own says of it (n, k).

    X (n, d), y (n, k), weights w (n,), numbers of folds `fold` (n,) from 0. Rows of a negative number train every model
    and are answered by none: NaN.
    """
    count, rows = int(fold.max()) + 1, np.flatnonzero(fold >= 0)
    W = np.stack([np.where(fold != f, w, 0.0) for f in range(count)])
    params = fit_many(learner, member_keys(key, count), X, y, W)
    said = np.asarray(predict_many(learner, params, X).mean, float)
    found = np.full(said.shape[1:], np.nan)
    found[rows] = said[fold[rows], rows]
    return params, found


def influence(g: np.ndarray, hessian: np.ndarray, out_weights: np.ndarray) -> np.ndarray:
    """How fast (n,) the mean loss of the other rows falls as each row enters the inner fit, at weight zero.

    v_j = sum_i w_i g_i' H^-1 g_j / sum_i w_i over i != j (after Koh and Liang, 2017): gradients g (n, p) of the rows'
    losses by the parameters, the positive definite Hessian H (p, p) of the inner loss, and what each row counts in the
    outer one, `out_weights` (n,). Of k blocks of parameters with one Hessian each, all alike, g is (n, k, p).
    """
    weight = np.asarray(out_weights, float)
    factor = cho_factor(hessian, lower=True)
    solved = cho_solve(factor, g.reshape(-1, g.shape[-1]).T).T.reshape(g.shape)
    inner = tuple(range(1, g.ndim))
    towards_all = (solved * np.tensordot(weight, g, 1)).sum(inner)
    others = weight.sum() - weight
    return (towards_all - weight * (solved * g).sum(inner)) / np.where(others > 0.0, others, 1.0)


def implicit_gradient(
    inner: Loss,
    outer: Loss,
    params: Any,
    m: Any,
    rows: tuple[Any, ...] = (),
    *,
    steps: int = STEPS,
    enough: float = ENOUGH,
    damping: float = 0.0,
) -> Hypergradient:
    """The gradient by m of outer(theta(m), m), where `params` minimise inner(theta, m).

    d_m outer - (d2_{theta m} inner)' v with (H + damping I) v = d_theta outer, H the Hessian of `inner`: conjugate
    gradients until the residual is `enough`, at most `steps`. Both losses are functions (params, m, *rows) of a module:
    each pair is compiled once for every shape, `rows` are arrays that neither is differentiated by.
    """
    value, residual, bent = _implicit(inner, outer, params, m, tuple(rows), steps, enough, damping)
    degraded = INDEFINITE if bent else "" if residual <= enough else SLOW
    return Hypergradient(_host(value), float(residual), degraded)


def unrolled_gradient(
    inner: Loss,
    outer: Loss,
    params: Any,
    m: Any,
    rows: tuple[Any, ...] = (),
    *,
    rate: float,
    steps: int = STEPS,
    window: int | None = None,
) -> Hypergradient:
    """The gradient by m of outer(theta_S(m), m), where theta_S is where `steps` of descent at `rate` on inner(theta, m)
    come to from `params`.

    Backwards through the steps, or through the last `window` of them; only every sqrt(steps)-th is kept in memory, the
    others are computed again. As the steps grow it tends to `implicit_gradient`.
    """
    value, residual = _unrolled(inner, outer, steps, steps if window is None else window, params, m, tuple(rows), rate)
    return Hypergradient(_host(value), float(residual), "" if residual <= 1.0 else DIVERGED)


def _implicit_gradient(inner, outer, params, m, rows, steps, enough, damping):
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    theta, shaped = ravel_pytree(params)

    def slope(theta, m):
        return jax.grad(lambda t: inner(shaped(t), m, *rows))(theta)

    def bend(v):
        return jax.jvp(lambda t: slope(t, m), (theta,), (v,))[1] + damping * v

    by_theta, by_m = jax.grad(lambda t, m: outer(shaped(t), m, *rows), (0, 1))(theta, m)
    v, residual, bent = _solved(bend, by_theta, steps, enough)
    through = jax.grad(lambda m: jnp.vdot(slope(theta, m), v))(m)
    return jax.tree.map(jnp.subtract, by_m, through), residual, bent


def _solved(bend: Callable, b, steps, enough):
    """x of bend(x) = b, the residual over |b|, and whether a direction without curvature ended the search."""
    import jax.numpy as jnp
    from jax import lax

    whole = jnp.vdot(b, b)

    def goes_on(state):
        count, _, _, _, square, bent = state
        return (count < steps) & (square > enough**2 * whole) & ~bent

    def step(state):
        count, x, residual, along, square, _ = state
        change = bend(along)
        curve = jnp.vdot(along, change)
        bent = curve <= 0.0
        size = jnp.where(bent, 0.0, square / jnp.where(bent, 1.0, curve))
        residual = residual - size * change
        left = jnp.vdot(residual, residual)
        return count + 1, x + size * along, residual, residual + left / square * along, left, bent

    start = (0, jnp.zeros_like(b), b, b, whole, jnp.asarray(False))
    _, x, _, _, square, bent = lax.while_loop(goes_on, step, start)
    return x, jnp.sqrt(square / jnp.where(whole > 0.0, whole, 1.0)), bent


def _unrolled_gradient(inner, outer, steps, window, params, m, rows, rate):
    import jax
    import jax.numpy as jnp
    from jax import lax

    def slope(theta, m):
        return jax.grad(lambda t: inner(t, m, *rows))(theta)

    def down(theta, m, steps):
        def move(t, _):
            return jax.tree.map(lambda one, by: one - rate * by, t, slope(t, m)), None

        return lax.scan(move, theta, length=steps)[0]

    def descended(theta, m, steps):
        size = max(1, math.isqrt(steps))
        part = jax.checkpoint(lambda t, m: down(t, m, size))
        theta = lax.scan(lambda t, _: (part(t, m), None), theta, length=steps // size)[0]
        return down(theta, m, steps % size)

    def told(m):
        theta = descended(start, m, min(window, steps))
        return outer(theta, m, *rows), theta

    def length(tree):
        return jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree)))

    start = lax.stop_gradient(descended(params, m, steps - min(window, steps)))
    value, theta = jax.grad(told, has_aux=True)(m)
    first = length(slope(params, m))
    return value, length(slope(theta, m)) / jnp.where(first > 0.0, first, 1.0)


_implicit = door(_implicit_gradient, static=(0, 1), name="implicit_gradient")
_unrolled = door(_unrolled_gradient, static=(0, 1, 2, 3), name="unrolled_gradient")


def _host(tree: Any) -> Any:
    import jax

    return jax.tree.map(np.asarray, tree)
