"""The scikit-learn faces: conventions, tables of all kinds, and what they say of the model inside."""

from __future__ import annotations

import doctest
import inspect
import json
import pickle
from importlib import import_module

import numpy as np
import pandas as pd
import polars
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.linear_model import Ridge as LinearRidge
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from strongsuit import recipes
from strongsuit.datasets import generate
from strongsuit.errors import InputError
from strongsuit.estimators import ActivePartitioner, PartitionedRegressor
from strongsuit.learners.ridge import Ridge
from strongsuit.partition.values import Competitor, Config

QUICK = {"restarts": 1, "max_regimes": 3, "min_rows": 10, "random_state": 0}
SMALLEST = {"restarts": 1, "max_regimes": 2, "min_rows": 60, "random_state": 0}


def regressor(learner="ridge", **changes) -> PartitionedRegressor:
    return PartitionedRegressor(learner, **({"folds": 2} | QUICK | changes))


def partitioner(**changes) -> ActivePartitioner:
    return ActivePartitioner(**(QUICK | changes))


def two_laws(rows: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, 2), y (n,) and the true regime: two lines that meet nowhere."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (rows, 2))
    regime = (X[:, 0] > 0.1).astype(int)
    y = np.where(regime == 1, 3.0 - 2.0 * X[:, 1], -1.0 + X[:, 1]) + rng.normal(0, 0.05, rows)
    return X, y, regime


@pytest.fixture(scope="module")
def rows():
    return two_laws()


@pytest.fixture(scope="module")
def model(rows) -> PartitionedRegressor:
    X, y, _ = rows
    return regressor().fit(X, y)


@parametrize_with_checks(
    [PartitionedRegressor("ridge", folds=2, **SMALLEST), ActivePartitioner(**SMALLEST)],
)
def test_scikit_learn_conventions(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize("face", [ActivePartitioner, PartitionedRegressor])
def test_defaults_are_those_of_the_partition_wing(face) -> None:
    for name, parameter in inspect.signature(face).parameters.items():
        if hasattr(Config, name):
            assert parameter.default == getattr(Config, name), name


def test_regimes_are_found_and_experts_deployed(rows, model) -> None:
    X, _, regime = rows
    assert (model.found_, model.regimes_) == (2, 2)
    assert adjusted_rand_score(regime, model.labels_) > 0.9
    assert_array_equal(model.predict_regime(X), model.labels_)
    new_X, new_y, new_regime = two_laws(500, seed=1)
    assert np.mean(model.route(new_X)["reason"] == "expert") > 0.9
    assert adjusted_rand_score(new_regime, model.predict_regime(new_X)) > 0.9
    assert np.median((model.predict(new_X) - new_y) ** 2) < 0.01  # noise: 0.0025
    assert model.score(new_X, new_y) > max(0.9, LinearRegression().fit(X, rows[1]).score(new_X, new_y))


def test_route_says_who_answers_and_predict_agrees_with_it(rows, model) -> None:
    X, _, _ = rows
    frame = pd.DataFrame(np.vstack([X[:4], [[500.0, 500.0]]]), index=list("abcde"))
    table = model.route(frame)
    assert list(table.columns) == ["prediction", "spread", "regime", "probability", "reason"]
    assert list(table.index) == list("abcde")
    assert table["reason"].tolist()[-1] == "far"
    mean, spread = model.predict(frame, return_std=True)
    assert_array_equal(mean, table["prediction"])
    assert_array_equal(spread, table["spread"])
    assert mean[-1] == model.fallback_predict(frame)[-1]
    assert_allclose(model.regime_proba(X).sum(1), 1.0)
    assert_array_equal(model.regime_proba(X).max(1)[:4], table["probability"][:4])


def test_unguarded_predictions_are_those_of_the_experts(rows, model) -> None:
    X, _, _ = rows
    speaking = model.route(X)["reason"].to_numpy() == "expert"
    assert_array_equal(model.unguarded_predict(X)[speaking], model.predict(X)[speaking])
    assert not np.allclose(model.unguarded_predict(X), model.fallback_predict(X))


def test_a_refused_partition_is_the_fallback_bit_for_bit() -> None:
    table = generate("overlap", rows=100, seed=0)
    model = regressor().fit(table.X, table.y)
    assert (model.regimes_, model.summary_["deployed"]) == (1, "single")
    assert_array_equal(model.predict(table.X), model.fallback_predict(table.X))
    assert "expert" not in set(model.route(table.X)["reason"])


def test_summary_is_plain_json_with_what_the_command_prints(rows, model) -> None:
    facts = json.loads(json.dumps(model.summary_, allow_nan=False))
    assert facts["rows"] == len(rows[0])
    assert (facts["found"], facts["regimes"], facts["deployed"]) == (2, 2, "partitioned")
    assert set(facts["loss"]) == set(facts["relative_loss"]) == {"single", "gated", "oracle", "deployed"}
    ratio = facts["loss"]["single"] / facts["relative_loss"]["single"]
    assert ratio == pytest.approx(np.var(rows[1]))
    assert facts["loss"]["oracle"] <= facts["loss"]["deployed"] < facts["loss"]["single"]
    assert facts["gate_accuracy"] > 0.9 and facts["fits"] > 10 and facts["seconds"] > 0
    assert sum(facts["sizes"]) == len(rows[0])


def test_several_targets_share_one_partition(rows) -> None:
    X, y, _ = rows
    Y = pd.DataFrame({"first": y, "second": 100.0 * y**2})
    model = regressor().fit(X, Y)
    assert model.found_ == 2
    mean, spread = model.predict(X, return_std=True)
    assert mean.shape == spread.shape == model.unguarded_predict(X).shape == (len(X), 2)
    columns = ["prediction_first", "prediction_second", "spread_first", "spread_second"]
    assert set(columns) < set(model.route(X).columns)
    assert model.score(X, Y) > 0.9
    one_column = regressor(max_regimes=1).fit(X, y[:, None])
    assert one_column.predict(X).shape == (len(X), 1)
    assert_array_equal(one_column.predict(X)[:, 0], regressor(max_regimes=1).fit(X, y).predict(X))


def test_the_same_seed_gives_the_same_bits_whatever_the_number_of_jobs(rows, model) -> None:
    X, y, _ = rows
    again = regressor(n_jobs=2).fit(X, y)
    assert_array_equal(again.predict(X), model.predict(X))
    assert again.model_.verdict == model.model_.verdict
    thawed = pickle.loads(pickle.dumps(again))
    assert_array_equal(thawed.predict(X), model.predict(X))


def test_labels_follow_their_rows_and_rows_without_weight_get_one_too(rows, model) -> None:
    X, y, _ = rows
    weights = np.ones(len(X))
    weights[::4] = 0
    weighted = partitioner().fit(X, y, sample_weight=weights)
    kept = partitioner().fit(X[weights > 0], y[weights > 0])
    assert_array_equal(weighted.labels_[weights > 0], kept.labels_)
    assert_array_equal(weighted.labels_, weighted.predict(X))


def mixed_frame(rows: int = 120) -> tuple[pd.DataFrame, pd.Series]:
    """Text, missing numbers and a law for each of two sets of levels."""
    rng = np.random.default_rng(3)
    kind = rng.choice(["alloy", "foam", "wood", None], rows, p=[0.4, 0.3, 0.2, 0.1])
    load = rng.uniform(-1, 1, rows)
    y = np.where(kind == "alloy", 4.0 + load, -3.0 * load) + rng.normal(0, 0.05, rows)
    load[::15] = np.nan
    return pd.DataFrame({"kind": kind, "load": load, "noise": rng.normal(size=rows)}), pd.Series(y, name="kN")


def test_frames_may_hold_text_and_missing_cells() -> None:
    frame, y = mixed_frame()
    model = regressor(max_regimes=2).fit(frame, y)
    assert_array_equal(model.feature_names_in_, ["kind", "load", "noise"])
    assert model.n_features_in_ == 3
    assert model.summary_["targets"] == ["kN"]
    assert np.isfinite(model.predict(frame)).all()
    again = regressor(max_regimes=2).fit(polars.from_pandas(frame), polars.Series("kN", y.to_numpy()))
    assert_array_equal(again.feature_names_in_, model.feature_names_in_)
    assert_array_equal(again.predict(polars.from_pandas(frame)), model.predict(frame))
    strange = frame.head(3).assign(kind=["stone", "alloy", "foam"])
    expected = "one_model" if model.found_ == 1 else "unseen_level"
    assert model.route(strange)["reason"].tolist()[0] == expected
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"load": "force"}))
    with pytest.raises(InputError, match="'load' held numbers"):
        model.predict(frame.assign(load="much"))


def test_a_numeric_frame_and_its_array_give_the_same_model(rows, model) -> None:
    X, y, _ = rows
    framed = regressor().fit(pd.DataFrame(X, columns=["a", "b"]), y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert_array_equal(framed.predict(X), model.predict(X))


@pytest.mark.parametrize("learner", [LinearRegression(), KNeighborsRegressor(3), Ridge("linear")])
def test_any_regressor_or_learner_may_serve(rows, learner) -> None:
    X, y, _ = rows
    model = regressor(learner, max_regimes=2).fit(X, y)
    assert model.summary_["families"]["fallback"] == type(learner).__name__
    assert np.isfinite(model.predict(X)).all()
    assert clone(model).get_params()["learner"] is not None


def test_grid_search_routes_weights_and_groups(rows) -> None:
    X, y, _ = rows
    groups, weights = np.arange(len(X)) // 4, np.linspace(0.5, 1.5, len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        model = regressor(LinearRidge(), max_regimes=2, min_rows=60)
        model.set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
        grid = {"learner__alpha": [0.01, 100.0]}
        search = GridSearchCV(model, grid, cv=GroupKFold(2), error_score="raise")
        search.fit(X, y, sample_weight=weights, groups=groups)
    assert search.best_params_ == {"learner__alpha": 0.01}
    assert clone(search.best_estimator_).get_params()["learner__alpha"] == 0.01


def test_groups_stay_on_one_side_of_every_split() -> None:
    X, y, _ = two_laws(80)
    with_groups = regressor(min_rows=60).fit(X, y, groups=["a", "b", "c", "d"] * 20)
    units = with_groups.model_.verdict.regimes
    assert np.isfinite(with_groups.predict(X)).all() and len(units) == with_groups.found_
    assert any("repeated_rows: 76 rows" in note for note in with_groups.model_.notes)


@pytest.fixture(scope="module")
def found(rows) -> ActivePartitioner:
    X, y, _ = rows
    return partitioner().fit(X, y)


def test_the_partitioner_finds_regimes_without_experts(rows, found) -> None:
    X, y, regime = rows
    assert found.n_regimes_ == 2 and found.boundary_ is not None and found.gate_accuracy_ > 0.9
    assert adjusted_rand_score(regime, found.predict(X)) > 0.9
    assert_array_equal(found.labels_, found.predict(X))
    assert_array_equal(partitioner().fit_predict(X, y), found.labels_)
    assert found.predict(X[:1]).shape == (1,) and found.predict(X[:0]).shape == (0,)


def test_the_partitioner_transforms_to_probabilities(rows, found) -> None:
    X, _, _ = rows
    values = found.transform(X)
    assert values.shape == (len(X), 2)
    assert_allclose(values.sum(1), 1.0)
    for library, kind in (("pandas", pd.DataFrame), ("polars", polars.DataFrame)):
        table = clone(found).set_output(transform=library)
        table.__dict__ |= {name: value for name, value in vars(found).items() if name.endswith("_")}
        assert isinstance(table.transform(X), kind)
        assert list(table.transform(X).columns) == ["regime0", "regime1"]


@pytest.mark.parametrize("learner", ["ridge", LinearRegression()])
def test_the_partitioner_lets_other_models_compete(rows, learner) -> None:
    X, y, regime = rows
    assert adjusted_rand_score(regime, partitioner(learner=learner).fit(X, y).labels_) > 0.9


def test_the_published_scheme_runs_without_a_guard(rows) -> None:
    X, y, _ = rows
    found = partitioner(learner="ridge", mode="paper", max_regimes=4).fit(X, y)
    assert found.n_regimes_ >= 2
    assert found.model_.verdict.reason in ("unguarded", "one_regime")


@pytest.mark.parametrize("face", [ActivePartitioner(), PartitionedRegressor("ridge")])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "held-out"}, "mode must be one of held_out, paper, got 'held-out'"),
        ({"learner": "rigde"}, "learner must be one of auto, ridge"),
        ({"learner": LogisticRegression()}, "learner must be one of .* got LogisticRegression"),
        ({"learner": LinearRegression}, "an unfitted scikit-learn regressor"),
        ({"max_regimes": 0}, "max_regimes == 0, must be >= 1"),
        ({"restarts": 99}, "restarts == 99, must be <= 8"),
        ({"min_rows": -1}, "min_rows == -1, must be >= 1"),
        ({"random_state": "seed"}, "random_state must be None, an integer"),
    ],
)
def test_wrong_parameters_are_named(face, change, message) -> None:
    X, y, _ = two_laws(10)
    with pytest.raises(ValueError, match=message):
        clone(face).set_params(**change).fit(X, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caution": "brave"}, "caution must be one of strict, balanced"),
        ({"folds": 1}, "folds == 1, must be >= 2"),
        ({"alpha": 0.0}, "alpha == 0.0, must be > 0"),
        ({"min_gain": 1.5}, "min_gain == 1.5, must be < 1"),
    ],
)
def test_wrong_guards_are_named(change, message) -> None:
    X, y, _ = two_laws(10)
    with pytest.raises(ValueError, match=message):
        regressor(**change).fit(X, y)


def _with(array: np.ndarray, place, value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


def test_unusable_tables_get_a_sentence() -> None:
    X, y, _ = two_laws(10)
    model = regressor(max_regimes=1)
    rejected = [
        ((_with(X, (slice(0, 3), 1), np.nan), y), {}, r"X contains NaN in column 1 \(3 rows\): impute"),
        ((_with(X, (4, 0), np.inf), y), {}, "X contains infinity in column 0"),
        ((X, _with(y, 2, np.nan)), {}, r"y contains NaN in 1 of 10 rows \(first in row 2\): drop"),
        ((X, y), {"sample_weight": -(y**2)}, "sample_weight holds negative"),
        ((X, y), {"sample_weight": np.zeros(10)}, "sample_weight is zero for every row"),
        ((X, y), {"sample_weight": np.ones(9)}, r"shape \(10,\), got \(9,\)"),
        ((X, y), {"groups": list("abc")}, r"groups must have one entry a row: shape \(10,\)"),
        ((X, y), {"groups": ["a", None] * 5}, "groups is missing in 5 rows"),
        ((pd.DataFrame(np.c_[X, X], columns=list("aabc")), y), {}, "columns of the same name: 'a'"),
        ((pd.DataFrame(X[:1]), y[:1]), {}, "n_samples = 1"),
        ((pd.DataFrame({"a": np.full(10, np.inf)}), y), {}, "'a' holds infinite values"),
    ]
    for arguments, named, message in rejected:
        with pytest.raises(InputError, match=message):
            model.fit(*arguments, **named)


def test_no_row_and_one_row_are_predicted(rows, model) -> None:
    X, _, _ = rows
    for asked in (0, 1):
        few = X[:asked]
        assert model.predict(few).shape == model.fallback_predict(few).shape == (asked,)
        assert model.unguarded_predict(few).shape == model.predict_regime(few).shape == (asked,)
        assert model.regime_proba(few).shape == (asked, 2)
        assert len(model.route(few)) == asked


def test_paper_mode_deploys_what_it_finds(rows, monkeypatch) -> None:
    X, y, _ = rows
    monkeypatch.setattr(recipes, "paper_competitor", lambda: Competitor("line", Ridge("linear")))
    model = regressor(mode="paper", max_regimes=4).fit(X, y)
    assert model.regimes_ == model.found_ >= 2
    assert_array_equal(model.predict(X), model.unguarded_predict(X))


@pytest.mark.parametrize("name", ["partitioner", "regressor"])
def test_docstring_examples_hold(name) -> None:
    outcome = doctest.testmod(import_module(f"strongsuit.estimators.{name}"))
    assert outcome.attempted > 3 and outcome.failed == 0
