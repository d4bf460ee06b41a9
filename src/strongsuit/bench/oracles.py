"""Oracles as laboratories have them: noisy, priced, failing and slow, and the same whatever the order of asking.

An oracle maps inputs u (n, d) to `Answers`. `Exact` wraps a simulator; every other oracle wraps an oracle, so that
they stack (two of one kind need two keys). What chance decides for a row is keyed by the row: by its number where
numbers are given, else by its content (the bytes of its float64 values). So it depends neither on the batch a row
comes in nor on what was asked before; rows of equal content share their noise unless they bear different numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.datasets.simulators.problems import Problem, simulate
from strongsuit.errors import InputError

Price = float | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Answers:
    """What came back of n rows: y (n, k), NaN where it failed; cost and delay (n,); a reason, '' where it worked."""

    y: np.ndarray
    cost: np.ndarray
    delay: np.ndarray
    reason: tuple[str, ...]

    @property
    def failed(self) -> np.ndarray:
        """True (n,) where there is a reason instead of an answer."""
        return np.array([bool(one) for one in self.reason], dtype=bool)


class Oracle(Protocol):
    """Answers to u (n, d); `rows` are n distinct numbers to key chance by, content keys it without them."""

    def __call__(self, u: np.ndarray, rows: Sequence[int] | None = None) -> Answers: ...


@dataclass(frozen=True)
class Exact:
    """The simulator itself: every row costs 1, at once."""

    problem: Problem

    def __call__(self, u: np.ndarray, rows: Sequence[int] | None = None) -> Answers:
        """Answers without noise, InputError for inputs that the problem refuses."""
        y = simulate(self.problem, u)
        return Answers(y, np.ones(len(y)), np.zeros(len(y)), ("",) * len(y))


@dataclass(frozen=True)
class Noisy:
    """Gaussian label noise of one standard deviation `sd` on every output."""

    oracle: Oracle
    key: Key
    sd: float

    def __call__(self, u: np.ndarray, rows: Sequence[int] | None = None) -> Answers:
        """The oracle's answers with noise added; failures stay NaN."""
        answers = self.oracle(u, rows)
        noise = [rng.standard_normal(answers.y.shape[1]) for rng in _chances(key_for(self.key, "noise"), u, rows)]
        return replace(answers, y=answers.y + self.sd * np.reshape(noise, answers.y.shape))


@dataclass(frozen=True)
class Priced:
    """A price per row, failed or not: one number, or a function of u (n, d) that gives (n,)."""

    oracle: Oracle
    price: Price

    def __call__(self, u: np.ndarray, rows: Sequence[int] | None = None) -> Answers:
        """The oracle's answers at these costs."""
        price = self.price(np.asarray(u, float)) if callable(self.price) else self.price
        return replace(self.oracle(u, rows), cost=np.broadcast_to(np.asarray(price, float), (len(u),)).copy())


@dataclass(frozen=True)
class Failing:
    """Rows that fail for good with probability `share`: y becomes NaN, the reason says so."""

    oracle: Oracle
    key: Key
    share: float
    reason: str = "simulation failed"

    def __call__(self, u: np.ndarray, rows: Sequence[int] | None = None) -> Answers:
        """The oracle's answers less those that fail; a reason given before stays."""
        answers = self.oracle(u, rows)
        fails = [rng.random() < self.share for rng in _chances(key_for(self.key, "failure"), u, rows)]
        reason = tuple(old or (self.reason if new else "") for old, new in zip(answers.reason, fails, strict=True))
        failed = replace(answers, reason=reason)
        return replace(failed, y=np.where(failed.failed[:, None], np.nan, answers.y))


@dataclass(frozen=True)
class Delayed:
    """Answers that take their time: exponential with this mean under a key, exactly the mean without one."""

    oracle: Oracle
    mean: float
    key: Key | None = None

    def __call__(self, u: np.ndarray, rows: Sequence[int] | None = None) -> Answers:
        """The oracle's answers, later: delays add up over the oracles they pass, in the caller's unit of time."""
        answers = self.oracle(u, rows)
        if self.key is None:
            return replace(answers, delay=answers.delay + self.mean)
        waits = [rng.exponential(self.mean) for rng in _chances(key_for(self.key, "delay"), u, rows)]
        return replace(answers, delay=answers.delay + np.array(waits, float))


def oracle_for(
    key: Key, problem: Problem, *, noise: float = 0.0, price: Price = 1.0, failures: float = 0.0, delay: float = 0.0
) -> Oracle:
    """The problem's oracle with label noise, a price per row, random failures and exponential delays.

    `noise` is a standard deviation over the root of the problem's variance; `failures` a probability per row;
    `delay` a mean. Chance differs between problems under one key. Raises InputError for values out of range.
    """
    for name, value in (("noise", noise), ("delay", delay)):
        if not (np.isfinite(value) and value >= 0):
            raise InputError(f"{name} must be 0 or a positive number, got {value!r}")
    if not 0.0 <= failures <= 1.0:
        raise InputError(f"failures must be a probability from 0 to 1, got {failures!r}")
    own = key_for(key, "oracle", problem.name)
    oracle: Oracle = Exact(problem)
    if noise:
        oracle = Noisy(oracle, own, noise * problem.variance**0.5)
    if callable(price) or price != 1.0:
        oracle = Priced(oracle, price)
    if failures:
        oracle = Failing(oracle, own, failures)
    return Delayed(oracle, delay, own) if delay else oracle


def _chances(key: Key, u: np.ndarray, rows: Sequence[int] | None) -> Iterator[np.random.Generator]:
    """A generator for each row, named by its number or its content."""
    if rows is not None and len(rows) != len(u):
        raise InputError(f"rows must name each of the {len(u)} rows of u, got {len(rows)} numbers")
    # Adding 0.0 makes -0.0 equal to 0.0 in bytes too.
    names = [row.tobytes().hex() for row in np.asarray(u, float) + 0.0] if rows is None else [int(row) for row in rows]
    return (key_for(key, name).numpy() for name in names)
