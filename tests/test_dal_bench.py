"""The benchmark of regression strategies: paired draws, records that resume, a report of known records."""

from __future__ import annotations

import json

import numpy as np
import pytest

from strongsuit.bench import dal_bench, dal_claims, dal_pages, dal_report
from strongsuit.bench.arenas import BATCH, START, TableArena, arena_for, named_tasks, with_answers
from strongsuit.bench.dal_bench import finished, measure, plan_of, plans, run_plans
from strongsuit.bench.dal_digest import digests, digests_in
from strongsuit.bench.dal_runs import Plan, find_protocol
from strongsuit.bench.records import append_records, read_records
from strongsuit.bench.workers import here
from strongsuit.core.keys import root_key
from strongsuit.errors import InputError, StoreError

LABELS = [80, 120, 160]


def summarise(records: list[dict], **named: str) -> dal_report.Summary:
    return dal_report.summarise(digests(records), **named)


def record(task: str, strategy: str, gamma: int, repeat: int, error, *, diversity: float | None = 1.0) -> dict:
    return {
        "suite": "dal", "task": task, "repeat": repeat, "strategy": strategy, "gamma": gamma, "protocol": "product",
        "steps": 2, "versions": {"numpy": "2"}, "machine": "one", "labels": LABELS, "error": list(error),
        "diversity": diversity, "train_seconds": 1.0, "select_seconds": 0.5, "degraded": {}, "notes": [],
        "cpu_seconds": 2.0, "compile_seconds": 0.0,
    }  # fmt: skip


def curves(factor: float, repeat: int) -> np.ndarray:
    noise = np.random.default_rng(repeat).normal(0, 0.02, 3)
    return factor * np.exp(noise) * np.array([1.0, 0.5, 0.25])


def test_strategies_of_a_repetition_share_start_test_and_candidates() -> None:
    one, other = arena_for("BESS", 3), arena_for("BESS", 3)
    np.testing.assert_array_equal(one.start().X, other.start().X)
    np.testing.assert_array_equal(one.test[0], other.test[0])
    small, large = one.refill(one.start(), 1, 2), other.refill(other.start(), 1, 8)
    assert small.available.sum() == 2 * BATCH and large.available.sum() == 8 * BATCH
    np.testing.assert_array_equal(small.X, large.X[: len(small.X)])
    assert not np.array_equal(one.start().X, arena_for("BESS", 4).start().X)
    assert not np.array_equal(small.X[START:], one.refill(one.start(), 2, 2).X[START:])


def test_a_box_keeps_labelled_rows_and_draws_the_rest_afresh() -> None:
    arena = arena_for("SINE", 0)
    pool = arena.refill(arena.start(), 1, 2)
    chosen = np.array([START + 5, START + 7])
    pool = with_answers(pool, chosen, arena.label(pool, chosen))
    later = arena.refill(pool, 2, 2)
    assert later.labelled.sum() == START + 2 and later.available.sum() == 2 * BATCH
    np.testing.assert_array_equal(later.X[START : START + 2], pool.X[chosen])


def test_a_table_is_one_pool_and_its_test_rows_are_others() -> None:
    rng = np.random.default_rng(0)
    X, y = np.arange(200.0)[:, None], rng.normal(size=(200, 1))
    arena = TableArena("t", root_key(0), X, y)
    pool = arena.start()
    assert len(pool) == 160 and pool.labelled.sum() == 20
    assert not set(pool.X[:, 0]) & set(arena.test[0][:, 0])
    np.testing.assert_array_equal(pool.y[pool.labelled], y[pool.X[pool.labelled, 0].astype(int)])
    assert arena.refill(pool, 5, 64) is pool


def test_plans_begin_with_random_rows_and_name_pool_sizes_only_where_they_matter() -> None:
    found = plans(["bess"], ["gsx", "auto", "na_qbc"], [2, 64], repeats=2, steps=3)
    first = [(plan.strategy, plan.gamma) for plan in found if plan.repeat == 0]
    assert first == [("random", 0), ("gsx", 2), ("gsx", 64), ("auto", 0), ("na_qbc", 0)]
    assert {plan.steps for plan in found} == {3}
    tables = plans(["servo"], ["gsx", "na_qbc"], None, repeats=1)
    assert [(plan.strategy, plan.gamma) for plan in tables] == [("random", 0), ("gsx", 0)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plans(["nowhere"], repeats=1), "no problem or table is called 'nowhere'"),
        (lambda: plans(strategies=["best"], repeats=1), "no strategy is called 'best'"),
        (lambda: plans(gammas=[0], repeats=1), "at least 1"),
        (lambda: find_protocol("theirs"), "there are product, network"),
        (lambda: summarise([]), "no runs"),
    ],
)
def test_wrong_names_are_answered_with_those_there_are(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_all_tables_have_one_name() -> None:
    assert len(named_tasks(["tables", "SINE"])) > 8


def test_a_run_is_the_same_again_and_is_not_made_twice(tmp_path) -> None:
    runs = plans(["BESS"], ["qbc"], [2], repeats=1, steps=1)
    assert run_plans(runs, tmp_path, jobs=1, workers=here) == 2
    assert run_plans(runs, tmp_path, jobs=1, workers=here) == 0
    stored = read_records(tmp_path)
    again = measure(runs[1])[0]
    assert [plan_of(r) for r in stored] == runs and stored[1]["labels"] == [START, START + BATCH]
    assert stored[1]["error"] == again["error"] and stored[1]["diversity"] == again["diversity"]
    assert stored[0]["error"][0] == stored[1]["error"][0]  # one committee of the start rows
    assert stored[1]["error"][1] < 0.06


def test_a_strategy_that_fails_is_a_record_and_is_tried_again_on_demand(tmp_path, monkeypatch) -> None:
    def broken(plan):
        raise FloatingPointError("no figures\nmore lines")

    monkeypatch.setattr(dal_bench, "run", broken)
    plan = Plan("BESS", 0, "gsx", 2, "product", 1)
    found = measure(plan)
    assert found[0]["error"] is None and found[0]["reason"] == "FloatingPointError: no figures"
    append_records(tmp_path, found)
    assert finished(read_records(tmp_path)) == {plan} and not finished(read_records(tmp_path), retry=True)


@pytest.fixture(scope="module")
def known() -> list[dict]:
    """Ten repetitions: gsx a tenth better than random, qbc a quarter worse at the large pool and collapsed there."""
    rows = []
    for place, task in enumerate(("BESS", "HYDR", "SINE")):
        for repeat in range(10):
            seed = 100 * place + repeat
            rows.append(record(task, "random", 0, repeat, curves(1.0, seed)))
            rows.append(record(task, "auto", 0, repeat, curves(0.8, seed + 50), diversity=None))
            for gamma in (2, 64):
                rows.append(record(task, "gsx", gamma, repeat, curves(0.9, seed + 10), diversity=1.2))
                factor, width = (0.95, 0.8) if gamma == 2 else (1.25, 0.2)
                rows.append(record(task, "qbc", gamma, repeat, curves(factor, seed + 20), diversity=width))
    return rows


def test_known_curves_give_known_figures(known) -> None:
    summary = summarise(known)
    assert summary.cells["BESS", "gsx", 2].nauc == pytest.approx(0.9, abs=0.03)
    assert summary.verdicts["BESS", "qbc", 64] == "loses" and summary.verdicts["BESS", "gsx", 64] == "safe"
    assert summary.default.claim.word == "INCONCLUSIVE"  # good figures, but fewer than twenty repetitions
    assert summary.default.mean == pytest.approx(0.8, abs=0.02)
    assert summary.default.rivals["gsx"][0] == pytest.approx(0.9, abs=0.03)


def test_harm_in_the_last_rounds_is_seen_where_areas_hide_it(known) -> None:
    doubled = [
        one | {"error": [*one["error"][:-1], 2 * one["error"][-1]]} for one in known if one["strategy"] == "auto"
    ]
    summary = summarise([one for one in known if one["strategy"] != "auto"] + doubled)
    assert summary.default.mean < 1.0 and summary.default.late["HYDR"] == pytest.approx(1.6, abs=0.05)
    assert dal_pages.as_json(summary)["default"]["late"] == summary.default.late
    text = dal_pages.markdown(summary)
    assert f"| {summary.default.late['HYDR']:.3f} |" in text and "| auto | 1.6" in text.split(dal_pages.LATE)[1]


def test_published_claims_are_decided_by_the_records(known) -> None:
    found = {claim.name: claim for claim in dal_claims.claims(summarise(known))}
    assert found["C2"].verdict == dal_claims.REPRODUCED
    assert found["C4"].verdict == dal_claims.REPRODUCED
    assert found["C5"].verdict == dal_claims.REPRODUCED
    assert found["C7"].verdict == dal_claims.REPRODUCED
    assert found["C1"].verdict == dal_claims.UNDECIDED  # eight of the ten methods have not run
    assert found["C6"].verdict == dal_claims.UNTESTED


def test_the_report_has_every_part(known, tmp_path) -> None:
    rows = [*known]
    for repeat in range(8):
        rows.append(record("servo", "random", 0, repeat, curves(1.0, repeat)))
        rows.append(record("servo", "gsx", 0, repeat, curves(1.44, repeat + 30)))
    summary = summarise(rows)
    assert summary.tables["gsx"].mean == pytest.approx(np.log(1.2), abs=0.02)
    text = dal_pages.markdown(summary)
    assert "| gsx | +0.18" in text and "1.10° (0.95-1.25)" in text
    assert json.loads(json.dumps(dal_pages.as_json(summary)))["default"]["verdict"] == "INCONCLUSIVE"
    written = dal_pages.write_report(summary, tmp_path)
    names = [f"dal_product_{task}.json" for task in ("SINE", "HYDR", "BESS", "servo")]
    assert [path.name for path in written] == ["dal.md", "dal_curves.png", "dal_pools.png", *names]
    assert all(path.stat().st_size > 500 for path in written)


def test_digests_say_what_their_records_said(known, tmp_path) -> None:
    """Problem by problem into a folder of results, whose report then needs no records."""
    results = tmp_path / "results"
    for task in ("SINE", "BESS", "HYDR"):
        append_records(tmp_path / task, [one for one in known if one["task"] == task])
        folders = [results, tmp_path / task] if results.exists() else [tmp_path / task]
        dal_pages.write_report(dal_report.summarise(digests_in(folders)), results)
    whole, kept = summarise(known), dal_report.summarise(digests_in([results]))
    assert dal_pages.markdown(kept) == dal_pages.markdown(whole) == (results / "dal.md").read_text()


def test_runs_of_a_later_folder_join_those_of_an_earlier_one(known, tmp_path) -> None:
    whole = summarise(known)
    early, late = tmp_path / "early", tmp_path / "late"
    append_records(tmp_path / "a", [one for one in known if one["repeat"] < 6])
    dal_pages.write_report(dal_report.summarise(digests_in([tmp_path / "a"])), early)
    append_records(late, [one for one in known if one["repeat"] > 4])
    both = dal_report.summarise(digests_in([early, late]))
    for one, other in zip(dal_pages.as_json(both)["cells"], dal_pages.as_json(whole)["cells"], strict=True):
        numbers = {name for name, value in other.items() if isinstance(value, float)}
        assert {n: one[n] for n in numbers} == pytest.approx({n: other[n] for n in numbers}, rel=1e-4)
        assert {n: one[n] for n in one.keys() - numbers} == {n: other[n] for n in other.keys() - numbers}
    assert both.runs["BESS", "qbc", 2].own.seconds == pytest.approx(whole.runs["BESS", "qbc", 2].own.seconds)
    # A short trial does not take the place of whole runs.
    short = [one | {"steps": 1, "labels": LABELS[:2], "error": one["error"][:2]} for one in known]
    append_records(tmp_path / "short", short)
    for folders in ([early, late, tmp_path / "short"], [tmp_path / "short", early, late]):
        assert dal_pages.as_json(dal_report.summarise(digests_in(folders))) == dal_pages.as_json(both)


def test_what_is_no_digest_is_refused(known, tmp_path) -> None:
    with pytest.raises(InputError, match="holds no runs of dal"):
        digests_in([tmp_path])
    path = tmp_path / "dal_product_BESS.json"
    path.write_text('{"task": "BESS"}')
    with pytest.raises(StoreError, match="holds no digest of runs"):
        digests_in([tmp_path])


def test_short_runs_do_not_cut_long_ones(known) -> None:
    short = [one | {"steps": 1, "labels": LABELS[:2], "error": one["error"][:2]} for one in known]
    assert dal_pages.as_json(summarise([*known, *short])) == dal_pages.as_json(summarise(known))


def test_several_protocols_need_a_name(known) -> None:
    other = [one | {"protocol": "cold"} for one in known]
    with pytest.raises(InputError, match="several protocols, cold, product"):
        summarise([*known, *other])
    assert summarise([*known, *other], protocol="cold").protocol == "cold"
