"""Compression of a porous polymer by incremental elasto-plasticity: readings labelled by the internal state.

Every row is one reading of one virtual specimen: rate-independent one-dimensional plasticity, integrated over
the strain with the classical return mapping (Simo and Hughes, Computational Inelasticity, 1998, chapter 1).
Stiffness, collapse stress and the onset of densification follow the scaling laws for open cells of Gibson and
Ashby (Cellular Solids, 2nd ed., 1997, chapter 5); temperature and strain rate scale the solid's strength as
in Johnson and Cook (1983). Stresses are in MPa, compression is positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ELASTIC, PLATEAU, DENSIFICATION = 0, 1, 2

# A polystyrene-like solid: Young's modulus about 2.6 GPa, yield stress about 79 MPa.
SOLID_MODULUS = 2_600.0
SOLID_STRENGTH = 79.0
COLLAPSE_FACTOR = 0.3  # plastic collapse of open cells at 0.3 strength density^(3/2) (Gibson and Ashby)
HARDENING = 0.4  # growth of the collapse stress per unit of plastic strain: slightly rising plateaus
CONTACT_POROSITY = 1 - 1 / 1.4  # their densification strain, 1 - 1.4 density, in terms of open pores
LAST_POROSITY = 0.1  # the test stops when this share of the volume is still pores
ROOM_TEMPERATURE, GLASS_TRANSITION = 293.0, 373.0  # K
REFERENCE_RATE = 1e-3  # 1/s
RATE_SENSITIVITY = 0.03  # Johnson-Cook C, typical of glassy polymers
NOISE = 0.05  # MPa, the load cell
STEPS = 60  # strain increments; the backward Euler step is exact here, loading being monotone


@dataclass(frozen=True)
class Specimens:
    """Virtual specimens: initial porosity, temperature (K), strain rate (1/s) and final strain of each."""

    porosity: np.ndarray
    temperature: np.ndarray
    rate: np.ndarray
    strain: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """The initial relative density, 1 - porosity."""
        return 1.0 - self.porosity

    @property
    def modulus(self) -> np.ndarray:
        """Young's modulus, solid modulus x density^2 (open cells bend)."""
        return SOLID_MODULUS * self.density**2

    @property
    def strength(self) -> np.ndarray:
        """The solid's yield stress at this temperature and rate."""
        softening = (self.temperature - ROOM_TEMPERATURE) / (GLASS_TRANSITION - ROOM_TEMPERATURE)
        return SOLID_STRENGTH * (1 + RATE_SENSITIVITY * np.log(self.rate / REFERENCE_RATE)) * (1 - softening)


def draw_specimens(rng: np.random.Generator, rows: int) -> Specimens:
    """Random specimens, read where test machines record most: at the start, over the test, near its end."""
    porosity = rng.uniform(0.6, 0.85, rows)
    last = 1 - (1 - porosity) / (1 - LAST_POROSITY)
    part = rng.integers(3, size=rows)
    low = np.choose(part, [0.0, 0.0, 0.8]) * last
    high = np.choose(part, [0.06, 1.0, 1.0]) * last
    return Specimens(
        porosity=porosity,
        temperature=rng.uniform(270.0, 330.0, rows),
        rate=10.0 ** rng.uniform(-4.0, 1.0, rows),
        strain=rng.uniform(low, high),
    )


def compress(specimens: Specimens) -> tuple[np.ndarray, np.ndarray]:
    """(n,) stress in MPa at the final strain, and the (n,) regime told by the internal state there."""
    plastic = np.zeros_like(specimens.strain)
    for step in range(1, STEPS + 1):
        plastic = return_map(specimens, specimens.strain * (step / STEPS), plastic)
    closing = open_pores(specimens, plastic) < CONTACT_POROSITY
    regime = np.where(plastic <= 0, ELASTIC, np.where(closing, DENSIFICATION, PLATEAU))
    return specimens.modulus * (specimens.strain - plastic), regime


def open_pores(specimens: Specimens, plastic: np.ndarray) -> np.ndarray:
    """The pore share of the volume: the solid keeps its volume and the specimen its width."""
    return 1 - specimens.density / (1 - plastic)


def flow_stress(specimens: Specimens, plastic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The yield stress after some plastic strain, and its slope: collapse, hardening, and closing pores."""
    collapse = COLLAPSE_FACTOR * specimens.strength * specimens.density**1.5
    closed = np.maximum(0.0, 1 - open_pores(specimens, plastic) / CONTACT_POROSITY)
    closed_slope = np.where(closed > 0, specimens.density / (1 - plastic) ** 2 / CONTACT_POROSITY, 0.0)
    stress = collapse * (1 + HARDENING * plastic) + specimens.strength * closed**2
    return stress, collapse * HARDENING + specimens.strength * 2 * closed * closed_slope


def return_map(specimens: Specimens, strain: np.ndarray, plastic: np.ndarray) -> np.ndarray:
    """The plastic strain after loading to `strain`: elastic trial, then Newton back to the yield surface."""
    new = plastic.copy()
    trial = specimens.modulus * (strain - plastic) > flow_stress(specimens, plastic)[0]
    for _ in range(50):  # convex and monotone in the plastic strain: a handful of steps from below
        stress, slope = flow_stress(specimens, new)
        overstress = np.where(trial, specimens.modulus * (strain - new) - stress, 0.0)
        if np.max(np.abs(overstress), initial=0.0) < 1e-10 * SOLID_STRENGTH:
            break
        new = np.minimum(new + overstress / (specimens.modulus + slope), strain)
    return new
