"""Tables with known regimes, drawn from exact laws: what recovery and refusal are measured on.

Each generator is a row of `GENERATORS`; command-line choices, tests and documentation read that table. Where
nothing else is said a law is our own stand-in for data of its kind, not taken from a publication.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from strongsuit.core.keys import key_for, root_key
from strongsuit.datasets import porous
from strongsuit.errors import InputError

Columns = dict[str, np.ndarray]
Draw = Callable[[np.random.Generator, int], tuple[Columns, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Generator:
    """A law: `noise_floor` is the least mean squared error any model of the features can reach."""

    name: str
    law: str
    regimes: int  # that a perfect search finds; 1 where one model is right
    noise_floor: float
    draw: Draw


@dataclass(frozen=True)
class Generated:
    """A drawn table: `X` features, `y` (n,) target, `regime` (n,) true labels from 0."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    regime: np.ndarray
    noise_floor: float
    expected_regimes: int

    def to_frame(self) -> pd.DataFrame:
        """The features, the target in `y` and the true regime in `regime`."""
        return self.X.assign(y=self.y, regime=self.regime)


def generate(name: str, *, rows: int, seed: int) -> Generated:
    """A table of the named law; the same for the same seed.

    Raises InputError for an unknown name or fewer than one row.

    Examples
    --------
    >>> table = generate("wave_climb", rows=4, seed=0)
    >>> list(table.to_frame().columns), table.expected_regimes
    (['x', 'y', 'regime'], 2)
    """
    if name not in GENERATORS:
        close = difflib.get_close_matches(name, GENERATORS, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(f"no generator is called {name!r}{guess}; there are {', '.join(GENERATORS)}")
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise InputError(f"rows must be a whole number of at least 1, got {rows!r}")
    row = GENERATORS[name]
    X, y, regime = row.draw(key_for(root_key(seed), "generate", row.name).numpy(), int(rows))
    return Generated(name, pd.DataFrame(X), y, regime.astype(np.int64), row.noise_floor, row.regimes)


def _one(rows: int) -> np.ndarray:
    return np.zeros(rows, dtype=np.int64)


def _named(prefix: str, X: np.ndarray) -> Columns:
    return {f"{prefix}{j + 1}": X[:, j] for j in range(X.shape[1])}


def _anomaly_crest(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(0, 1, rows)
    crest = np.abs(x - 0.5) <= 0.1
    y = 0.25 * x + crest * 0.8 * np.cos(np.pi * (x - 0.5) / 0.2) ** 2
    return {"x": x}, y + rng.normal(0, 0.01, rows), crest


def _wave_climb(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(0, 2, rows)
    climb = x >= 1
    y = np.where(climb, 1.5 * (x - 1), 0.3 * np.sin(6 * np.pi * x))
    return {"x": x}, y + rng.normal(0, 0.01, rows), climb


def _foam_stress_strain(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    e = rng.uniform(0, 0.75, rows)
    s = np.where(e < 0.05, e, 0.05 + 0.02 * (e - 0.05))
    s = s + np.where(e > 0.5, 0.6 * ((e - 0.5) / 0.25) ** 3, 0.0)
    return {"strain": e}, s + rng.normal(0, 0.002, rows), (e >= 0.05).astype(int) + (e > 0.5)


def _pw_planes(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    a = rng.integers(-1, 2, size=(rows, 10)).astype(float)
    a[:, 0] = rng.choice([-1.0, 1.0], rows)
    left = 3 + 3 * a[:, 1] + 2 * a[:, 2] + a[:, 4]
    right = -3 + 3 * a[:, 4] + 2 * a[:, 5] + a[:, 6]
    y = np.where(a[:, 0] < 0, left, right) + rng.normal(0, np.sqrt(2), rows)
    return _named("a", a), y, a[:, 0] > 0


def _xor_planes(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(-1, 1, (rows, 4))
    same = x[:, 0] * x[:, 1] > 0
    y = np.where(same, 2 * x[:, 2], -2 * x[:, 2])
    return _named("x", x), y + rng.normal(0, 0.1, rows), same


def _level_laws(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    c = rng.choice(list("ABCDEF"), rows).astype(object)
    x = rng.uniform(-1, 1, rows)
    rising = np.isin(c.astype(str), ["A", "C", "D"])
    y = np.where(rising, 1 + x, -1 - 2 * x)
    return {"c": c, "x": x}, y + rng.normal(0, 0.1, rows), rising


def _rare_regime(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(0, 1, (rows, 3))
    rare = x[:, 2] > 0.97
    return _named("x", x), x[:, 0] + x[:, 1] + 5 * rare + rng.normal(0, 0.1, rows), rare


def _overlap(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(0, 1, rows)
    coin = rng.integers(2, size=rows)  # hidden: no function of x can tell the two lines apart
    return {"x": x}, x + coin + rng.normal(0, 0.05, rows), _one(rows)


def _one_pattern(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(0, 1, (rows, 2))
    y = np.sin(2 * np.pi * x[:, 0]) + x[:, 1] ** 2 + rng.normal(0, 0.1, rows)
    return _named("x", x), y, _one(rows)


def _linear_t3(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.normal(size=(rows, 5))
    return _named("x", x), x.sum(axis=1) + rng.standard_t(3, rows), _one(rows)


def _noise_only(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    return _named("x", rng.normal(size=(rows, 5))), rng.standard_t(3, rows), _one(rows)


def _two_noises(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    x = rng.uniform(0, 1, (rows, 2))
    return _named("x", x), x[:, 0] + rng.normal(0, np.where(x[:, 0] < 0.5, 0.05, 1.0)), _one(rows)


def _copies(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    X, y, _ = _one_pattern(rng, -(-rows // 3))
    source = rng.permutation(np.arange(rows) // 3)
    return {name: values[source] for name, values in X.items()}, y[source], _one(rows)


def _porous(rng: np.random.Generator, rows: int) -> tuple[Columns, np.ndarray, np.ndarray]:
    specimens = porous.draw_specimens(rng, rows)
    stress, regime = porous.compress(specimens)
    X = {
        "strain": specimens.strain,
        "porosity": specimens.porosity,
        "temperature_k": specimens.temperature,
        "log10_strain_rate": np.log10(specimens.rate),
    }
    return X, stress + rng.normal(0, porous.NOISE, rows), regime


_PLANES = "y = 3 + 3 a2 + 2 a3 + a5 if a1 = -1, -3 + 3 a5 + 2 a6 + a7 if a1 = 1; sd sqrt 2"
_CART = f"the law behind the table of that name (Breiman et al. 1984): {_PLANES}"
_CREST = "0.25 x, and a cosine crest within 0.1 of x = 0.5; sd 0.01"
_FOAM = "elastic below strain 0.05, then a plateau, cubic densification above 0.5; sd 0.002"
_POROUS = "simulated compression of a porous polymer, MPa: elastic, plateau, densification; sd 0.05"

# name, law, regimes, noise floor (the variance of Student's t with 3 degrees of freedom is 3), draw
GENERATORS: dict[str, Generator] = {
    row[0]: Generator(*row)
    for row in (
        ("anomaly_crest", _CREST, 2, 1e-4, _anomaly_crest),
        ("wave_climb", "0.3 sin(6 pi x) below x = 1, 1.5 (x - 1) above; sd 0.01", 2, 1e-4, _wave_climb),
        ("foam_stress_strain", _FOAM, 3, 4e-6, _foam_stress_strain),
        ("pw_planes", _PLANES, 2, 2.0, _pw_planes),
        ("pw_linear_cart", _CART, 2, 2.0, _pw_planes),
        ("xor_planes", "2 x3 if x1 x2 > 0 else -2 x3; sd 0.1", 2, 0.01, _xor_planes),
        ("level_laws", "1 + x for c in {A, C, D}, else -1 - 2 x; sd 0.1", 2, 0.01, _level_laws),
        ("rare_regime", "x1 + x2, plus 5 on the 3 % with x3 > 0.97; sd 0.1", 2, 0.01, _rare_regime),
        ("overlap", "x plus the toss of a hidden coin; sd 0.05", 1, 0.2525, _overlap),
        ("one_pattern", "sin(2 pi x1) + x2^2; sd 0.1", 1, 0.01, _one_pattern),
        ("linear_t3", "the sum of five features plus Student t with 3 degrees", 1, 3.0, _linear_t3),
        ("noise_only", "Student t with 3 degrees, whatever the features", 1, 3.0, _noise_only),
        ("two_noises", "x1; sd 0.05 for x1 < 0.5, else 1", 1, 0.50125, _two_noises),
        ("copies", "one_pattern, each row three times", 1, 0.01, _copies),
        ("porous_elastoplastic", _POROUS, 3, porous.NOISE**2, _porous),
    )
}
