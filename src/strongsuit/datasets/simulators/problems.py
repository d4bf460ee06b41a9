"""The table of benchmark problems: an oracle, its size and the network its published students use."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from strongsuit.datasets.simulators.closed_forms import bess, damp, robo, sine
from strongsuit.datasets.simulators.forests import foil, hydr
from strongsuit.datasets.simulators.spectra import ADM_CHANNELS, adm_l, stack
from strongsuit.errors import InputError

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Problem:
    """An oracle u (n, d) in [-1, 1] -> y (n, k), and the students measured on it.

    `variance` is the mean over outputs of the variance of y under uniform inputs: the error of predicting the mean.
    `widths` are the hidden layers of a student, trained by Adam at `rate` with an L2 penalty `l2` shared by
    `members` of a committee. `cutoff` is the published mean squared error of the data burden; None: take the error
    of the repetition's random run at 1,080 labels. `stand_in` marks oracles that are ours.
    """

    name: str
    d: int
    k: int
    function: Function
    variance: float
    widths: tuple[int, ...]
    rate: float
    l2: float
    members: int
    cutoff: float | None
    stand_in: bool
    words: str


def find_problem(name: str) -> Problem:
    """The problem of that name, in capitals or not; InputError with the names there are for another."""
    found = PROBLEMS.get(name.upper())
    if found is not None:
        return found
    close = difflib.get_close_matches(name.upper(), PROBLEMS, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(f"no benchmark problem is called {name!r}{guess}; there are {', '.join(PROBLEMS)}")


def simulate(problem: Problem, u: np.ndarray) -> np.ndarray:
    """The oracle's y (n, k), float64, of u (n, d) after a look at u.

    Raises InputError for another shape or for values outside [-1, 1]; StoreError where a forest is absent.
    """
    u = np.asarray(u, float)
    if u.ndim != 2 or u.shape[1] != problem.d:
        raise InputError(f"{problem.name} takes u of shape (n, {problem.d}), got {u.shape}")
    if not np.all(np.abs(u) <= 1.0):  # NaN fails too
        raise InputError(f"{problem.name} takes inputs from -1 to 1: scale the box to them first")
    return problem.function(u)


def _problem(
    name: str, size: tuple[int, int], function: Function, variance: float, widths: tuple[int, ...], words: str,
    *, rate: float = 1e-3, l2: float = 1e-4, members: int = 10, cutoff: float | None = None,
) -> Problem:  # fmt: skip
    """The row of the table; most students train at 1e-3 with L2 1e-4, ten to a committee."""
    return Problem(name, *size, function, variance, widths, rate, l2, members, cutoff, cutoff is None, words)


# Widths, rates, L2 and cutoffs of SINE, ROBO, STACK, FOIL and HYDR: the public code of arXiv 2201.12632. Those of the
# stand-ins are ours. Variances: scrambled Sobol points, 2^15 (spectra) to 2^17, two scramblings equal to three digits.
PROBLEMS: dict[str, Problem] = {
    row.name: row
    for row in (
        _problem(
            "SINE", (1, 1), sine, 0.1393, (20,) * 9, "a fast wave under a slow one", rate=1e-4, l2=0.0, cutoff=3e-4
        ),
        _problem("ROBO", (4, 2), robo, 0.6127, (500,) * 4, "the hand of an arm of three links on a rail", cutoff=1e-4),
        _problem(
            "STACK", (5, 256), stack, 0.0005745, (700,) * 9, "absorption of five nitride layers on graphene",
            l2=0.0, cutoff=2e-5,
        ),
        _problem(
            "ADM-L", (14, ADM_CHANNELS), adm_l, 0.03497, (500,) * 4, "absorption of four coupled resonators",
            l2=0.0, members=5,
        ),
        _problem("FOIL", (5, 1), foil, 0.0940, (200,) * 4, "airfoil self-noise, a stored forest", cutoff=3e-3),
        _problem("HYDR", (6, 1), hydr, 0.1740, (50,) * 6, "resistance of a yacht, a stored forest", cutoff=7e-3),
        _problem("BESS", (2, 1), bess, 0.03906, (50,) * 6, "Bessel functions over order and argument"),
        _problem("DAMP", (3, 100), damp, 0.01969, (500,) * 6, "a damped swing over time"),
    )
}  # fmt: skip
