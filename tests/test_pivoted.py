"""Low-rank factors of kernels against LAPACK's pivoted Cholesky and against a plain greedy loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg.lapack import dpstrf

from strongsuit.core import pivoted
from strongsuit.core.pivoted import pivoted_cholesky


def bell(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.exp(-((A[:, None] - B[None]) ** 2).sum(2))


def rough(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.exp(-np.abs(A[:, None] - B[None]).sum(2)) + A @ B.T


def greedy(K: np.ndarray, rank: int) -> tuple[list[int], np.ndarray]:
    """Pivots and the remainder after each, one pivot at a time."""
    K, pivots = K.copy(), []
    for _ in range(rank):
        i = int(np.diag(K).argmax())
        K -= np.outer(K[i], K[i]) / K[i, i]
        pivots.append(i)
    return pivots, K


@pytest.mark.parametrize("kernel", [bell, rough])
@pytest.mark.parametrize("window", [1, 7, 500])
def test_every_window_gives_the_factor_of_the_plain_greedy_loop(monkeypatch, kernel, window: int) -> None:
    monkeypatch.setattr(pivoted, "WINDOW", window)
    monkeypatch.setattr(pivoted, "CHUNK", 50)
    X = np.random.default_rng(3).normal(size=(120, 3))
    K = kernel(X, X)
    for rank in (1, 5, 30):
        F = pivoted_cholesky(X, kernel, np.diag(K), rank=rank, tolerance=0.0)
        assert F.shape == (120, rank) and F.dtype == np.float64 and F.flags.c_contiguous
        np.testing.assert_allclose(K - F @ F.T, greedy(K, rank)[1], atol=1e-9)


def test_pivots_are_those_of_lapack() -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    K = rough(X, X)
    factor, order, _, _ = dpstrf(K, lower=1)
    F = pivoted_cholesky(X, rough, np.diag(K), rank=80, tolerance=0.0)
    np.testing.assert_allclose(F[order - 1], np.tril(factor), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 70), st.integers(1, 4), st.sampled_from([1e-1, 1e-3, 1e-6]))
def test_the_factor_is_as_short_as_the_tolerance_allows(seed: int, n: int, d: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))[rng.integers(0, n, n)]  # some rows stand there twice
    K = bell(X, X)
    F = pivoted_cholesky(X, bell, np.diag(K), tolerance=tolerance)
    rest = K - F @ F.T
    assert np.linalg.eigvalsh(rest).min() > -1e-9 * n
    assert np.trace(rest) <= tolerance * n * (1 + 1e-9)
    shorter = F[:, :-1]
    assert np.trace(K - shorter @ shorter.T) > tolerance * n * (1 - 1e-9)


def test_rank_is_found_and_nothing_is_made_of_rounding() -> None:
    X = np.random.default_rng(1).normal(size=(200, 4))
    F = pivoted_cholesky(X, lambda A, B: A @ B.T, (X**2).sum(1), tolerance=0.0)
    assert F.shape == (200, 4)
    np.testing.assert_allclose(F @ F.T, X @ X.T, atol=1e-12)


def test_a_kernel_of_nothing_has_no_columns() -> None:
    X = np.zeros((5, 2))
    assert pivoted_cholesky(X, lambda A, B: A @ B.T, np.zeros(5)).shape == (5, 0)
    assert pivoted_cholesky(X[:0], bell, np.zeros(0)).shape == (0, 0)


def test_few_kernel_values_are_asked_for() -> None:
    rng = np.random.default_rng(2)
    X = rng.uniform(-1, 1, size=(5000, 3))
    asked = []

    def counted(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        asked.append(len(A) * len(B))
        return np.exp(-((A**2).sum(1)[:, None] + (B**2).sum(1)[None] - 2 * A @ B.T))

    F = pivoted_cholesky(X, counted, np.ones(5000), rank=100)
    assert sum(asked) < 0.1 * 5000**2
    few = rng.permutation(5000)[:300]
    worst = 1.0 - (F**2).sum(1).min()  # entries of a positive semidefinite remainder are below its diagonal
    assert 0.0 < worst < 0.05
    np.testing.assert_allclose(F[few] @ F[few].T, bell(X[few], X[few]), atol=worst)
