"""A box of inputs: its bounds, a constraint, and points drawn from it at random or evenly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from strongsuit.core.keys import Key
from strongsuit.errors import InputError

FIRST_DRAW = 1024  # points tried before a constraint may be called hard to meet
TRIES = 64  # points tried for each one wanted, at most


@dataclass(frozen=True)
class Box:
    """All rows between `low` (d,) and `high` (d,) that meet `constraint`: a function of rows (n, d), in the box's own
    units, that gives n truth values. `names` (d,) name the columns, x0, x1, ... by default.

    Raises InputError for bounds that are not finite, of unequal number or not in order, and for names that repeat.
    """

    low: Sequence[float]
    high: Sequence[float]
    names: Sequence[str] = ()
    constraint: Callable[[np.ndarray], np.ndarray] | None = None

    def __post_init__(self) -> None:
        low, high = _bounds("low", self.low), _bounds("high", self.high)
        names = tuple(str(name) for name in self.names) or tuple(f"x{j}" for j in range(len(low)))
        if not len(low) == len(high) == len(names):
            sizes = f"{len(low)} low, {len(high)} high and {len(names)} names"
            raise InputError(f"a box needs as many low as high bounds and names, got {sizes}")
        if len(set(names)) != len(names):
            raise InputError(f"names of a box must differ, got {', '.join(names)}")
        for name, least, most in zip(names, low, high, strict=True):
            if not least < most:
                raise InputError(f"column {name!r} runs from {least} to {most}: low must be below high")
            if not np.isfinite(most - least):
                raise InputError(f"column {name!r} is too wide for floating point: {least} to {most}")
        for field, value in (("low", low), ("high", high), ("names", names)):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.low)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lows (d,) and highs (d,)."""
        return np.array(self.low), np.array(self.high)

    def rows(self, unit: np.ndarray) -> np.ndarray:
        """Rows (n, d) of the box from places (n, d) in the unit cube; rounding never leads outside."""
        low, high = self.bounds
        return np.clip(low + np.asarray(unit, float) * (high - low), low, high)

    def unit(self, X: np.ndarray) -> np.ndarray:
        """Places (n, d) in the unit cube of rows of the box."""
        low, high = self.bounds
        return (np.asarray(X, float) - low) / (high - low)

    def allows(self, X: np.ndarray) -> np.ndarray:
        """(n,) bool: whether rows meet the constraint. Raises InputError if it does not give a truth value a row."""
        if self.constraint is None:
            return np.ones(len(X), bool)
        found = np.asarray(self.constraint(X.copy()))  # a copy: what the user's function does to it is lost
        if found.shape != (len(X),) or found.dtype != bool:
            given = f"shape {found.shape}, type {found.dtype}"
            raise InputError(f"constraint must give one truth value a row, for {len(X)} rows; it gave {given}")
        return found


def draw(key: Key, box: Box, count: int) -> np.ndarray:
    """`count` independent rows, uniform over what the constraint allows; fewer where it allows next to nothing.

    The first rows of a longer draw are those of a shorter one with the same key.
    """
    random = key.numpy()
    return _kept(box, count, lambda size: random.random((size, len(box))))


def spread(key: Key, box: Box, count: int) -> np.ndarray:
    """`count` rows that fill the box evenly: scrambled Sobol points (Owen, 1998), each of them uniform.

    Points that the constraint refuses are passed over; fewer rows come where it allows next to nothing.
    """
    sequence = qmc.Sobol(len(box), scramble=True, rng=key.numpy())
    # Sobol points are even in powers of two: the first draw is one, and each later one doubles the whole.
    return _kept(box, count, lambda size: sequence.random_base2(size.bit_length() - 1), powers=True)


def _kept(box: Box, count: int, points: Callable[[int], np.ndarray], *, powers: bool = False) -> np.ndarray:
    """The first `count` allowed rows of a sequence of places, which is drawn in doubling pieces."""
    size = max(1, count if box.constraint is None else 2 * count)
    size = 1 << (size - 1).bit_length() if powers else size
    most = max(FIRST_DRAW, TRIES * count)
    found, allowed, tried = [np.empty((0, len(box)))], 0, 0
    while allowed < count and tried < most:
        X = box.rows(points(size))
        tried += len(X)
        found.append(X[box.allows(X)])
        allowed += len(found[-1])
        size = tried
    return np.concatenate(found)[:count]


def _bounds(name: str, values: Sequence[float]) -> tuple[float, ...]:
    try:
        numbers = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers, one a column, got {values!r}") from error
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InputError(f"{name} must be finite numbers, one a column and at least one, got {values!r}")
    return tuple(float(number) for number in numbers)
