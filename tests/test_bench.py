"""The benchmark: splits by unit, records that survive a kill, workers that may die, honest comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from strongsuit import cli
from strongsuit.bench import partition_bench, tasks
from strongsuit.bench.methods import DEPLOYED, METHODS, SECOND, SINGLE
from strongsuit.bench.pages import markdown, write_report
from strongsuit.bench.partition_bench import Cell, finished, grid, measure, run_grid
from strongsuit.bench.records import FILE, append_records, read_records
from strongsuit.bench.report import as_json, summarise
from strongsuit.bench.tasks import DEFAULT_TASKS, TASKS, draw, tasks_for
from strongsuit.bench.workers import Failure, here, spawned
from strongsuit.core.metrics import holm, paired_test
from strongsuit.errors import InputError, StoreError


def record(task="wave_climb", result="cubist", seed=0, relative=0.1, **more):
    method = "strongsuit" if result in (DEPLOYED, SINGLE, "unguarded") else result
    learner = "auto" if METHODS[method].uses_learner else ""
    facts = {"train_rows": 80, "test_rows": 20, "cpu_seconds": 1.0, "versions": {"numpy": "2"}, "machine": "m"}
    head = {"task": task, "split": "random", "seed": seed, "method": method, "learner": learner, "result": result}
    return head | facts | {"mse": 2 * relative, "relative": relative} | more


def test_equal_rows_stay_on_one_side_and_targets_share_their_split(data_folder):
    wine = draw(TASKS["wine_quality_red"], seed=3, by="random")
    ours, theirs = set(map(tuple, wine.X.to_numpy())), set(map(tuple, wine.X_test.to_numpy()))
    assert not ours & theirs
    assert 0.15 < len(wine.y_test) / 1599 < 0.25
    heating, cooling = (draw(TASKS[f"energy_{name}"], seed=1, by="random") for name in ("heating", "cooling"))
    assert heating.X.equals(cooling.X) and not np.array_equal(heating.y, cooling.y)
    assert not draw(TASKS["servo"], seed=0, by="random").X.equals(draw(TASKS["servo"], seed=1, by="random").X)


def test_groups_stay_on_one_side(data_folder):
    yacht = draw(TASKS["yacht_hydrodynamics"], seed=0, by="grouped")
    hulls = lambda frame: set(map(tuple, frame.iloc[:, :5].to_numpy()))  # noqa: E731
    assert not hulls(yacht.X) & hulls(yacht.X_test)
    assert len(set(yacht.groups)) == len(hulls(yacht.X))


def test_the_default_tables_are_public_and_some_have_groups():
    assert len(DEFAULT_TASKS) == 11
    assert [task.name for task in tasks_for(None, "grouped")] == [
        "yacht_hydrodynamics", "concrete_strength", "airfoil_self_noise",
    ]  # fmt: skip
    with pytest.raises(InputError, match="no groups are known for servo"):
        tasks_for(["servo"], "grouped")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tables": ["nothing"]}, "no benchmark table is called 'nothing'"),
        ({"methods": ["nothing"]}, "no benchmark method is called 'nothing'"),
        ({"learner": "nothing"}, "learner must be one of"),
        ({"split": "nothing"}, "split must be one of random, grouped"),
    ],
)
def test_wrong_names_are_named(given, words):
    with pytest.raises(InputError, match=words):
        grid(**{"tables": None, "methods": None, "seeds": 1} | given)


def test_cells_come_seed_by_seed_and_rivals_have_no_learner():
    cells = grid(["servo", "abalone"], ["strongsuit", "forest"], seeds=2, learner="ridge")
    assert [cell.seed for cell in cells] == [0] * 4 + [1] * 4
    assert {cell.method: cell.learner for cell in cells} == {"strongsuit": "ridge", "forest": ""}


@pytest.mark.parametrize("method", ["soft_mixture", "cluster_xy", "boosting", "forest"])
def test_a_cell_is_measured_on_held_out_rows(method, monkeypatch):
    monkeypatch.setattr(tasks, "GENERATED_ROWS", 200)
    learner = "ridge" if METHODS[method].uses_learner else ""
    (found,) = measure(Cell("wave_climb", "random", 0, method, learner))
    assert "error" not in found
    assert 0 < found["relative"] < 0.6 and found["cpu_seconds"] > 0
    sample = draw(TASKS["wave_climb"], seed=0, by="random")
    assert found["mse"] == pytest.approx(found["relative"] * np.var(sample.y))
    assert (found["train_rows"], found["test_rows"]) == (len(sample.y), len(sample.y_test))
    json.dumps(found, allow_nan=False)


def test_one_fit_of_our_own_gives_four_results(monkeypatch):
    monkeypatch.setattr(tasks, "GENERATED_ROWS", 150)
    found = measure(Cell("wave_climb", "random", 0, "strongsuit", "ridge"))
    assert [one["result"] for one in found] == [DEPLOYED, SINGLE, "unguarded", SECOND]
    assert all("error" not in one and one["fits"] > 1 for one in found)
    by = {one["result"]: one["mse"] for one in found}
    assert (by[DEPLOYED] == by[SINGLE]) == (found[0]["regimes"] == 1)


def test_a_method_that_fails_is_a_record_with_its_reason(monkeypatch):
    def broken(sample, seed, learner):
        raise ZeroDivisionError("nothing to divide\nby")

    monkeypatch.setitem(METHODS, "forest", partition_bench.Method("forest", "", broken, uses_learner=False))
    (found,) = measure(Cell("overlap", "random", 0, "forest", ""))
    assert found["error"] == "ZeroDivisionError: nothing to divide" and "mse" not in found


def test_a_run_goes_on_where_it_stopped(tmp_path):
    cells = [Cell("overlap", "random", seed, "cubist", "") for seed in range(4)]
    asked = []

    def fake(call, tasks, *, jobs, limit):
        for task in tasks:
            asked.append(task)
            yield task, [record("overlap", seed=task.seed)]

    assert run_grid(cells[:2], tmp_path, jobs=1, workers=fake) == 2
    with open(tmp_path / FILE, "ab") as file:
        file.write(b'{"task": "overl')  # killed here
    assert run_grid(cells, tmp_path, jobs=1, workers=fake) == 2
    assert [cell.seed for cell in asked] == [0, 1, 2, 3]
    assert [one["seed"] for one in read_records(tmp_path)] == [0, 1, 2, 3]


def test_an_interrupt_keeps_what_was_measured(tmp_path):
    def interrupted(call, tasks, *, jobs, limit):
        yield tasks[0], [record("overlap")]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_grid([Cell("overlap", "random", s, "cubist", "") for s in (0, 1)], tmp_path, jobs=1, workers=interrupted)
    assert len(read_records(tmp_path)) == 1


def test_failures_are_skipped_missing_packages_are_tried_again():
    failed = record(error="slow", kind="limit")
    missing = record(seed=1, error="not there", kind="MissingDependency")
    half = record(result=SINGLE, seed=2)
    assert {cell.seed for cell in finished([failed, missing, half])} == {0}
    assert finished([failed], retry=True) == set()


@given(st.integers(0, 200), st.booleans())
def test_any_torn_tail_is_mended(tmp_path_factory, cut, newline):
    folder = tmp_path_factory.mktemp("records")
    append_records(folder, [{"seed": 1}])
    tail = json.dumps({"seed": 2, "more": "x" * 150}).encode()[:cut]
    with open(folder / FILE, "ab") as file:
        file.write(tail)
    before = read_records(folder)
    append_records(folder, [{"seed": 3}])
    assert read_records(folder) == [*before, {"seed": 3}]
    assert before[0] == {"seed": 1} and len(before) <= 2


def test_a_spoilt_line_in_the_middle_is_named(tmp_path):
    (tmp_path / FILE).write_text('{"seed": 1}\nnonsense\n{"seed": 2}\n')
    with pytest.raises(StoreError, match=r"line 2 of .* is no record"):
        read_records(tmp_path)


def act(task):
    """What a worker does with a task of the next test."""
    if task == "die":
        os._exit(3)
    if task == "sleep":
        time.sleep(60)
    return f"{task} {os.environ['OMP_NUM_THREADS']} {os.getpid()}"


def test_workers_outlive_tasks_that_die_or_sleep():
    asked = ["a", "die", "b", "sleep", "c"]
    results = dict(spawned(act, asked, jobs=2, limit=2))
    assert set(results) == set(asked)
    assert all(results[task].startswith(f"{task} 1 ") for task in "abc")
    assert results["die"] == Failure("its process died with exit code 3")
    assert results["sleep"] == Failure("took longer than 2 s")
    assert all(str(os.getpid()) != results[task].split()[-1] for task in "abc")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_run_leaves_no_process_behind(tmp_path):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from strongsuit.bench.workers import spawned
from test_bench import act
if __name__ == "__main__":
    for _, result in spawned(act, ["a", "sleep"], jobs=1, limit=60):
        print(result.split()[-1], flush=True)
"""
    script = tmp_path / "run.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        worker = int(run.stdout.readline())
        run.kill()
    for _ in range(100):
        if not alive(worker):
            return
        time.sleep(0.1)
    raise AssertionError(f"process {worker} is still at work")


def alive(process: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_corrected_test_agrees_with_its_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=10), rng.normal(size=10)
    found = paired_test(a, b, test_share=0.0)
    plain = stats.ttest_rel(a, b)
    assert found.p == pytest.approx(plain.pvalue)
    low, high = plain.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    corrected = paired_test(a, b, test_share=0.25)
    assert corrected.error == pytest.approx(found.error * np.sqrt((0.1 + 0.25) / 0.1))
    assert paired_test([1.0], [0.0], test_share=0.25).p == 1.0
    assert paired_test(a, a, test_share=0.25).p == 1.0


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_agrees_with_its_definition(p):
    expected = [
        max((min(1.0, (len(p) - rank) * q) for rank, q in enumerate(sorted(p)) if q <= one), default=1.0) for one in p
    ]
    if len(set(p)) == len(p):
        assert holm(p) == pytest.approx(expected)
    assert len(holm(p)) == len(p)


def many(deployed, single, *, task="overlap", regimes=1):
    return [
        record(task, result, seed, value, regimes=regimes, found=2)
        for result, values in ((DEPLOYED, deployed), (SINGLE, single))
        for seed, value in enumerate(values)
    ]


def test_the_summary_compares_deployed_with_single():
    good = many([0.05, 0.06, 0.055], [0.1, 0.11, 0.105], task="wave_climb", regimes=2)
    records = good + many([0.2, 0.3, 0.25], [0.2, 0.3, 0.25]) + [record("overlap", "cubist", 0, 0.5)]
    summary = summarise(records + [record("wave_climb", "cubist", s, 0.3 + 0.001 * s) for s in range(3)])
    wave, overlap = summary.changes["wave_climb"], summary.changes["overlap"]
    assert wave.change == pytest.approx(0.165 / 0.315 - 1)
    assert wave.worst == pytest.approx(0.06 / 0.11 - 1)
    assert (wave.deployed, overlap.deployed, overlap.change, overlap.p) == (1.0, 0.0, 0.0, 1.0)
    assert [kept for kept, _ in summary.verdicts] == [True, True, True, True]
    assert summary.entries["wave_climb"]["cubist"].p < 0.05
    text = markdown(summary)
    assert "| wave_climb | -47.6% |" in text and "°" in text
    json.dumps(as_json(summary))


def test_a_broken_promise_is_said():
    summary = summarise(many([0.103, 0.103], [0.1, 0.1]))
    assert not summary.verdicts[0][0] and "+3.0%" in summary.verdicts[0][1]
    assert not summary.verdicts[1][0]
    assert "MISSED" in markdown(summary)


def test_single_runs_are_counted_beside_the_means():
    summary = summarise(many([0.08, 0.117, 0.1], [0.1, 0.1, 0.1]))
    said = "strongsuit, run by run: better than the single model in 1, worse in 1 of 3; at most +17.0%"
    assert summary.verdicts[0][0] and said in markdown(summary)
    assert as_json(summary)["single_runs"] == {
        DEPLOYED: {"runs": 3, "better": 1, "worse": 1, "most": pytest.approx(0.17)}
    }


def test_what_does_not_run_is_shown_with_its_reason(tmp_path):
    failed = record("overlap", "smt_moe", 0)
    del failed["mse"], failed["relative"]
    summary = summarise([*many([0.1], [0.1]), failed | {"error": "IndexError: out of range", "kind": "IndexError"}])
    text = markdown(summary)
    assert "does not run" in text and "smt_moe does not run on overlap: IndexError: out of range" in text
    files = write_report(summary, tmp_path)
    assert [file.name for file in files] == ["report.md", "report.png"] and files[1].stat().st_size > 10_000


def test_several_learners_must_be_told_apart():
    other = [one | {"learner": "ridge"} for one in many([0.1], [0.2])]
    with pytest.raises(InputError, match=r"several learners, auto, ridge: name one \(--learner\)"):
        summarise(many([0.1], [0.1]) + other)
    assert summarise(many([0.1], [0.1]) + other, learner="ridge").changes["overlap"].change == pytest.approx(-0.5)


def test_the_command_measures_and_reports(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(partition_bench, "spawned", here)
    monkeypatch.setattr(
        partition_bench.run_grid, "__kwdefaults__", partition_bench.run_grid.__kwdefaults__ | {"workers": here}
    )
    asked = ["bench", "run", "partition", "--tables", "overlap", "--methods", "forest", "--seeds", "2", "--json"]
    assert cli.main([*asked, "--out", str(tmp_path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tables"]["overlap"]["methods"]["forest"]["seeds"] == 2
    assert {Path(name).name for name in facts["files"]} == {"report.md", "report.png"}
    assert cli.main(["bench", "report", str(tmp_path)]) == 0
    assert "| overlap |" in capsys.readouterr().out


def test_the_command_refuses_what_it_does_not_know(tmp_path, capsys):
    assert cli.main(["bench", "run", "nothing", "--out", str(tmp_path)]) == 3
    assert cli.main(["bench", "report", str(tmp_path)]) == 3
    assert "holds no benchmark records" in capsys.readouterr().err


def test_a_table_that_cannot_be_had_stops_the_run_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STRONGSUIT_DATA", str(tmp_path))
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path))
    assert cli.main(["bench", "run", "partition", "--tables", "servo", "--out", str(tmp_path / "out")]) == 6
    assert "STRONGSUIT_DATA" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
