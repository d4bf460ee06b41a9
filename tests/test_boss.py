"""The oracle of the benchmark: the best of its batches by true test error, refused wherever labels are not known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from strongsuit import suggest
from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.session import fitted, init
from strongsuit.bench import boss, class_tasks
from strongsuit.bench.class_bench import class_plans, measure
from strongsuit.bench.class_runs import ClassPlan, opened
from strongsuit.bench.class_tasks import ClassTask, class_arena
from strongsuit.cli import main
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.errors import InputError
from strongsuit.learners.softmax import Softmax

KEY = root_key(8)


def toy(name: str):
    """Three clusters of text classes, one of them small."""
    rng = np.random.default_rng(5)
    number = np.where(np.arange(220) < 200, np.arange(220) % 2, 2)
    X = rng.normal(size=(220, 3)) + 1.5 * np.eye(3)[number]
    return X, np.array(["x", "y", "z"])[number], None


@pytest.fixture(autouse=True)
def toy_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(class_tasks.TASKS, "toy", ClassTask("toy", "clusters", toy, start=9, batch=4, rounds=2))
    class_tasks._read.cache_clear()


def begun():
    arena = class_arena("toy", 0)
    session, committee = fitted(opened(ClassPlan("toy", 0, "boss:10", "linear"), arena))
    return arena, session, committee


def test_the_batch_of_fewest_wrong_test_rows_is_taken() -> None:
    arena, session, committee = begun()
    later, batch = boss.ask(session, committee, arena, 4, batches=10)
    _, again = boss.ask(session, committee, arena, 4, batches=10)
    np.testing.assert_array_equal(batch.index, again.index)
    assert later.pool.pending[batch.index].all() and later.round == 1 and len(set(batch.index)) == 4
    known = np.append(np.flatnonzero(session.pool.labelled), batch.index)
    params = committee.learner.fit(KEY, arena.X[known], np.eye(3)[arena.y[known]], np.ones(len(known)))
    said = committee.learner.predict(params, arena.X_test).mean
    low, mean, high = batch.facts["wrong"]
    assert (said.argmax(1) != arena.y_test).mean() == pytest.approx(low) and low < mean < high


def test_many_weightings_are_judged_as_fits_one_by_one() -> None:
    arena, session, committee = begun()
    open_rows = np.flatnonzero(session.pool.available)
    found = [open_rows[:4], open_rows[4:8], open_rows[2:6]]
    wrong = boss.wrong_shares(committee, session.pool.labelled, found, arena)
    for batch, share in zip(found, wrong, strict=True):
        known = np.append(np.flatnonzero(session.pool.labelled), batch)
        params = committee.learner.fit(KEY, arena.X[known], np.eye(3)[arena.y[known]], np.ones(len(known)))
        assert (committee.learner.predict(params, arena.X_test).mean.argmax(1) != arena.y_test).mean() == share


def test_batches_come_from_parts_of_the_pool_and_by_class_evenly() -> None:
    from strongsuit.active.evidence import gather

    arena, session, committee = begun()
    rule = CLASS_STRATEGIES["typiclust"]
    evidence = gather(KEY, committee, session.pool, rule.needs)
    found = boss.proposed(KEY, rule, evidence, arena.y, 6, aware=True)
    assert len(set(found.tolist())) == 6 and session.pool.available[found].all()
    assert np.bincount(arena.y[found]).tolist() == [2, 2, 2]
    plain = boss.proposed(KEY, rule, evidence, arena.y, 6, aware=False)
    assert len(set(plain.tolist())) == 6 and session.pool.available[plain].all()
    rng = key_for(KEY, "shares").numpy()
    assert boss.shared_out(rng, np.array([1, 9, 9]), 9).tolist() == [1, 4, 4]
    assert sorted(boss.shared_out(rng, np.array([5, 5, 5]), 4)) == [1, 1, 2]
    assert boss.shared_out(rng, np.array([1, 2]), 9).tolist() == [1, 2]


def test_a_run_of_the_oracle_is_a_record_like_others(tmp_path) -> None:
    (record,) = measure(ClassPlan("toy", 0, "boss:20", "linear"))
    assert record["labels"] == [9, 13, 17] and record["strategy"] == "boss:20" and len(record["facts"]) == 2
    random = measure(ClassPlan("toy", 0, "random", "linear"))[0]
    assert record["accuracy"][0] == random["accuracy"][0] and record["accuracy"][-1] >= random["accuracy"][-1]
    for facts, accuracy in zip(record["facts"], record["accuracy"][1:], strict=True):
        assert accuracy == pytest.approx(1.0 - facts["wrong"][0], abs=1e-6)
    assert [plan.strategy for plan in class_plans(["toy"], ["boss", "boss:5"], repeats=1)] == [
        "random",
        "boss",
        "boss:5",
    ]
    assert not any("boss" in plan.strategy for plan in class_plans(["toy"], None, repeats=1))
    with pytest.raises(InputError, match="boss:50 for fifty; got 'boss:many'"):
        class_plans(["toy"], ["boss:many"], repeats=1)
    assert boss.batches_of("boss") == boss.BATCHES and boss.batches_of("margin") is None


def test_the_oracle_is_refused_where_labels_are_not_known(tmp_path, capsys) -> None:
    X, _, _ = toy("")
    y = np.full((len(X), 3), np.nan)
    y[:20] = np.eye(3)[np.arange(20) % 3]
    for name in ("boss", "boss:20"):
        with pytest.raises(InputError, match="needs true labels: it runs in benchmarks only"):
            init(KEY, Softmax(), X, y=y, strategy=name)
    pool = pd.DataFrame(X, columns=list("abc"))
    known = pool[:20].assign(kind=np.tile(["x", "y"], 10))
    with pytest.raises(InputError, match="needs true labels"):
        suggest(pool[20:], labelled=known, target="kind", strategy="boss")
    pool[20:].to_csv(tmp_path / "pool.csv", index=False)
    known.to_csv(tmp_path / "known.csv", index=False)
    code = main(["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--target", "kind",
                 "--strategy", "boss"])  # fmt: skip
    assert code == 3 and "benchmarks only" in capsys.readouterr().err
    assert main(["strategies", "--json"]) == 0
    assert not any("boss" in row["name"] for row in json.loads(capsys.readouterr().out))
