"""Four oracles in closed form: SINE, ROBO, BESS and DAMP.

SINE and ROBO are those of Ren et al. (arXiv 2201.12632). BESS and DAMP stand in for the problems of these names
in arXiv 2302.00098, whose ranges are not published: our ranges are said with each.
"""

from __future__ import annotations

import numpy as np

from strongsuit.errors import InputError

LINK_LENGTHS = np.array([0.5, 0.5, 1.0])  # of ROBO's arm
LAST_ORDER = 9  # of BESS with whole orders: u_1 = 1 would be a tenth step of measure zero
DAMP_TIMES = 10.0 * np.arange(100) / 99  # s
ORDERS = ("real", "integer")


def sine(u: np.ndarray) -> np.ndarray:
    """SINE, y (n, 1) = u sin(3 sin(30 u)) of u (n, 1)."""
    return u * np.sin(3.0 * np.sin(30.0 * u))


def robo(u: np.ndarray) -> np.ndarray:
    """ROBO, the hand (n, 2) of an arm on a rail, of u (n, 4): the place on the rail and three angles.

    Angles are not cumulative; the first output ignores the first input, the second holds most of the variance.
    """
    angles = np.pi / 2 * u[:, 1:]
    along = (LINK_LENGTHS * np.cos(angles)).sum(axis=1)
    across = u[:, 0] + (LINK_LENGTHS * np.sin(angles)).sum(axis=1)
    return np.column_stack([along, across])


def bess(u: np.ndarray, *, order: str = "real") -> np.ndarray:
    """BESS, the Bessel function of the first kind J_v(x) (n, 1), of u (n, 2): v = 5(u_1 + 1), x = 5(u_2 + 1).

    With order="integer" v is rounded down, a staircase in the first input. Raises InputError for another order.
    """
    from scipy.special import jv

    if order not in ORDERS:
        raise InputError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
    v, x = 5.0 * (u[:, 0] + 1.0), 5.0 * (u[:, 1] + 1.0)
    if order == "integer":
        v = np.minimum(np.floor(v), LAST_ORDER)
    return jv(v, x)[:, None]


def damp(u: np.ndarray) -> np.ndarray:
    """DAMP, a damped swing released at rest, (n, 100) over 10 s, of u (n, 3): amplitude, damping, frequency.

    Amplitude u_1, damping ratio 0.05 to 0.5, natural frequency 1 to 6 rad/s.
    """
    amplitude = u[:, [0]]
    ratio = 0.05 + 0.225 * (u[:, [1]] + 1.0)
    frequency = 1.0 + 2.5 * (u[:, [2]] + 1.0)
    damped = frequency * np.sqrt(1.0 - ratio**2)
    decay, phase = ratio * frequency, damped * DAMP_TIMES
    return amplitude * np.exp(-decay * DAMP_TIMES) * (np.cos(phase) + decay / damped * np.sin(phase))
