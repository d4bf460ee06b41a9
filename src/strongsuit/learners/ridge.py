"""Ridge regression on a fixed basis; penalty and length-scale by marginal likelihood.

Coordinates are standardised with the rows that carry weight, so a model that owns a narrow strip of
the data sees that strip at full resolution. The marginal likelihood of Bayesian linear regression
(Bishop, Pattern Recognition and Machine Learning, section 3.5) picks the penalty from a grid: exact,
no held-out share, and no leave-one-out shortcut that would favour interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from strongsuit.core.keys import Key
from strongsuit.core.learner import Prediction
from strongsuit.core.marginal import Marginal
from strongsuit.core.sketches import sketch_columns

BASES = ("linear", "polynomial", "fourier")  # simplest first: ties go to the simpler
PENALTIES = np.logspace(-6.0, 3.0, 19)  # ratio of noise to prior variance, in standardised units
LINEAR_SCALE = 3.0  # prior sd of the linear columns against the curved ones: lines are believed first
REACH = 6.0  # curved bases are frozen beyond so many local standard deviations
PAIRS_UP_TO = 12  # features up to which the polynomial basis holds all pairwise products
CUBES_UP_TO = 2  # features up to which it holds cubes

Params = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Ridge:
    """Closed-form ridge on a linear, polynomial or random Fourier basis (Rahimi and Recht, 2007).

    `basis="auto"` takes the basis of largest marginal likelihood. The Fourier basis tries `octaves`
    length-scales, each half the one before, from `length` on, in units of sqrt(d) local standard
    deviations; `features` is the number of Fourier columns.
    """

    basis: str = "linear"
    features: int = 64
    length: float = 2.4
    octaves: int = 4
    traceable: ClassVar[bool] = False
    linear: ClassVar[bool] = True  # a ridge regression on `embed`

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Params:
        """Parameters fitted to the rows of X (n, d), y (n, k) with weight w (n,) above zero."""
        bases = BASES if self.basis == "auto" else (self.basis,)
        frequencies = _frequencies(key, X.shape[1], self.features)
        return _fit(bases, frequencies, self.length, self.octaves, X, y, w)

    def refine(self, key: Key, params: Params, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Params:
        """Parameters refitted at the basis and length-scale of `params`: the cheap pass of a competition."""
        return _fit((BASES[int(params["basis"])],), params["frequencies"], float(params["length"]), 1, X, y, w)

    def predict(self, params: Params, X: np.ndarray) -> Prediction:
        """Mean (n, k) and the noise variance of the fit."""
        mean = self.embed(params, X) @ params["coef"] + params["intercept"]
        return Prediction(mean, np.broadcast_to(params["noise"], mean.shape))

    def marginal(self, params: Params) -> Marginal:
        """The fit's terms of a marginal likelihood that several models share."""
        return Marginal(params["misfit"], float(params["dof"]), float(params["occam"]))

    def auxiliary(self, name: str) -> Any:
        """The network to train beside this model for estimates that it cannot give: that of an `MLP` with defaults."""
        from strongsuit.learners.mlp import MLP  # a learner on the host loads JAX only where it must

        return MLP().auxiliary(name)

    def embed(self, params: Params, X: np.ndarray) -> np.ndarray:
        """Basis columns (n, p)."""
        Z = (np.asarray(X, float) - params["center"]) / params["spread"]
        return _columns(BASES[int(params["basis"])], Z, params["frequencies"], float(params["length"]))

    def sketch(self, key: Key, params: Params, X: np.ndarray, width: int) -> np.ndarray:
        """Gradient features (n, width), float32: the basis columns, scaled as the prior believes in their coefficients,
        with a 1 appended. On the linear basis these are the standardised inputs and a 1."""
        P = self.embed(params, X)
        scale = _prior(P.shape[1], len(params["center"])) / LINEAR_SCALE
        return sketch_columns(key, np.hstack([P * scale, np.ones((len(P), 1))]), width)


def _fit(bases: tuple[str, ...], frequencies: np.ndarray, length: float, octaves: int, X, y, w) -> Params:
    rows = np.flatnonzero(w)
    X, y, w = np.asarray(X, float)[rows], np.asarray(y, float)[rows], np.asarray(w, float)[rows]
    if not len(rows):
        return _empty(frequencies, X, y)
    center, spread = _standard(X, w)
    Z = (X - center) / spread
    tried, designs = [], []
    for basis in bases:
        for s, P in _designs(basis, Z, frequencies, length, octaves):
            tried.append((basis, s))
            designs.append(P)
    fits = [_evidence(P, y, w, Z.shape[1]) for P in designs]
    best = int(np.argmax([fit[0] for fit in fits]))
    _, coef, intercept, misfit, dof, occam = fits[best]
    return {
        "basis": np.asarray(BASES.index(tried[best][0])),
        "center": center,
        "spread": spread,
        "frequencies": frequencies,
        "length": np.asarray(tried[best][1]),
        "coef": coef,
        "intercept": intercept,
        "noise": misfit / dof,
        "misfit": misfit,
        "dof": np.asarray(dof),
        "occam": np.asarray(occam),
    }


def _frequencies(key: Key, d: int, features: int) -> np.ndarray:
    return key.numpy().normal(size=(d, features // 2))


def _standard(X: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = w.sum()
    center = w @ X / total
    spread = np.sqrt(w @ (X - center) ** 2 / total)
    tiny = 1e-9 * np.maximum(1.0, np.abs(center))
    return center, np.where(spread > tiny, spread, 1.0)


def _designs(basis: str, Z: np.ndarray, frequencies: np.ndarray, length: float, octaves: int):
    """(length, columns) of every length-scale tried: cosine and sine of doubled angles follow from the angles'."""
    P = _columns(basis, Z, frequencies, length)
    yield length, P
    if basis != "fourier":
        return
    d = Z.shape[1]
    for octave in range(1, octaves):
        cos, sin = np.split(P[:, d:], 2, axis=1)
        P = P.copy()
        twice_cos, twice_sin = np.split(P[:, d:], 2, axis=1)
        np.subtract(1.0, 2.0 * sin**2, out=twice_cos)
        np.multiply(2.0 * sin, cos, out=twice_sin)
        yield length / 2.0**octave, P


def _columns(basis: str, Z: np.ndarray, frequencies: np.ndarray, length: float) -> np.ndarray:
    if basis == "linear":
        return Z
    n, d = Z.shape
    C = np.clip(Z, -REACH, REACH)
    if basis == "polynomial":
        return _polynomial(C)
    angle = C @ frequencies / (length * np.sqrt(d))
    m = angle.shape[1]
    P = np.empty((n, d + 2 * m))  # filled in place: competitions call this thousands of times
    P[:, :d] = C
    np.cos(angle, out=P[:, d : d + m])
    np.sin(angle, out=P[:, d + m :])
    return P


def _polynomial(C: np.ndarray) -> np.ndarray:
    n, d = C.shape
    pairs = d <= PAIRS_UP_TO
    P = np.empty((n, d + (d * (d + 1) // 2 if pairs else d) + (d if d <= CUBES_UP_TO else 0)))
    P[:, :d] = C
    if not pairs:
        np.multiply(C, C, out=P[:, d:])
        return P
    end = d
    for j in range(d):  # the squares and products with the columns behind
        start, end = end, end + d - j
        np.multiply(C[:, j:], C[:, j, None], out=P[:, start:end])
    if d <= CUBES_UP_TO:
        P[:, end:] = C**3
    return P


def _evidence(P: np.ndarray, y: np.ndarray, w: np.ndarray, d: int):
    """(log marginal likelihood, coef, intercept, misfit (k,), dof, Occam factor) at the best penalty of the grid."""
    n, k = w.sum(), y.shape[1]
    scale = _prior(P.shape[1], d)
    mean_p, mean_y, root = w @ P / n, w @ y / n, np.sqrt(w)[:, None]
    A, b = P - mean_p, (y - mean_y) * root
    A *= scale
    A *= root
    gram, cross = A.T @ A, A.T @ b
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    rotated = vectors.T @ cross
    shrunk = values[None] + PENALTIES[:, None]
    total = (b**2).sum(0)[None]
    residual = np.maximum(total - (1.0 / shrunk) @ rotated**2, 1e-12 * total + 1e-300)
    dof = max(n - 1.0, 1e-9)
    occam = 0.5 * k * (np.log1p(values / PENALTIES[:, None]).sum(1) + np.log(max(n, 1.0)))
    likelihood = -0.5 * dof * np.log(residual / dof).sum(1) - occam
    best = int(np.argmax(likelihood))
    coef = scale[:, None] * (vectors @ (rotated / shrunk[best][:, None]))
    return likelihood[best], coef, mean_y - mean_p @ coef, residual[best], dof, occam[best]


def _prior(p: int, d: int) -> np.ndarray:
    """Prior standard deviations (p,) of the coefficients, of which the first d are linear."""
    scale = np.full(p, 1.0)
    scale[:d] = LINEAR_SCALE
    if p > d:  # Fourier columns share one unit of prior variance
        scale[d:] = np.sqrt(2.0 / (p - d)) if d else 1.0
    return scale


def _empty(frequencies: np.ndarray, X: np.ndarray, y: np.ndarray) -> Params:
    d, k = X.shape[1], y.shape[1]
    return {
        "basis": np.asarray(0),
        "center": np.zeros(d),
        "spread": np.ones(d),
        "frequencies": frequencies,
        "length": np.asarray(1.0),
        "coef": np.zeros((d, k)),
        "intercept": np.zeros(k),
        "noise": np.ones(k),
        "misfit": np.zeros(k),
        "dof": np.asarray(0.0),
        "occam": np.asarray(0.0),
    }
