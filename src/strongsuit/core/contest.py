"""Epochs of a competition among equal models: all bid for all rows, and who bids best for a row trains on it.

Compiled learners run all epochs of a call in one program: no array leaves it, a model gathers and trains on its
own rows only, and spare slots let models come and go without compiling anew. The others are looped over on the
host, by the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from strongsuit.core.arrays import bucket, pad_rows
from strongsuit.core.compile import door, over_members
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import can_refine, fit_one, join, pick, predict_many, refine_one, shell_of

SLOTS = 8  # models a compiled contest has room for; more come in further eights
FEWEST_OWNED = 2  # rows below which a model skips its pass
SMALLEST = 512  # rows of the smallest compiled buffer
MOST_EPOCHS = 64  # epochs a compiled call has room to report
BID_ROWS = 1024  # rows of a forward pass: activations then stay in the second-level cache


@dataclass(frozen=True)
class Calm:
    """When a contest rests: after `patience` epochs in which fewer than the share `below` of the rows changed
    hands; `count` such epochs have gone before."""

    below: float
    patience: int
    count: int = 0


@dataclass(frozen=True)
class Contest:
    """Models after the epochs; owner (n,) of every row in the last; by epoch the share of rows that changed
    hands (t,), the mean least loss (t,) and the rows each model owned (t, m); how calm it has become."""

    models: list[Any]
    owner: np.ndarray
    changed: np.ndarray
    loss: np.ndarray
    sizes: np.ndarray
    calm: Calm

    @property
    def rests(self) -> bool:
        """True once it has been calm for long enough."""
        return self.calm.count >= self.calm.patience


def contest(
    key: Key,
    learner: Any,
    models: list[Any],
    X: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    *,
    omega: np.ndarray,
    owner: np.ndarray,
    epochs: int,
    calm: Calm,
) -> Contest:
    """At most `epochs` (up to MOST_EPOCHS) epochs among the models (parameters of one learner) for rows X (n, d),
    y (n, k), w (n,).

    A bid is the squared error of a row summed over outputs with weights omega (k,); one that is not finite
    never wins, ties go to the lowest number. `owner` (n,) says who owned the rows before, -1 for nobody.
    """  # fmt: skip
    run = _compiled if learner.traceable and can_refine(learner) else _looped
    return run(key, learner, models, X, y, w, omega, owner, epochs, calm)


def bids(learner: Any, models: list[Any], X: np.ndarray, y: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """Loss (n, m) of every model on every row; what is not finite counts as infinite."""
    mean = predict_many(learner, _slots(models) if learner.traceable else models, X).mean[: len(models)]
    losses = (((y[None] - mean) ** 2) @ omega).T
    return np.where(np.isfinite(losses), losses, np.inf)


def _looped(key, learner, models, X, y, w, omega, owner, epochs, calm) -> Contest:
    models, history, count = list(models), [], calm.count
    for epoch in range(epochs):
        losses = bids(learner, models, X, y, omega)
        before, owner = owner, losses.argmin(1)
        for k, model in enumerate(models):
            own = owner == k
            if own.sum() < FEWEST_OWNED:
                continue
            again = key_for(key, epoch, k)
            if can_refine(learner):
                models[k] = refine_one(learner, again, model, X[own], y[own], w[own])
            else:
                models[k] = fit_one(learner, again, X[own], y[own], w[own])
        changed = float(np.mean(before != owner))
        sizes = np.bincount(owner, minlength=len(models))
        history.append((changed, float(np.average(losses.min(1), weights=w)), sizes))
        count = count + 1 if changed < calm.below else 0
        if count >= calm.patience:
            break
    changed, loss, sizes = (np.array(column) for column in zip(*history, strict=True))
    return Contest(models, owner, changed, loss, sizes, Calm(calm.below, calm.patience, count))


def _compiled(key, learner, models, X, y, w, omega, owner, epochs, calm) -> Contest:
    n, m = X.shape[0], len(models)
    size = bucket(n, smallest=SMALLEST)
    shell, settings = shell_of(learner)
    stacked = _slots(models)
    alive = np.arange(m + -m % SLOTS) < m
    rows = [pad_rows(np.asarray(array, np.float32), size) for array in (X, y, w)]
    before = pad_rows(np.asarray(owner, np.int32), size)
    limits = (np.int32(epochs), np.float32(calm.below), np.int32(calm.patience), np.int32(calm.count))
    word = np.array(key.words, np.uint32)
    found = _epochs(
        shell, settings, word, stacked, *rows, np.asarray(omega, np.float32), alive, before, np.int32(n), limits
    )
    done, stacked, owner, count, (changed, loss, sizes) = found
    done = int(done)
    return Contest(
        [pick(stacked, k) for k in range(m)],
        np.asarray(owner)[:n].astype(int),
        np.asarray(changed)[:done],
        np.asarray(loss)[:done],
        np.asarray(sizes)[:done, :m],
        Calm(calm.below, calm.patience, int(count)),
    )


def _slots(models: list[Any]) -> Any:
    """The models stacked; spare slots repeat the first one and own nothing."""
    return join([*models, *models[:1] * (-len(models) % SLOTS)])


def _run(learner, settings, word, params, X, y, w, omega, alive, owner, n, limits):
    import jax
    import jax.numpy as jnp

    learner = replace(learner, **settings)
    base = jax.random.wrap_key_data(word, impl="threefry2x32")
    m, c = alive.shape[0], X.shape[0]
    exists = jnp.arange(c) < n
    most, below, patience, count = limits
    split = max(1, c // BID_ROWS)
    blocks = (X.reshape(split, c // split, -1), y.reshape(split, c // split, -1))

    def losses(params):
        def bid(model):
            def block(rows):
                return ((learner.predict(model, rows[0]).mean - rows[1]) ** 2) @ omega

            return jax.lax.map(block, blocks).reshape(c)

        def one(model, lives):  # spare slots cost no forward pass
            return jax.lax.cond(lives, bid, lambda model: jnp.full(c, jnp.inf), model)

        found = over_members(one)(params, alive)
        return jnp.where(jnp.isfinite(found), found, jnp.inf)

    def epoch(carry):
        done, params, before, count, (changed, least, sizes) = carry
        bid = losses(params)
        owner = bid.argmin(0).astype(jnp.int32)
        salt = jax.random.fold_in(base, done)

        def one(k, model):
            own = exists & (owner == k)

            def trained(model):
                return learner.refine(jax.random.fold_in(salt, k), model, X, y, jnp.where(own, w, 0.0))

            return jax.lax.cond(own.sum() >= FEWEST_OWNED, trained, lambda model: model, model), own.sum()

        params, owned = over_members(one)(jnp.arange(m), params)
        moved = (exists & (owner != before)).sum() / n
        weight = jnp.where(exists, w, 0.0)
        loss = jnp.sum(jnp.where(exists, bid.min(0), 0.0) * weight) / weight.sum()
        record = (changed.at[done].set(moved), least.at[done].set(loss), sizes.at[done].set(owned))
        return done + 1, params, owner, jnp.where(moved < below, count + 1, 0), record

    def going(carry):
        return (carry[0] < most) & (carry[3] < patience)

    record = (jnp.zeros(MOST_EPOCHS), jnp.zeros(MOST_EPOCHS), jnp.zeros((MOST_EPOCHS, m), jnp.int32))
    return jax.lax.while_loop(going, epoch, (jnp.int32(0), params, owner, count, record))


_epochs = door(_run, static=(0,), name="contest")
