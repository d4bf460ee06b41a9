"""Competition, regimes and the guarded whole, on laws whose regimes are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from strongsuit import recipes
from strongsuit.core.keys import key_for, root_key
from strongsuit.datasets.generators import generate
from strongsuit.partition.competition import assignment_costs, compete
from strongsuit.partition.discover import discover, route
from strongsuit.partition.gate import fit_gate, gate_basis, log_softmax
from strongsuit.partition.regimes import match
from strongsuit.partition.units import folds, mean_and_error, split, unit_ids
from strongsuit.partition.values import Config, Recipe, Rows

QUICK = Config(restarts=2, folds=3, finalists=2)


def _table(name, rows, seed):
    made = generate(name, rows=rows, seed=seed)
    frame = made.to_frame()
    X = frame.drop(columns=["y", "regime"]).to_numpy(float)
    return X, frame["y"].to_numpy(float), frame["regime"].to_numpy()


def _discover(X, y, *, learner="basis", config=QUICK, seed=0, **given):
    return discover(
        root_key(seed), X, y, families=recipes.families(learner), competitors=recipes.competitors(),
        settler=recipes.settler(), config=config, **given,
    )  # fmt: skip


def _rows(X, y):
    Y = ((y - y.mean()) / y.std())[:, None]
    return Rows(X, Y, np.ones(len(y)), unit_ids(X, None))


@pytest.mark.parametrize(("name", "least"), [("wave_climb", 0.9), ("pw_planes", 0.8)])
def test_known_regimes_are_found(name, least):
    X, y, truth = _table(name, 500, 3)
    model = _discover(X, y)
    assert model.found == 2
    assert adjusted_rand_score(truth, model.labels) > least


@pytest.mark.parametrize("name", ["overlap", "one_pattern"])
def test_tables_without_regimes_are_refused(name):
    X, y, _ = _table(name, 500, 3)
    model = _discover(X, y)
    assert model.regimes == 1
    said = route(model, X)
    assert np.array_equal(said.prediction, said.fallback)
    assert "expert" not in said.reason


def test_a_deployed_partition_beats_its_fallback_on_fresh_rows():
    X, y, _ = _table("wave_climb", 800, 5)
    fresh, target, _ = _table("wave_climb", 4000, 6)
    model = _discover(X, y, learner="ridge", config=replace(QUICK, restarts=3))
    assert model.regimes > 1
    said = route(model, fresh)
    assert np.mean((said.prediction[:, 0] - target) ** 2) < 0.5 * np.mean((said.fallback[:, 0] - target) ** 2)


def test_order_of_rows_is_immaterial_and_weight_zero_means_absent():
    X, y, _ = _table("wave_climb", 300, 1)
    turned = np.random.default_rng(0).permutation(300)
    w = np.r_[np.ones(300), np.zeros(40)]
    junk_x, junk_y = np.full((40, 1), 9.0), np.full(40, -50.0)
    one = _discover(X, y)
    two = _discover(X[turned], y[turned])
    three = _discover(np.vstack([X, junk_x]), np.r_[y, junk_y], w=w)
    grid = np.linspace(0, 2, 50)[:, None]
    answers = [route(m, grid).prediction for m in (one, two, three)]
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])


def test_constant_target_is_one_model():
    model = _discover(np.arange(40.0)[:, None], np.full(40, 3.0))
    assert model.regimes == 1
    assert np.allclose(route(model, np.array([[5.0]])).prediction, 3.0)


def test_several_targets_share_one_partition():
    X, y, _ = _table("wave_climb", 400, 2)
    model = _discover(X, np.c_[y, -2 * y + 1])
    assert route(model, X[:7]).prediction.shape == (7, 2)
    assert model.losses.per_output.shape == (4, 2)


def test_far_rows_are_answered_by_the_fallback():
    X, y, _ = _table("wave_climb", 800, 5)
    model = _discover(X, y, learner="ridge")
    said = route(model, np.array([[50.0], [0.5]]))
    assert said.reason[0] == "far"
    assert said.prediction[0] == said.fallback[0]


def test_paper_mode_partitions_without_a_guard():
    X, y, _ = _table("wave_climb", 240, 4)
    network = recipes.paper_competitor()
    model = _discover(X, y, learner="ridge", config=replace(QUICK, mode="paper", folds=2), paper=network)
    assert model.verdict.reason in ("unguarded", "one_regime")
    assert np.isfinite(route(model, X).prediction).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 80), st.integers(1, 3))
def test_competitions_end_and_every_row_has_an_owner(seed, n, d):
    rng = np.random.default_rng(seed)
    rows = _rows(rng.normal(size=(n, d)).round(1), rng.standard_t(2, size=n))
    building = split(root_key(seed), rows.units, 0.7)
    build, judge = rows.take(building), rows.take(~building)
    contest = compete(
        root_key(seed), recipes.competitors()[0], Recipe("random", "linear", 1.0), build, judge,
        omega=np.ones(1), residual=build.Y, config=Config(max_regimes=4),
    )  # fmt: skip
    for count, snapshot in contest.snapshots.items():
        assert 1 <= count <= 4
        assert len(snapshot.labels) == len(build)
        assert set(np.unique(snapshot.labels)) <= set(range(count))


def test_assignment_cost_is_loss_and_reluctance():
    losses, scores = np.array([[0.2, 50.0]]), np.array([[0.0, np.log(3.0)]])
    cost = assignment_costs(losses, scores, 0.1, 0.5)
    assert cost[0] == pytest.approx([1.0 - 0.5 * np.log(0.25), 25.0 - 0.5 * np.log(0.75)])


def test_gate_gradient_leads_to_the_labels():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 2))
    labels = (Z[:, 0] > 0.3).astype(int)
    P = gate_basis(root_key(0), 2, "linear")(Z)
    W = fit_gate(P, labels, np.ones(300), np.zeros((3, 2)), steps=60)
    assert np.mean((P @ W).argmax(1) == labels) > 0.98
    assert np.allclose(np.exp(log_softmax(P @ W)).sum(1), 1.0)


def test_units_join_equal_rows_and_groups_in_chains():
    X = np.array([[0.0], [0.0], [1.0], [2.0], [3.0]])
    assert len(np.unique(unit_ids(X, None))) == 4
    chained = unit_ids(X, np.array(["a", "b", "b", "c", "d"]))
    assert chained[0] == chained[1] == chained[2]
    assert len(np.unique(chained)) == 3


@given(st.lists(st.integers(0, 9), min_size=12, max_size=60), st.integers(2, 5))
def test_folds_never_cut_a_unit(units, count):
    units = np.array(units)
    fold = folds(root_key(1), units, count)
    for u in np.unique(units):
        assert len(np.unique(fold[units == u])) == 1


def test_error_of_the_mean_counts_units_not_rows():
    d, w = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4)
    mean, error = mean_and_error(d, w, np.arange(4))
    assert mean == 2.5
    assert error == pytest.approx(d.std(ddof=1) / 2.0)
    _, copied = mean_and_error(np.repeat(d, 3), np.ones(12), np.repeat(np.arange(4), 3))
    assert copied == pytest.approx(error)


def test_matching_names_regimes_by_overlap():
    names = np.array([0, 0, 0, 1, 1, 2])
    others = np.array([2, 2, 2, 0, 0, 1])
    assert match(names, others, 3, 3).tolist() == [1, 2, 0]


def test_keys_make_the_same_model_again():
    X, y, _ = _table("wave_climb", 300, 1)
    grid = np.linspace(0, 2, 20)[:, None]
    one, two = (route(_discover(X, y, seed=7), grid).prediction for _ in range(2))
    assert np.array_equal(one, two)
    assert key_for(root_key(7), "a") != key_for(root_key(7), "b")
