"""Pools, evidence, embeddings and scores against plain statements of what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.active import embeddings, scores
from strongsuit.active.committee import answer, train
from strongsuit.active.evidence import Evidence, gather
from strongsuit.active.pool import EXCLUDED, LABELLED, PENDING, asked, failed, pool_of, told
from strongsuit.core import root_key
from strongsuit.core.learner import predict_many
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, Ridge

SMALL = MLP(widths=(8,), epochs=5, least_steps=20, choose_decay=False)


class Mute:
    """A learner that shows nothing but answers."""

    traceable = False


def started(n: int = 40, known: int = 12, *, k: int = 1, d: int = 3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = np.full((n, k), np.nan)
    y[:known] = np.stack([np.sin(X[:known, 0]) + j for j in range(k)], axis=1)
    return pool_of(X, y=y)


def blank(features: np.ndarray, labelled: np.ndarray, **fields) -> Evidence:
    none = np.zeros((len(features), 1))
    return Evidence(none, none, none, ~labelled, labelled, labelled, grad=features, **fields)


def test_rows_go_from_available_to_labelled_and_never_leave() -> None:
    pool = started()
    pool = asked(pool, np.array([20, 30]))
    assert (pool.state[[20, 30]] == PENDING).all() and not pool.available[20]
    with pytest.raises(InputError, match="row 20 cannot be asked for: it is pending"):
        asked(pool, np.array([20]))
    pool = told(failed(pool, np.array([30])), np.array([20]), np.array([1.5]))
    assert pool.state[20] == LABELLED and pool.y[20, 0] == 1.5 and pool.state[30] == EXCLUDED
    assert len(pool) == 40
    assert told(pool, np.array([20]), np.array([2.5])).y[20, 0] == 2.5  # a revision


@pytest.mark.parametrize(
    ("index", "y", "words"),
    [
        ([15, 16], [1.0, np.nan], "label of row 16 is not finite"),
        ([15, 15], [1.0, 2.0], "named twice"),
        ([99], [1.0], "numbered 0 to 39"),
        ([15], [[1.0, 2.0]], "1 rows of 1 outputs"),
    ],
)
def test_unusable_labels_are_refused_and_nothing_is_recorded(index, y, words: str) -> None:
    pool = started()
    with pytest.raises(InputError, match=words):
        told(pool, np.array(index), np.array(y))
    assert not pool.labelled[15]


def test_inputs_that_are_not_numbers_are_named() -> None:
    X = np.ones((5, 2))
    X[3, 1] = np.nan
    with pytest.raises(InputError, match=r"1 pool rows hold NaN or infinity \(first: row 3; first: column \d\)"):
        pool_of(X)
    with pytest.raises(InputError, match="complete or all NaN"):
        pool_of(np.ones((2, 1)), y=np.array([[1.0, np.nan], [1.0, 2.0]]))


def test_inputs_lie_in_the_unit_box_and_constant_columns_at_its_centre() -> None:
    X = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0]])
    found = gather(root_key(0), None, pool_of(X), ())
    np.testing.assert_allclose(found.x, [[-1, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(found.x_std[:, 1], 0)
    boxed = gather(root_key(0), None, pool_of(X), (), box=(np.array([0.0, 4.0]), np.array([4.0, 8.0])))
    np.testing.assert_allclose(boxed.x, [[-0.5, -0.5], [0.5, -0.5], [0, -0.5]])


@pytest.mark.parametrize("learner", [SMALL, Ridge("linear")], ids=["compiled", "host"])
def test_moments_are_those_of_the_members(learner) -> None:
    pool = started(k=2)
    committee = train(root_key(1), learner, pool, 3)
    found = gather(root_key(2), committee, pool, ("mean", "var", "members"))
    said = np.asarray(predict_many(learner, committee.params, pool.X).mean)
    new = ~pool.labelled
    np.testing.assert_allclose(found.mean[new], said.mean(0)[new], atol=1e-6)
    np.testing.assert_allclose(found.var[new], ((said - said.mean(0)) ** 2).mean((0, 2))[new], atol=1e-6)
    assert np.isnan(found.mean[pool.labelled]).all() and np.isnan(found.var[pool.labelled]).all()
    np.testing.assert_allclose(answer(committee, pool.X), said.mean(0) * committee.scale + committee.center, atol=1e-5)
    assert np.isnan(found.y[~pool.labelled]).all()


def test_a_learner_without_gradients_says_which_strategies_fit() -> None:
    pool = started()
    committee = replace(train(root_key(0), Ridge("linear"), pool, 2), learner=Mute())
    with pytest.raises(InputError, match="Mute has no gradients: choose a strategy that needs none"):
        gather(root_key(0), committee, pool, ("grad",))


def test_a_process_shows_its_kernel_for_gradients_and_its_variance_for_that_of_members() -> None:
    pool = started(k=2)
    committee = train(root_key(1), GP("matern"), pool, 5)
    assert len(committee.keys) == 1
    found = gather(root_key(2), committee, pool, ("mean", "var", "members", "grad", "gp"))
    told = predict_many(committee.learner, committee.params, pool.X)
    new = ~pool.labelled
    np.testing.assert_allclose(found.var[new], told.variance[0].mean(1)[new])
    np.testing.assert_allclose(found.members.mean(0)[new], found.mean[new], atol=1e-4)
    np.testing.assert_allclose(found.members.var(0).mean(1)[new], found.var[new], rtol=1e-4)
    np.testing.assert_array_equal(found.grad, found.gp)
    np.testing.assert_allclose(answer(committee, pool.X)[new], found.mean[new] * committee.scale + committee.center)
    quick = gather(root_key(2), committee, pool, ("mean",))
    np.testing.assert_allclose(quick.mean[new], found.mean[new])
    assert (quick.var[new] == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6), st.integers(0, 12))
def test_posterior_features_carry_the_conditioned_kernel(seed: int, p: int, known: int) -> None:
    rng = np.random.default_rng(seed)
    F, labelled = rng.normal(size=(15, p)), np.arange(15) < known
    found = embeddings.posterior(F, labelled, noise=0.1)
    F = F / np.sqrt((F[labelled] ** 2).sum(1).mean()) if known else F
    L = F[labelled]
    K = F @ F.T - F @ L.T @ np.linalg.solve(L @ L.T + 0.1 * np.eye(known), L @ F.T)
    np.testing.assert_allclose(found @ found.T, K, atol=1e-8)


def test_acs_features_estimate_the_covariance_of_gains() -> None:
    rng = np.random.default_rng(0)
    F, labelled = rng.normal(size=(12, 3)), np.arange(12) < 5
    phi = embeddings.acs_features(root_key(0), blank(F, labelled), width=200_000)
    post = embeddings.posterior(F, labelled)
    K, s = post @ post.T, embeddings.POSTERIOR_NOISE
    q = np.diag(K)
    # E[(f.t)^2 (g.t)^2] = q_f q_g + 2 K_fg^2 for a Gaussian t: the mean part and the squared covariance remain.
    shift = 0.5 * np.log1p(q / s) - q / s
    expected = shift[:, None] * shift[None] + K**2 / (2 * s**2)
    np.testing.assert_allclose(phi @ phi.T, expected, rtol=0.05, atol=0.05 * np.abs(expected).max())


def test_columns_that_do_not_matter_count_little() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    pool = pool_of(X, y=3 * X[:, 1] + 0.01 * rng.normal(size=200))
    found = gather(root_key(0), None, pool, ("ridge",))
    np.testing.assert_allclose(found.ridge[:, 0] / X.std(0), [0, 3, 0], atol=0.02)
    spread = embeddings.inputs_weighted(None, found).std(0)
    assert spread[1] == pytest.approx(1) and max(spread[0], spread[2]) < 0.02


def test_outputs_are_labels_where_they_are_known() -> None:
    pool = started()
    found = gather(root_key(0), train(root_key(0), Ridge("linear"), pool, 2), pool, ("mean", "var"))
    both = embeddings.inputs_outputs(None, found)
    np.testing.assert_allclose(both[:12, 3:], found.y[:12])
    np.testing.assert_allclose(both[12:, 3:], found.mean[12:])


def test_expected_change_is_disagreement_times_influence() -> None:
    rng = np.random.default_rng(0)
    members, features = rng.normal(size=(4, 9, 2)), rng.normal(size=(9, 5))
    found = scores.expected_change(
        blank(features, np.zeros(9, bool), members=members, reference=np.array([1, 4])),
    )
    for i in range(9):
        apart = np.mean([np.abs(m[i] - members[:, i].mean(0)).mean() for m in members])
        pull = np.mean([abs(features[i] @ features[z]) for z in (1, 4)])
        assert found[i] == pytest.approx(apart * pull)


def test_scores_of_loss_and_variance() -> None:
    mean, y = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 4.0], [3.0, 0.0]])
    found = blank(np.ones((2, 1)), np.array([True, False]), mean=mean, y_true=y, var=np.array([0.1, 0.2]))
    np.testing.assert_allclose(scores.true_loss(found), [2.0, 4.5])
    np.testing.assert_allclose(scores.committee_variance(found), [0.1, 0.2])
    np.testing.assert_allclose(scores.posterior_variance(found), (embeddings.grad_posterior(None, found) ** 2).sum(1))


def test_labels_that_are_no_anchors_are_hidden_from_every_field() -> None:
    pool = started()
    learner = Ridge()
    shown = pool.labelled.copy()
    shown[:4] = False
    committee = train(root_key(0), learner, pool, 2, rows=shown)
    needs = {"mean", "grad", "ridge"}
    changed = told(pool, np.arange(4), np.full((4, 1), 1e3))
    for one, other in [(gather(root_key(1), committee, p, needs, anchors=shown) for p in (pool, changed))]:
        assert np.isnan(one.y[:4]).all() and not one.labelled[:4].any()
        np.testing.assert_array_equal(one.ridge, other.ridge)
        np.testing.assert_array_equal(embeddings.outputs(None, one), embeddings.outputs(None, other))
        np.testing.assert_array_equal(embeddings.grad_posterior(None, one), embeddings.grad_posterior(None, other))


def test_a_learner_with_units_of_its_own_gets_labels_as_they_are() -> None:
    class Owner(Ridge):
        own_units = True

    committee = train(root_key(0), Owner(), started(), 2)
    assert committee.scale == 1.0 and (committee.center == 0.0).all()
    assert train(root_key(0), Ridge(), started(), 2).scale != 1.0


def test_a_committee_resumes_until_its_rows_have_doubled() -> None:
    pool = started(80, 80)
    first = train(root_key(0), SMALL, pool_of(pool.X[:40], y=pool.y[:40]), 2)
    later = train(root_key(1), SMALL, pool_of(pool.X[:55], y=pool.y[:55]), 2, start=first)
    anew = train(root_key(2), SMALL, pool, 2, start=later)
    assert (first.begun, later.begun, anew.begun) == (40, 40, 80)
    assert later.scale == first.scale and anew.scale != first.scale
    plain = train(root_key(2), SMALL, pool, 2)
    np.testing.assert_array_equal(anew.params.layers[0][0], plain.params.layers[0][0])
