"""Gradient features of models that are no networks: leaves, inputs, and a surrogate's, against plain statements."""

from __future__ import annotations

import logging
import tracemalloc
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.linear_model import Ridge as PlainRidge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from strongsuit.active.committee import train
from strongsuit.active.evidence import gather
from strongsuit.active.pool import EXCLUDED, pool_of
from strongsuit.active.selectors.candidates import Candidates
from strongsuit.active.selectors.clusters import lcmd
from strongsuit.active.selectors.uniform import uniform
from strongsuit.active.strategies import find_strategy
from strongsuit.active.strategy import propose
from strongsuit.core import learner as core_learner
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.core.learner import fit_many, fit_one, member_keys, sketch_many
from strongsuit.core.sketches import matern_features, sketch_columns, sketch_groups
from strongsuit.errors import InputError
from strongsuit.learners import External, Ridge, random_forest
from strongsuit.learners.gradients import LEAVES, LINEAR, SURROGATE, gradient_features, kind_of, surrogate_features
from strongsuit.learners.leaves import leaf_features, leaf_indices
from strongsuit.testing import check_strategy

KEY = root_key(0)


def boosted(name: str, **options):
    """A regressor of an optional library; the test is skipped without it."""
    library = name.split(".")[0]
    if find_spec(library) is None:
        pytest.skip(f"needs {library}: pip install 'strongsuit[boost]'")
    return getattr(import_module(library), name.split(".")[1])(**options)


TREES = {
    "tree": lambda: DecisionTreeRegressor(max_leaf_nodes=9),
    "forest": lambda: RandomForestRegressor(8, random_state=0),
    "extra trees": lambda: ExtraTreesRegressor(8, min_samples_leaf=3, random_state=0),
    "gradient boosting": lambda: GradientBoostingRegressor(n_estimators=12),
    "histogram boosting": lambda: HistGradientBoostingRegressor(max_iter=12, min_samples_leaf=5),
    "xgboost": lambda: boosted("xgboost.XGBRegressor", n_estimators=12, max_depth=3),
    "lightgbm": lambda: boosted("lightgbm.LGBMRegressor", n_estimators=12, min_child_samples=5, verbose=-1),
}


def table(n: int = 120, d: int = 3, *, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, d))
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    if missing:
        X[rng.random(X.shape) < 0.2] = np.nan
    return X, y


def one_hot(leaf: np.ndarray) -> np.ndarray:
    return np.hstack([leaf[:, [t]] == np.unique(leaf[:, t]) for t in range(leaf.shape[1])]).astype(float)


def shared(leaf: np.ndarray) -> np.ndarray:
    """Share (n, n) of trees in which two rows fall into the same leaf."""
    return (leaf[:, None] == leaf[None]).mean(2)


def within(draws: list[np.ndarray], exact: np.ndarray) -> bool:
    """Whether the mean over draws lies within five standard errors of the exact values."""
    error = np.std(draws, axis=0, ddof=1) / len(draws) ** 0.5
    return bool((np.abs(np.mean(draws, axis=0) - exact) < 5 * error + 1e-6).all())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 7), st.integers(1, 4), st.integers(1, 80))
def test_inner_products_estimate_the_shares_in_which_groups_agree(seed: int, n: int, t: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    group, share = rng.integers(groups, size=(n, t)), rng.dirichlet(np.ones(t))
    exact = ((group[:, None] == group[None]) * share).sum(2)
    draws = []
    for turn in range(150):
        phi = sketch_groups(key_for(root_key(seed), turn), group, share, 64).astype(float)
        draws.append(phi @ phi.T)
    assert within(draws, exact)
    assert np.std(draws, axis=0).max() < 1.3 * np.sqrt(2 / 64)


def test_a_wide_sketch_is_the_kernel_and_rows_do_not_depend_on_their_neighbours() -> None:
    group = np.random.default_rng(0).integers(30, size=(40, 20))
    phi = sketch_groups(KEY, group, np.full(20, 1 / 20), 200_000)
    np.testing.assert_allclose(phi @ phi.T, shared(group), atol=5 * np.sqrt(2 / 200_000))
    np.testing.assert_array_equal(sketch_groups(KEY, group[7:9], np.full(20, 1 / 20), 200_000), phi[7:9])


@pytest.mark.parametrize("p", [1, 5, 32, 90])
def test_columns_keep_their_inner_products(p: int) -> None:
    F = np.random.default_rng(p).normal(size=(6, p))
    exact = F @ F.T
    draws = [f @ f.T for f in (sketch_columns(key_for(KEY, i), F, 32).astype(float) for i in range(300))]
    if p <= 32:
        np.testing.assert_allclose(draws, np.broadcast_to(exact, (300, 6, 6)), atol=1e-5)
    assert within(draws, exact)


def test_waves_carry_the_matern_kernel_and_other_keys_are_uncorrelated() -> None:
    Z = np.random.default_rng(0).normal(size=(8, 3))
    r = np.sqrt(5) * np.linalg.norm(Z[:, None] - Z[None], axis=2) / 1.7
    exact = (1 + r + r**2 / 3) * np.exp(-r)
    waves = [matern_features(key_for(KEY, i), Z, 1.7, 65).astype(float) for i in range(300)]
    assert within([f @ f.T for f in waves], exact)
    assert within([f @ g.T for f, g in zip(waves[1:], waves, strict=False)], np.zeros((8, 8)))
    np.testing.assert_allclose((waves[0] ** 2).sum(1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
def test_predictions_are_linear_in_the_leaves_of_every_library(name: str, missing: bool) -> None:
    model = TREES[name]()
    if missing and name == "gradient boosting":
        pytest.skip("GradientBoostingRegressor takes no missing values")
    X, y = table(missing=missing)
    model.fit(X, y)
    leaf, said = leaf_indices(model, X), np.asarray(model.predict(X), float)
    assert leaf.shape == (120, 1 if name == "tree" else 8 if "trees" in name or name == "forest" else 12)
    H = one_hot(leaf)
    np.testing.assert_allclose(H @ np.linalg.lstsq(H, said, rcond=None)[0], said, atol=2e-6)
    draws = []
    for turn in range(60):
        phi = leaf_features(key_for(KEY, turn), model, X[:20], 256).astype(float)
        draws.append(phi @ phi.T)
    assert within(draws, shared(leaf[:20]))


@pytest.mark.parametrize("categories", [False, True], ids=["numbers", "categories"])
def test_the_walk_of_histogram_boosting_reproduces_its_predictions_exactly(categories: bool) -> None:
    X, y = table(300, missing=True)
    if categories:
        X[:, 2] = np.random.default_rng(2).integers(0, 7, len(X))
        X[::11, 2] = np.nan
        y = y + np.array([0.0, 3.0, 1.0, -2.0, 5.0, 2.0, -4.0, 0.0])[np.nan_to_num(X[:, 2], nan=7).astype(int)]
    model = HistGradientBoostingRegressor(max_iter=25, categorical_features=[2] if categories else None).fit(X, y)
    new, _ = table(500, missing=True)
    new[:, 2] = np.random.default_rng(3).integers(0, 9, 500) if categories else new[:, 2]  # 7 and 8 were never seen
    leaf, said = leaf_indices(model, new), np.full(500, float(model._baseline_prediction.ravel()[0]))
    for t, (tree,) in enumerate(model._predictors):
        assert tree.nodes["is_leaf"][leaf[:, t]].all()
        said += tree.nodes["value"][leaf[:, t]]
    np.testing.assert_array_equal(said, model.predict(new))


def test_trees_for_several_classes_stand_side_by_side() -> None:
    X, y = table()
    labels = np.digitize(y, [-0.5, 0.5])
    for model in (GradientBoostingClassifier(n_estimators=4), HistGradientBoostingClassifier(max_iter=4)):
        assert leaf_indices(model.fit(X, labels), X).shape == (120, 12)
    learner = External(RandomForestRegressor(5))
    params = fit_one(learner, KEY, X, np.eye(3)[labels], np.ones(120))
    assert learner.sketch(KEY, params, X, 64).shape == (120, 64) and not learner.stand_in(params)


def test_outputs_fitted_one_by_one_are_averaged() -> None:
    X, y = table()
    learner = External(HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=5))
    params = fit_one(learner, KEY, X, np.stack([y, X[:, 2] ** 2], axis=1), np.ones(120))
    exact = np.mean([shared(leaf_indices(one, X[:15])) for one in params.estimators], axis=0)
    draws = [learner.sketch(key_for(KEY, i), params, X[:15], 256).astype(float) for i in range(60)]
    assert within([f @ f.T for f in draws], exact)


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (make_pipeline(StandardScaler(), RandomForestRegressor(3)), LEAVES),
        (TransformedTargetRegressor(DecisionTreeRegressor()), LEAVES),
        (GridSearchCV(DecisionTreeRegressor(), {"max_depth": [2, 3]}, cv=2), LEAVES),
        (make_pipeline(PlainRidge()), LINEAR),
        (make_pipeline(OneHotEncoder(handle_unknown="ignore"), PlainRidge()), LINEAR),
        (SVR(kernel="linear"), LINEAR),
        (SVR(), SURROGATE),
        (KNeighborsRegressor(3), SURROGATE),
    ],
    ids=["pipeline", "target", "search", "pipeline of one", "sparse inputs", "linear machine", "machine", "neighbours"],
)
def test_the_model_inside_decides_where_features_come_from(estimator, kind: str) -> None:
    X, y = np.round(table()[0], 1), table()[1]
    learner = External(estimator)
    params = fit_one(learner, KEY, X, y, np.ones(120))
    assert kind_of(params.estimators[0]) == kind
    assert ("surrogate" in learner.stand_in(params)) == (kind == SURROGATE)
    found = learner.sketch(KEY, params, X, 128)
    assert found.shape == (120, 128) and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_array_equal(found, learner.sketch(KEY, params, X, 128))
    assert not np.array_equal(found, learner.sketch(root_key(1), params, X, 128))


def test_a_linear_gradient_is_the_input_whatever_its_units() -> None:
    X, y = table()
    scale = np.array([1.0, 1e6, 1e-6])
    model = LinearRegression().fit(X * scale, y)
    phi = gradient_features(KEY, model, X * scale, X * scale, 64)
    Z = (X - X.mean(0)) / X.std(0)
    np.testing.assert_allclose(phi @ phi.T, Z @ Z.T + 1, atol=1e-4)


@pytest.mark.parametrize("basis", ["linear", "polynomial", "fourier"])
def test_ridge_shows_its_basis_as_its_prior_believes_in_it(basis: str) -> None:
    X, y = table()
    learner = Ridge(basis)
    params = learner.fit(KEY, X, y[:, None], np.ones(120))
    P = learner.embed(params, X)
    belief = np.full(
        P.shape[1], {"linear": 1.0, "polynomial": 2 / 9 / (P.shape[1] - 3 or 1), "fourier": 2 / 9 / 64}[basis]
    )
    belief[:3] = 1.0
    phi = learner.sketch(KEY, params, X, 128)
    np.testing.assert_allclose(phi @ phi.T, (P * belief) @ P.T + 1, rtol=1e-4, atol=1e-4)


def test_a_surrogate_looks_where_the_model_looks() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) * np.array([1.0, 1.0, 1e3])
    phi = surrogate_features(KEY, lambda rows: np.cos(3 * rows[:, :1]) + 0.2 * rows[:, 1:2], X, X, 2048)
    moved = []
    for j in range(3):
        shifted = X.copy()
        shifted[:, j] += X[:, j].std()
        other = surrogate_features(KEY, lambda rows: np.cos(3 * rows[:, :1]) + 0.2 * rows[:, 1:2], shifted, X, 2048)
        moved.append(((phi - other) ** 2).sum(1).mean())
    assert moved[0] > 5 * moved[1] > 5 * moved[2]
    flat = surrogate_features(KEY, lambda rows: np.ones((len(rows), 1)), X, X, 64)
    assert np.isfinite(flat).all() and len(np.unique(flat, axis=0)) == 300


def test_a_committee_of_host_learners_averages_kernels_and_pages_do_not_matter(monkeypatch) -> None:
    X, y = table()
    learner, keys = External(RandomForestRegressor(10)), member_keys(KEY, 3)
    params = fit_many(learner, keys, X, y, np.ones((3, 120)))
    exact = np.mean([shared(leaf_indices(one.estimators[0], X[:15])) for one in params], axis=0)
    draws = []
    for turn in range(60):
        phi = sketch_many(learner, [key_for(key, turn) for key in keys], params, X[:15], 256).astype(float)
        draws.append(phi @ phi.T)
    assert within(draws, exact)
    whole = sketch_many(learner, keys, params, X, 64)
    monkeypatch.setattr(core_learner, "SKETCH_ROWS", 50)
    np.testing.assert_array_equal(sketch_many(learner, keys, params, X, 64), whole)


def test_indicators_are_never_written_down() -> None:
    X, y = table(2000)
    model = RandomForestRegressor(20, random_state=0).fit(X, y)
    many = np.random.default_rng(0).normal(size=(20_000, 3))
    leaf_features(KEY, model, many[:10], 64)
    tracemalloc.start()
    found = leaf_features(KEY, model, many, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * found.nbytes + 8192 * 20 * 8 * 6  # the result in pages and whole, and a page's leaves
    assert one_hot(leaf_indices(model, many[:100])).shape[1] * 4 * len(many) > 5 * peak


def test_lcmd_visits_every_leaf_of_a_tree_before_any_twice() -> None:
    X, y = table(400)
    tree = DecisionTreeRegressor(max_leaf_nodes=24, random_state=0).fit(X, y)
    leaf = leaf_indices(tree, X)[:, 0]
    everything, nothing = np.ones(400, bool), np.zeros(400, bool)
    found = Candidates(everything, nothing, embedding=leaf_features(KEY, tree, X, 512))
    assert len(np.unique(leaf[lcmd(KEY, found, 24).index])) == 24
    assert max(len(np.unique(leaf[uniform(key_for(KEY, i), found, 24).index])) for i in range(20)) < 24


def test_picks_on_forest_features_leave_no_cluster_of_unlike_rows() -> None:
    X, y = table(300)
    known = np.where(np.arange(300) < 40, y, np.nan)
    pool = pool_of(X, y=known)
    committee = train(KEY, random_forest(trees=20), pool, 3)
    evidence = gather(KEY, committee, pool, ("grad",))
    K = np.mean([shared(leaf_indices(one.estimators[0], X)) for one in committee.params], axis=0)

    def heaviest(name: str, turn: int) -> float:
        """The largest sum, over the rows nearest to one labelled or chosen row, of the shares of trees not shared."""
        rows = propose(key_for(KEY, turn), find_strategy(name), evidence, 20).index
        apart = 1 - K[:, np.concatenate([np.arange(40), rows])]
        return float(np.bincount(apart.argmin(1), apart.min(1)).max())

    assert heaviest("lcmd_tp", 0) < min(heaviest("random", i) for i in range(10))


def choose(strategy_name: str, learner):
    strategy = find_strategy(strategy_name)

    def run(key, X, y, open_rows, b):
        pool = pool_of(X, y=y)
        pool.state[~open_rows & ~pool.labelled] = EXCLUDED
        committee = train(key_for(key, "train"), learner, pool, 2)
        return propose(key, strategy, gather(key, committee, pool, strategy.needs), b)

    return run


@pytest.mark.parametrize("strategy", ["acs_fw", "bait_f", "kmeans_pp", "lcmd_tp", "max_det", "qbc"])
def test_strategies_keep_their_promises_on_a_forest(strategy: str) -> None:
    check_strategy(choose(strategy, random_forest(trees=4)), greedy=True)


@pytest.mark.parametrize("strategy", ["bait_f", "lcmd_tp", "max_det"])
@pytest.mark.parametrize(
    "estimator",
    [Ridge("auto"), External(LinearRegression()), External(KNeighborsRegressor(3))],
    ids=["ridge", "least squares", "neighbours"],
)
def test_strategies_keep_their_promises_on_linear_and_silent_models(strategy: str, estimator) -> None:
    check_strategy(choose(strategy, estimator), greedy=True)


def test_features_of_a_surrogate_are_named_as_such(caplog) -> None:
    X, y = table()
    known = np.where(np.arange(120) < 30, y, np.nan)
    for estimator, words in [(GaussianProcessRegressor(), "surrogate"), (LinearRegression(), "")]:
        pool = pool_of(X, y=known)
        committee = train(KEY, External(estimator), pool, 2)
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="strongsuit"):
            evidence = gather(KEY, committee, pool, ("grad",))
        assert words in evidence.stand_in and bool(evidence.stand_in) == bool(words)
        assert (evidence.stand_in in caplog.messages) == bool(words)
        chosen = propose(KEY, find_strategy("lcmd_tp"), evidence, 5)
        assert chosen.degraded == ("surrogate_gradients" if words else "")


def test_a_classifier_that_saw_one_class_has_features_of_a_surrogate() -> None:
    X, _ = table()
    learner = External(LogisticRegression())
    params = fit_one(learner, KEY, X, np.eye(2)[np.zeros(120, int)], np.ones(120))
    assert "surrogate" in learner.stand_in(params)
    assert np.isfinite(learner.sketch(KEY, params, X, 32)).all()


def test_models_read_from_files_say_that_they_keep_no_training_rows() -> None:
    X, y = table()
    learner = External(LinearRegression())
    params = fit_one(learner, KEY, X, y, np.ones(120))
    assert len(params.rows) == 120
    with pytest.raises(InputError, match="fit it anew"):
        learner.sketch(KEY, type(params)(params.estimators, params.k), X, 32)


def test_a_committee_of_equals_has_no_variance_to_choose_by() -> None:
    X, y = table(300)
    pool = pool_of(X, y=np.where(np.arange(300) < 100, y, np.nan))
    committee = train(KEY, External(HistGradientBoostingRegressor(max_iter=20)), pool, 5)
    evidence = gather(KEY, committee, pool, ("var",))
    assert not evidence.var[~pool.labelled].any()
    assert propose(KEY, find_strategy("qbc"), evidence, 5).degraded == "constant_score"
