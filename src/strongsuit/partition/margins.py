"""What a fitted support vector machine says of many rows: pairwise margins, and probabilities from them.

scikit-learn's own evaluation walks row by row; here a block of rows meets all support vectors in one matrix
product, so that a million rows cost seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, softmax
from sklearn.svm import SVC

BLOCK = 1 << 18  # kernel values held at once: 2 MB, so that a block stays in a core's cache
CAPS = (1.0, 2.0, 4.0, 8.0)  # margins are clipped there; 1 is the hinge's own "certain", 8 hardly clips
SHARP = 0.1  # the temperature at which the pairwise product is all but a vote
COLDEST, HOTTEST = 0.02, 50.0


def margins(svm: SVC, Z: np.ndarray, *, dtype: type = np.float64) -> np.ndarray:
    """Pairwise decision values (n, r (r - 1) / 2) of a fitted SVC, a column for each pair (0, 1), (0, 2), ...

    Positive means the first regime of the pair. float32 serves where gamma and C are moderate: with sharp
    kernels (C = 1000) coefficients of alternating sign lose several digits in it.
    """
    if svm.kernel == "linear":
        values = Z @ svm.coef_.T + svm.intercept_
    else:
        values = _kernel_margins(svm, Z, dtype)
    return -values if len(svm.classes_) == 2 else values  # with two classes positive means the second one


def _kernel_margins(svm: SVC, Z: np.ndarray, dtype: type) -> np.ndarray:
    """exp(-gamma |z - s|^2) times the pairs' coefficients, block by block."""
    support = svm.support_vectors_
    weights: np.ndarray = _pair_coefficients(svm).astype(dtype)
    # |z - s|^2 = |z|^2 - 2 z.s + |s|^2: the sums are folded into the product as two more columns.
    right = np.vstack([2.0 * support.T, np.ones(len(support)), -(support**2).sum(1)]) * svm.gamma
    right = right.astype(dtype)
    values = np.empty((len(Z), weights.shape[1]))
    step = max(BLOCK // max(len(support), 1), 16)
    for start in range(0, len(Z), step):
        z = Z[start : start + step]
        kernel = np.column_stack([z, -(z**2).sum(1), np.ones(len(z))]).astype(dtype) @ right
        np.exp(kernel, out=kernel)
        values[start : start + step] = kernel @ weights
    return values + svm.intercept_


def _pair_coefficients(svm: SVC) -> np.ndarray:
    """Coefficients (support vectors, pairs) from libsvm's packed `dual_coef_` (r - 1, support vectors).

    The support vectors of regime i hold their coefficient against regime j in row j - 1 if j > i, else in row j.
    """
    count = len(svm.classes_)
    if count == 2:
        return svm.dual_coef_.T
    ends = np.concatenate([[0], np.cumsum(svm.n_support_)])
    columns = []
    for i in range(count):
        for j in range(i + 1, count):
            column = np.zeros(ends[-1])
            column[ends[i] : ends[i + 1]] = svm.dual_coef_[j - 1, ends[i] : ends[i + 1]]
            column[ends[j] : ends[j + 1]] = svm.dual_coef_[i, ends[j] : ends[j + 1]]
            columns.append(column)
    return np.stack(columns, axis=1)


def log_scores(values: np.ndarray, temperature: float = SHARP, cap: float = 1.0) -> np.ndarray:
    """Unnormalised log-probabilities (n, r) from pairwise margins (n, r (r - 1) / 2).

    p_k is proportional to the product over the other regimes l of sigma(clip(m_kl, -cap, cap) / temperature):
    temperature scaling of the margin for two regimes (Guo et al. 2017), a product of pairwise experts for
    more, and a vote as the temperature falls. The one-against-rest values of scikit-learn would not do: they
    jump by whole votes at a boundary, where the probability has to pass through one half. The clip is needed
    because labels are wrong in the depth of a regime as often as near its edge, and a large margin must
    then not promise more than a margin of one.
    """
    count = round((1 + np.sqrt(1 + 8 * values.shape[1])) / 2)
    scaled = np.clip(values, -cap, cap) / temperature
    first, second = log_expit(scaled), log_expit(-scaled)
    scores = np.zeros((len(values), count))
    for column, (i, j) in enumerate(zip(*np.triu_indices(count, 1), strict=True)):
        scores[:, i] += first[:, column]
        scores[:, j] += second[:, column]
    return scores


def calibrate(values: np.ndarray, labels: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Temperature and cap of least weighted log loss on held-out margins (n, pairs) and labels (n,)."""
    found = [(*_coldest(partial(log_scores, values, cap=cap), labels, w), cap) for cap in CAPS]
    _, temperature, cap = min(found)
    return temperature, cap


def calibrate_logits(logits: np.ndarray, labels: np.ndarray, w: np.ndarray) -> float:
    """Temperature of least weighted log loss of softmax(logits / temperature), logits (n, r)."""
    return _coldest(lambda t: logits / t, labels, w)[1]


def _coldest(scores_at: Callable[[float], np.ndarray], labels: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Least smoothed log loss and its temperature, among the best found by Brent's method and temperature 1.

    One pseudo-row is spread over the wrong regimes (after Platt 1999), or separable data would be told that
    the boundary never errs.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        logp = np.log(np.maximum(softmax(scores_at(np.exp(log_temperature)), axis=1), 1e-300))
        own = logp[rows, labels]
        wrong = (logp.sum(1) - own) / max(logp.shape[1] - 1, 1)
        return float((w @ (own * len(w) + wrong)) / (w.sum() * (len(w) + 1)) * -1.0)

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.01})
    best = min((loss(0.0), 0.0), (float(found.fun), float(found.x)))
    return best[0], float(np.exp(best[1]))
