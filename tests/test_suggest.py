"""`strongsuit suggest`, as a function and as a command: the loop, identity, reasons, budgets, curve and advice."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strongsuit.active.guard import TRUSTED
from strongsuit.cli import main
from strongsuit.errors import InputError
from strongsuit.learners import MLP

ADDED = [
    "strongsuit_row",
    "strongsuit_role",
    "strongsuit_round",
    "strongsuit_guard",
    "strongsuit_rank",
    "strongsuit_why",
]


_spec = importlib.util.spec_from_file_location("suggest_tables", Path(__file__).with_name("suggest_tables.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
ask, law, tables = _shared.ask, _shared.law, _shared.tables


def told(labelled: pd.DataFrame, found) -> pd.DataFrame:
    return pd.concat([labelled, found.frame.assign(y=law)], ignore_index=True)


@pytest.mark.parametrize("strategy", ["gsx", "lcmd_x", "qbc_div", "qbc"])
def test_rows_keep_their_identity_and_say_why(strategy: str) -> None:
    pool, labelled = tables()
    found = ask(pool, labelled, n=8, strategy=strategy)
    assert len(found.frame) == 8 and not set(found.frame["sample"]) & set(labelled["sample"])
    assert found.frame.columns.tolist() == ["sample", "a", "b", *ADDED]
    again = pool.set_index("sample").loc[found.frame["sample"], ["a", "b"]].to_numpy()
    np.testing.assert_array_equal(found.frame[["a", "b"]].to_numpy(), again)
    np.testing.assert_array_equal(pool["sample"].iloc[found.frame["strongsuit_row"] - 1], found.frame["sample"])
    random = (found.frame["strongsuit_role"] == "audit").to_numpy()
    assert random.sum() == 4
    why = found.frame["strongsuit_why"]
    assert why[random].str.startswith("random: the guard's share").all()
    assert why[~random].str.match(rf"{strategy}: .*; pick \d of 4, .*\d").all()
    assert sorted(found.frame["strongsuit_rank"][~random]) == [1, 2, 3, 4]
    assert found.frame["strongsuit_rank"][random].isna().all()
    pd.testing.assert_frame_equal(found.frame, ask(pool, labelled, n=8, strategy=strategy).frame)


def test_answers_are_appended_and_the_loop_goes_on() -> None:
    pool, labelled = tables()
    labelled, pool = labelled.drop(columns="sample"), pool.drop(columns="sample")
    for _ in range(3):
        found = ask(pool, labelled, id=None)
        assert not pd.merge(found.frame[["a", "b"]], labelled[["a", "b"]]).shape[0]
        labelled = told(labelled, found)
    assert found.facts["round"] == 3 and found.facts["left"] == 120 - 30 - 30
    assert sorted(labelled["strongsuit_round"].dropna().unique()) == [1, 2, 3]


def test_random_rows_walk_one_order_however_the_pool_is_kept() -> None:
    """Taking labelled rows out of the pool, or shuffling it, moves neither the random rows nor the reserve."""
    pool, labelled = tables()
    kept, cut, start = labelled, labelled, labelled
    for _ in range(3):
        one = ask(pool, kept)
        other = ask(pool[~pool["sample"].isin(cut["sample"])].sample(frac=1.0, random_state=1), cut)
        audits = [set(f.frame.loc[f.frame.strongsuit_role == "audit", "sample"]) for f in (one, other)]
        assert audits[0] == audits[1] and len(audits[0]) == 5
        kept, cut = told(kept, one), told(cut, other)
    assert other.facts["outside"] == len(cut) - len(other.frame) if len(cut) == 0 else True
    every = ask(pool, start, n=90, guarded=False, strategy="random").frame["sample"]
    assert len(set(every)) == 90


def test_the_guard_remembers_its_verdict() -> None:
    pool, labelled = tables()
    first = told(labelled, ask(pool, labelled))
    trusted = first.assign(strongsuit_guard=first["strongsuit_guard"].replace("trial", TRUSTED))
    assert ask(pool, trusted).facts["random"] == 1 and "trusted" in ask(pool, trusted).text
    fallen = first.assign(strongsuit_guard=first["strongsuit_guard"].replace("trial", "random"))
    found = ask(pool, fallen)
    assert found.facts["random"] == 10 and (found.frame["strongsuit_guard"] == "random").all()
    assert "active selection did harm" in found.text


def test_the_guard_judges_after_enough_rounds() -> None:
    pool, labelled = tables(rows=600)
    for _ in range(3):
        labelled = told(labelled, ask(pool, labelled, n=60))
    assert ask(pool, labelled).facts["verdict"] == []  # an odd round
    labelled = told(labelled, ask(pool, labelled, n=60))
    found = ask(pool, labelled)
    (verdict,) = found.facts["verdict"]
    assert verdict["reason"] in ("trust", "unchanged") and "at equal size" in found.text


def test_rows_without_a_label_count_as_asked_for() -> None:
    pool, labelled = tables()
    first = ask(pool, labelled)
    waiting = pd.concat([labelled, first.frame.assign(y=np.nan)], ignore_index=True)
    found = ask(pool, waiting)
    assert not set(found.frame["sample"]) & set(first.frame["sample"])
    assert found.facts["pending"] == 10 and "10 rows without a label count as asked for" in found.text


def test_the_curve_is_cross_validated_until_random_rows_judge() -> None:
    pool, labelled = tables()
    found = ask(pool, labelled)
    points = found.facts["curve"]["points"]
    assert found.facts["curve"]["kind"] == "cross_validated" and points[-1]["labels"] == 24
    assert all(p["low"] <= p["error"] <= p["high"] for p in points)
    for _ in range(4):
        labelled = told(labelled, ask(pool, labelled))
    found = ask(pool, labelled)
    assert found.facts["curve"]["kind"] == "audit" and found.facts["curve"]["points"][-1]["labels"] == 70
    assert "20 random rows that no training and no choice saw" in found.text
    assert "labels should lower the squared error by" in found.text


def test_the_order_of_labelling_may_be_named() -> None:
    pool, labelled = tables()
    dated = labelled.assign(day=[f"2024-01-{1 + i // 10:02d}" for i in range(30)])
    assert len(ask(pool, dated, order="day").history.points) > 2
    with pytest.raises(InputError, match="order names 'day', which must hold a number or date in every row"):
        ask(pool, dated.assign(day="monday"), order="day")


def test_few_or_constant_labels_give_no_curve_and_say_so() -> None:
    pool, labelled = tables(known=6)
    assert "a learning curve needs 20 labelled rows, there are 6" in ask(pool, labelled, n=4).text
    pool, labelled = tables()
    found = ask(pool, labelled.assign(y=2.0), n=4, strategy="qbc")
    assert found.facts["strategy"] == "lcmd_x"
    assert "the target is the same in all 30 labelled rows, so rows are chosen by their features alone" in found.text


def test_a_target_error_and_a_plateau_end_a_campaign() -> None:
    pool, labelled = tables(known=110)
    labelled = labelled.assign(y=3 * labelled.a - labelled.b)
    assert "The root mean squared error is at most" in ask(pool, labelled, n=5, target_error=1.0).text
    found = ask(pool, labelled, n=5, target_error=1.0)
    assert found.facts["stop"]["yes"] and "Advice: stop labelling." in found.text
    noise = np.random.default_rng(5).normal(size=110)
    stop = ask(pool, labelled.assign(y=noise), n=5, target_error=0.5).facts["stop"]
    assert stop["numbers"]["target.bound"] > 0.5 and stop["numbers"]["plateau.high"] < 0.02  # noise: more is in vain


def test_a_budget_cuts_the_batch() -> None:
    pool, labelled = tables()
    found = ask(pool, labelled, budget=34)
    assert len(found.frame) == 4 and "4 rows instead of the 10 asked for: the budget allows no more" in found.text
    with pytest.raises(InputError, match=r"the budget of 30 is spent: 30 so far"):
        ask(pool, labelled, budget=30)
    found = ask(pool, labelled, budget=70, price=2.0)
    assert len(found.frame) == 5 and found.facts["cost"] == {"batch": 10.0, "spent": 60.0, "budget": 70.0}


def test_prices_weigh_scores_and_are_added_up() -> None:
    pool, labelled = tables()
    pool = pool.assign(price=np.where(np.arange(120) % 2, 100.0, 1.0))
    found = ask(pool, labelled, strategy="bald", cost="price")
    chosen = found.frame["strongsuit_role"] == "active"
    assert (found.frame.loc[chosen, "price"] == 1.0).all() and "for their price" in found.text
    assert found.facts["cost"]["batch"] == found.frame["price"].sum()
    assert found.facts["cost"]["spent"] == pool["price"].iloc[:30].sum()
    small = MLP(widths=(8,), epochs=30, least_steps=300, choose_decay=False)
    default = ask(pool, labelled, strategy="qbc_gsxy", learner=small, cost="price", guarded=False)
    assert (default.frame["price"] == 1.0).mean() > 0.6 and "for their price" in default.text
    plain = ask(pool, labelled, strategy="gsx", cost="price")
    assert "gsx has no score to weigh against prices" in plain.text
    pd.testing.assert_frame_equal(plain.frame, ask(pool, labelled, strategy="gsx", exclude=["price"]).frame)
    within = ask(pool, labelled, strategy="gsx", cost="price", budget=1515 + 250)
    assert within.frame["price"].sum() <= 250 and 0 < len(within.frame) < 10
    worth = ask(pool, labelled, strategy="qbc", cost="price", worth=1e-6)
    assert worth.facts["stop"]["rule"] == "worth" and worth.facts["stop"]["yes"] is False  # too early to judge


def test_equal_rows_are_asked_for_once_a_batch_unless_allowed() -> None:
    pool, labelled = tables(known=25, rows=40)
    twice = pd.concat([pool, pool.assign(sample=pool["sample"] + "b")], ignore_index=True)
    found = ask(twice, labelled, n=50)
    assert len(found.frame[["a", "b"]].drop_duplicates()) == len(found.frame) == 40
    assert "the other rows equal these in all features" in found.text
    assert len(ask(twice, labelled, n=50, allow_replicates=True).frame) == 50


def test_the_last_rows_come_short_and_a_finished_pool_says_so() -> None:
    pool, labelled = tables(known=115)
    found = ask(pool, labelled, n=20)
    assert len(found.frame) == 5
    assert "5 rows instead of the 20 asked for: these are all that are left" in found.text
    with pytest.raises(InputError, match="all 120 rows of the pool are labelled or asked for"):
        ask(pool, tables(known=120)[1])


def test_labelled_rows_outside_the_pool_train_and_are_counted() -> None:
    pool, labelled = tables()
    found = ask(pool.iloc[10:], labelled)
    assert "10 of 30 labelled rows are not in the pool; they train all the same" in found.text


def test_the_command_writes_rows_and_lists_strategies(tmp_path, capsys) -> None:
    pool, labelled = tables()
    pool.to_csv(tmp_path / "pool.csv", index=False)
    labelled.to_csv(tmp_path / "known.csv", index=False)
    out, plot = tmp_path / "next.csv", tmp_path / "next.png"
    arguments = ["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--target", "y"]
    arguments += ["--id", "sample", "-n", "6", "--out", str(out), "--learner", "ridge", "--plot", str(plot)]
    assert main([*arguments, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    written = pd.read_csv(out, dtype={"sample": str})
    assert facts["rows"] == 6 == len(facts["chosen"]) == len(written)
    assert [row["sample"] for row in facts["chosen"]] == written["sample"].tolist()  # 007 is not 7
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(arguments) == 0
    assert "Add their labels in column y and append them" in capsys.readouterr().out.replace("\n", " ")
    assert main([*arguments, "--plot", "curve.docx"]) == 3
    assert "end it in .png, .svg, .pdf" in capsys.readouterr().err
    assert main(["strategies"]) == 0
    assert "lcmd_tp" in capsys.readouterr().out


def test_an_interrupted_command_leaves_nothing_behind(tmp_path, capsys, monkeypatch) -> None:
    pool, labelled = tables()
    pool.to_parquet(tmp_path / "pool.parquet")
    labelled.to_csv(tmp_path / "known.csv", index=False)

    def stop(*_, **__) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", stop)
    arguments = ["suggest", str(tmp_path / "pool.parquet"), "--labelled", str(tmp_path / "known.csv"), "--target", "y"]
    assert main([*arguments, "--id", "sample", "--learner", "ridge", "--out", str(tmp_path / "next.csv")]) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known.csv", "pool.parquet"]
