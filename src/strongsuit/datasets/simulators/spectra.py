"""Two oracles of wave physics: STACK, light through a stack of layers, and ADM-L, coupled resonators at one port.

STACK is the closed form of the simulator in Ren et al. (arXiv 2201.12632; Chen et al. 2019), by transfer matrices
(Macleod, Thin-Film Optical Filters, chapter 2). ADM-L is ours (coupled-mode theory, Haus 1984): it stands in for
the neural simulator ADM, whose weights are not at hand, and must never be reported under that name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ROWS = 2048  # computed at once: some 20 complex (rows, channels) arrays are alive

VACUUM_IMPEDANCE = 376.730313  # ohm
GLASS, AIR = 1.46 / VACUUM_IMPEDANCE, 1.0 / VACUUM_IMPEDANCE  # admittances before and behind the stack
WAVELENGTHS = 1120.0 + 880.0 * np.cos(np.pi * (255 - np.arange(256)) / 255)  # nm
NITRIDE = 2.0  # refractive index
# The authors' table of graphene starts above 2,000 nm, so that its first value holds at every wavelength here.
GRAPHENE, GRAPHENE_THICKNESS = 3.306459758 + 3.152632723j, 0.35  # index; nm

RESONANCES = np.array([0.8, 1.0, 1.2, 1.4])  # of the four ellipses, unperturbed
CENTRES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
RADIATED, ABSORBED, COUPLED = 0.1, 0.1, 0.03  # squared port coupling, loss rate, coupling of neighbours
FIRST_FREQUENCY, BAND = 0.5, 1.5
ADM_CHANNELS = 200  # 2,000 in the problem that ADM-L stands in for


def stack(u: np.ndarray) -> np.ndarray:
    """STACK, absorption (n, 256) at `WAVELENGTHS` of five nitride layers on graphene, of u (n, 5).

    Layer i is 22.5 u_i + 27.5 nm thick; light comes from glass at normal incidence and leaves into air.
    """
    return _by_rows(_stack, u, len(WAVELENGTHS))


def adm_l(u: np.ndarray, *, k: int = ADM_CHANNELS) -> np.ndarray:
    """ADM-L, absorption (n, k) at k frequencies from 0.5 to 2, of u (n, 14): height, period and four ellipses.

    An ellipse has two half axes and an angle. All are coupled to each other and to one port.
    """
    return _by_rows(lambda rows: _adm_l(rows, k), u, k)


def _by_rows(function: Callable[[np.ndarray], np.ndarray], u: np.ndarray, k: int) -> np.ndarray:
    y = np.empty((len(u), k))
    for first in range(0, len(u), _ROWS):
        y[first : first + _ROWS] = function(u[first : first + _ROWS])
    return y


def _stack(u: np.ndarray) -> np.ndarray:
    """The transfer matrices applied to what leaves the stack, from the last layer to the first."""
    thickness = 22.5 * u + 27.5
    electric, magnetic = np.ones(len(WAVELENGTHS), complex), np.full(len(WAVELENGTHS), AIR, complex)
    for layer in reversed(range(u.shape[1])):
        electric, magnetic = _through(NITRIDE, thickness[:, [layer]], electric, magnetic)
        electric, magnetic = _through(GRAPHENE, GRAPHENE_THICKNESS, electric, magnetic)
    net = (electric * magnetic.conj()).real - AIR
    return 4.0 * GLASS * net / np.abs(GLASS * electric + magnetic) ** 2


def _through(
    index: complex, thickness: np.ndarray | float, electric: np.ndarray, magnetic: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The fields before a layer from those behind it: its 2 x 2 characteristic matrix applied."""
    phase = -2.0 * np.pi * index * thickness / WAVELENGTHS
    admittance, cos, sin = index / VACUUM_IMPEDANCE, np.cos(phase), np.sin(phase)
    return cos * electric + 1j / admittance * sin * magnetic, 1j * admittance * sin * electric + cos * magnetic


def _adm_l(u: np.ndarray, k: int) -> np.ndarray:
    height, period = 1.0 + 0.2 * u[:, [0]], 1.0 + 0.2 * u[:, [1]]
    a, b, angle = 1.0 + 0.15 * u[:, 2::3], 1.0 + 0.15 * u[:, 3::3], np.pi / 4 * u[:, 4::3]
    radius = a * b / np.sqrt((b * np.cos(angle)) ** 2 + (a * np.sin(angle)) ** 2)
    H = _coupling(angle, period)
    H[:, range(4), range(4)] = RESONANCES / (radius * np.sqrt(height))
    frequency, modes = np.linalg.eigh(H)
    port = np.sqrt(RADIATED) * a * b * height / period
    weight = np.einsum("nrl,nr->nl", modes, port) ** 2
    return _absorption(frequency, weight, ABSORBED * height / period, k)


def _coupling(angle: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Couplings (n, 4, 4) that fall with the third power of the distance; the diagonal is left to the caller."""
    distance = np.linalg.norm(CENTRES[:, None] - CENTRES[None], axis=2) + np.eye(4)
    return COUPLED * np.cos(angle[:, :, None] - angle[:, None]) / (distance * period[:, :, None]) ** 3


def _absorption(frequency: np.ndarray, weight: np.ndarray, loss: np.ndarray, k: int) -> np.ndarray:
    """1 - |reflection|^2 (n, k) of resonators at `frequency` (n, 4), coupled to the port by `weight` (n, 4)."""
    probe = FIRST_FREQUENCY + BAND * np.arange(k) / (k - 1)
    response = np.zeros((len(frequency), k), complex)
    for mode in range(frequency.shape[1]):
        response += weight[:, [mode]] / (loss / 2 + 1j * (probe - frequency[:, [mode]]))
    return 1.0 - np.abs((1.0 - response / 2) / (1.0 + response / 2)) ** 2
