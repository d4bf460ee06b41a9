"""Rules that take the rows nearest to the centres of clusters: which rows, and what they say where these are few."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strongsuit.active.selectors.representatives import cluster_margin, nearest_to_centres
from strongsuit.core import root_key

_spec = importlib.util.spec_from_file_location("plain", Path(__file__).with_name("cover_selector_references.py"))
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

KEY = root_key(5)


def test_representatives_are_the_rows_nearest_to_the_centres() -> None:
    X, label = plain.blobs((7, 20, 12))
    found = nearest_to_centres(KEY, plain.everything(X), 3)
    assert list(label[found.index]) == [1, 2, 0] and list(found.gain) == [20, 12, 7] and found.degraded == ""
    for row in found.index:
        own = X[label == label[row]]
        off = ((own - own.mean(axis=0)) ** 2).sum(axis=1)
        assert ((X[row] - own.mean(axis=0)) ** 2).sum() == pytest.approx(off.min())


def test_empty_clusters_are_made_up_for_by_the_next_nearest() -> None:
    X = np.repeat([[0.0, 0.0], [5.0, 1.0], [9.0, 9.0]], [2, 5, 3], axis=0)
    found = nearest_to_centres(KEY, plain.everything(X), 5)
    assert "empty_clusters" in found.degraded and len({tuple(x) for x in X[found.index[:3]]}) == 3
    assert [tuple(x) for x in X[found.index[3:]]] == [(5.0, 1.0), (9.0, 9.0)]


def test_drop_query_stays_among_its_candidates_and_says_where_they_are_few() -> None:
    X, label = plain.blobs((30, 30))
    score = np.where(np.arange(60) % 3 == 0, 2.0, 0.0)
    found = nearest_to_centres(KEY, plain.everything(X, score), 2, above=0.0)
    assert np.all(score[found.index] > 0) and set(label[found.index]) == {0, 1} and found.degraded == ""
    np.testing.assert_array_equal(
        found.index, nearest_to_centres(KEY, replace(plain.everything(X), available=score > 0), 2).index
    )
    for few in (0, 1, 3):
        score = np.where(np.arange(60) < few, 1.0, 0.0)
        found = nearest_to_centres(KEY, plain.everything(X, score), 5, above=0.0)
        assert set(found.index[:few]) == set(range(few)) and len(set(found.index)) == 5
        assert "few_candidates" in found.degraded.split(",") and set(label[found.index[few:]]) == {0, 1}


@pytest.mark.parametrize("subset", [5000, 25])
def test_cluster_margin_takes_turns_from_the_smallest_cluster(subset: int) -> None:
    X, label = plain.blobs((30, 30, 30))
    score = np.random.default_rng(0).random(90)
    kept = np.concatenate([np.flatnonzero(label == g)[:count] for g, count in enumerate((5, 1, 4))])
    score[kept] += 1.0
    found = cluster_margin(KEY, plain.everything(X, score), 8, clusters=3, subset=subset)
    assert list(label[found.index]) == [1, 2, 0, 2, 0, 2, 0, 2] and set(found.index) <= set(kept)
    np.testing.assert_array_equal(found.gain, score[found.index])
    drawn = {
        tuple(cluster_margin(root_key(s), plain.everything(X, score), 2, clusters=3, share=5).index) for s in range(9)
    }
    assert len(drawn) > 3, "rows of a cluster are drawn"
    assert set(cluster_margin(KEY, plain.everything(X, score), 10, share=1.0).index) == set(kept)
