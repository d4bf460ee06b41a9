"""Oracles of the regression benchmark against published check values, stored outputs and plain formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.datasets import simulators
from strongsuit.datasets.simulators import PROBLEMS, adm_l, bess, damp, find_problem, forests, robo, simulate, sine
from strongsuit.datasets.simulators import stack as stack_oracle
from strongsuit.datasets.simulators.forests import SUBFOLDER, evaluate, load_forest
from strongsuit.errors import InputError, StoreError

FORESTS = {"FOIL": 0.0, "HYDR": 1e-15}  # name -> largest difference from the authors' own outputs


def row(*values: float) -> np.ndarray:
    return np.array([values])


@pytest.fixture
def stored(data_folder: Path) -> Path:
    """The folder of stored oracles; the test is skipped without it."""
    folder = data_folder / SUBFOLDER
    if not folder.is_dir():
        pytest.skip(f"needs the folder {SUBFOLDER} of the real data")
    return folder


def test_closed_forms_at_their_check_values() -> None:
    np.testing.assert_allclose(sine(np.array([[0.5], [-0.3]]))[:, 0], [0.464319855, 0.283378196], atol=1e-9)
    np.testing.assert_allclose(robo(row(0.1, 0.2, 0.3, 0.4)), [[1.730048515, 1.069288999]], atol=1e-9)
    np.testing.assert_allclose(bess(np.array([[0.0, 0.0], [0.2, 0.6]]))[:, 0], [0.261140546, 0.337575900], atol=1e-9)
    np.testing.assert_allclose(damp(row(0.5, 0.0, 0.0))[0, [0, 10]], [0.5, -0.196660953], atol=1e-9)


def test_whole_orders_make_a_staircase() -> None:
    u = np.array([[0.21, 0.6], [0.39, 0.6], [1.0, 0.6], [0.8, 0.6]])
    steps = bess(u, order="integer")[:, 0]
    assert steps[0] == steps[1] and steps[2] == steps[3]
    np.testing.assert_allclose(steps[0], bess(row(0.2, 0.6))[0, 0])
    with pytest.raises(InputError, match="real, integer, got 'half'"):
        bess(u, order="half")


def test_stack_at_its_check_values() -> None:
    np.testing.assert_allclose(
        stack_oracle(np.zeros((1, 5)))[0, [0, 127, 255]], [0.36264432, 0.08409228, 0.07249971], atol=1e-8
    )


def test_stack_repeats_its_stored_outputs(stored: Path) -> None:
    with np.load(stored / "stack_oracle_check.npz") as check:
        y = stack_oracle(check["x"])
        np.testing.assert_allclose(y, check["y"], rtol=0, atol=5e-8)
    assert 0.050 <= y.min() and y.max() <= 0.480


def layers(thickness: np.ndarray, wavelength: float) -> float:
    """The absorption of a stack by plain 2 x 2 matrices, one wavelength."""
    free = 376.730313
    M = np.eye(2, dtype=complex)
    for t in thickness:
        for index, depth in ((3.306459758 + 3.152632723j, 0.35), (2.0, t)):
            a, e = -2 * np.pi * index * depth / wavelength, index / free
            M = M @ np.array([[np.cos(a), 1j / e * np.sin(a)], [1j * e * np.sin(a), np.cos(a)]])
    below, above = M @ np.array([1.0, 1 / free])
    glass = 1.46 / free
    return float(4 * glass * ((below * above.conj()).real - 1 / free) / abs(glass * below + above) ** 2)


def test_stack_is_the_product_of_its_layers() -> None:
    u = np.random.default_rng(0).uniform(-1, 1, (3, 5))
    wavelengths = 1120 + 880 * np.cos(np.pi * (255 - np.arange(256)) / 255)
    plain = [[layers(22.5 * one + 27.5, wavelengths[j]) for j in (0, 100, 255)] for one in u]
    np.testing.assert_allclose(stack_oracle(u)[:, [0, 100, 255]], plain, atol=1e-14)


def test_coupled_resonators_at_their_check_values() -> None:
    channels = [0, 50, 100, 199]
    np.testing.assert_allclose(
        adm_l(np.zeros((1, 14)))[0, channels], [0.119710, 0.695437, 0.911901, 0.064589], atol=1e-6
    )
    np.testing.assert_allclose(
        adm_l(np.arange(1, 15)[None] / 20)[0, channels], [0.148118, 0.721471, 0.897422, 0.062285], atol=1e-6
    )
    u = np.random.default_rng(1).uniform(-1, 1, (50, 14))
    fine = adm_l(u, k=2000)
    assert fine.shape == (50, 2000) and fine.min() > 0 and fine.max() <= 1
    np.testing.assert_allclose(fine[:, [0, -1]], adm_l(u)[:, [0, -1]])


def test_resonators_reflect_what_the_plain_inverse_says() -> None:
    u = np.random.default_rng(2).uniform(-1, 1, 14)
    height, period = 1 + 0.2 * u[0], 1 + 0.2 * u[1]
    H, port = np.zeros((4, 4)), np.zeros(4)
    places = [(0, 0), (1, 0), (0, 1), (1, 1)]
    for i in range(4):
        a, b, angle = 1 + 0.15 * u[3 * i + 2], 1 + 0.15 * u[3 * i + 3], np.pi / 4 * u[3 * i + 4]
        r = a * b / np.sqrt(b**2 * np.cos(angle) ** 2 + a**2 * np.sin(angle) ** 2)
        H[i, i], port[i] = (0.8 + 0.2 * i) / (r * np.sqrt(height)), np.sqrt(0.1) * a * b * height / period
        for j in range(i):
            s = np.hypot(places[i][0] - places[j][0], places[i][1] - places[j][1])
            H[i, j] = H[j, i] = 0.03 * np.cos(angle - np.pi / 4 * u[3 * j + 4]) / (s * period) ** 3
    loss = 0.1 * height / period
    probe = 0.5 + 1.5 * 70 / 199
    S = port @ np.linalg.solve((loss / 2 + 1j * probe) * np.eye(4) - 1j * H, port)
    assert adm_l(u[None])[0, 70] == pytest.approx(1 - abs((1 - S / 2) / (1 + S / 2)) ** 2, abs=1e-12)


@pytest.mark.parametrize("name", FORESTS)
def test_forests_repeat_their_authors_outputs(name: str, stored: Path) -> None:
    with np.load(stored / f"{name.lower()}_oracle_check.npz") as check:
        x, y = check["x"], check["y"]
    difference = np.abs(PROBLEMS[name].function(x) - y)
    assert difference.shape == (len(x), 1) and difference.max() <= FORESTS[name]


def test_forests_at_their_check_values_row_by_row(stored: Path) -> None:
    tenths = np.arange(1, 7) / 10
    for name, at_zero, at_tenths in (
        ("FOIL", -0.5771510623, -0.7301991650),
        ("HYDR", -0.9115782727, -0.6028136517),
    ):
        problem = PROBLEMS[name]
        u = np.stack([np.zeros(problem.d), tenths[: problem.d]])
        y = problem.function(u)
        np.testing.assert_allclose(y[:, 0], [at_zero, at_tenths], atol=1e-10)
        assert np.array_equal(np.concatenate([problem.function(one[None]) for one in u]), y)


def test_a_hand_made_forest_goes_left_at_the_threshold_and_rounds_inputs() -> None:
    left, right = np.array([1, -1, -1, 1, -1, -1]), np.array([2, -1, -1, 2, -1, -1])
    forest = forests._joined(
        {
            "tree_offset": np.array([0, 3, 6], np.int32),
            "left": left,
            "right": right,
            "feature": np.array([0, -2, -2, 1, -2, -2], np.int8),
            "threshold": np.array([float(np.float32(0.1)), -2, -2, 0.5, -2, -2]),
            "value": np.array([0.0, 1.0, 3.0, 0.0, 10.0, 20.0]),
        }
    )
    u = np.array([[0.1, 0.5], [0.1 + 1e-6, 0.6], [float(np.float32(0.1)) + 1e-12, -1.0]])
    np.testing.assert_array_equal(evaluate(forest, u), [[5.5], [11.5], [5.5]])
    assert evaluate(forest, np.empty((0, 2))).shape == (0, 1)


def test_an_absent_or_damaged_forest_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRONGSUIT_DATA", raising=False)
    with pytest.raises(StoreError, match=r"HYDR is not shipped: put hydr_oracle_forest\.npz .* in STRONGSUIT_DATA"):
        load_forest("hydr")
    monkeypatch.setenv("STRONGSUIT_DATA", str(tmp_path))
    with pytest.raises(StoreError, match="FOIL is not at"):
        load_forest("foil")
    (tmp_path / SUBFOLDER).mkdir()
    (tmp_path / SUBFOLDER / "foil_oracle_forest.npz").write_bytes(b"no forest")
    with pytest.raises(StoreError, match="is no stored forest"):
        load_forest("foil")


@pytest.mark.parametrize("name", PROBLEMS)
def test_variances_are_those_of_the_table(name: str, request: pytest.FixtureRequest) -> None:
    if name in FORESTS:
        request.getfixturevalue("stored")
    problem = PROBLEMS[name]
    # Stratified in every input (a Latin hypercube), which estimates a variance far better than plain draws.
    rng = np.random.default_rng(3)
    rows = 8000 if problem.k <= 2 else 2000
    cells = np.stack([rng.permutation(rows) for _ in range(problem.d)], axis=1)
    y = simulate(problem, 2 * (cells + rng.uniform(size=cells.shape)) / rows - 1)
    assert y.shape == (rows, problem.k) and y.dtype == np.float64
    assert y.var(axis=0).mean() == pytest.approx(problem.variance, rel=0.03)


def test_the_variance_of_whole_orders() -> None:
    u = np.random.default_rng(4).uniform(-1, 1, (40_000, 2))
    assert bess(u, order="integer").var() == pytest.approx(0.047, rel=0.03)
    assert robo(np.random.default_rng(5).uniform(-1, 1, (40_000, 4))).var(axis=0) == pytest.approx(
        [0.143, 1.085], rel=0.03
    )


@given(st.sampled_from([name for name in PROBLEMS if name not in FORESTS]), st.integers(1, 7))
def test_a_row_answers_the_same_alone(name: str, rows: int) -> None:
    problem = PROBLEMS[name]
    u = np.random.default_rng(rows).uniform(-1, 1, (rows, problem.d))
    alone = np.concatenate([problem.function(one[None]) for one in u])
    np.testing.assert_allclose(problem.function(u), alone, rtol=1e-12, atol=1e-14)


def test_wrong_shapes_values_and_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"ROBO takes u of shape \(n, 4\), got \(3, 5\)"):
        simulate(PROBLEMS["ROBO"], np.zeros((3, 5)))
    for bad in (1.5, np.nan):
        with pytest.raises(InputError, match="from -1 to 1"):
            simulate(PROBLEMS["SINE"], np.array([[bad]]))
    assert find_problem("adm-l") is PROBLEMS["ADM-L"]
    with pytest.raises(InputError, match="did you mean 'HYDR'"):
        find_problem("hydro")
    with pytest.raises(AttributeError, match="no attribute 'adm'"):
        simulators.adm  # noqa: B018
    assert set(dir(simulators)) == set(simulators.__all__)


def test_the_table_is_whole() -> None:
    assert list(PROBLEMS) == ["SINE", "ROBO", "STACK", "ADM-L", "FOIL", "HYDR", "BESS", "DAMP"]
    assert {name for name, problem in PROBLEMS.items() if problem.stand_in} == {"ADM-L", "BESS", "DAMP"}
    assert PROBLEMS["STACK"].widths == (700,) * 9 and PROBLEMS["ADM-L"].members == 5
    assert all(problem.words and problem.rate > 0 and problem.l2 >= 0 for problem in PROBLEMS.values())
