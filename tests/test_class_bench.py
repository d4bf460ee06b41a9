"""The benchmark of classification strategies: paired runs, records that go on, and a report of hand-made curves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strongsuit.bench import class_bench, class_report, class_tasks
from strongsuit.bench.class_bench import class_plans, measure, run_class_plans
from strongsuit.bench.class_claims import PUBLISHED, class_claims, share_ahead
from strongsuit.bench.class_digest import Curves, class_digests, class_digests_in
from strongsuit.bench.class_pages import as_json, markdown, write_report
from strongsuit.bench.class_runs import LANES, ClassPlan
from strongsuit.bench.class_tasks import ClassTask, class_arena
from strongsuit.bench.records import append_records, read_records
from strongsuit.bench.workers import here
from strongsuit.cli import main
from strongsuit.datasets.images import gradient_histograms
from strongsuit.errors import InputError
from strongsuit.learners.cnn import CNN


def toy(name: str):
    """Three clusters of text classes and a column that is constant."""
    rng = np.random.default_rng(5)
    number = np.arange(200) % 3
    X = np.hstack([rng.normal(size=(200, 3)) + 2 * np.eye(3)[number], np.full((200, 1), 7.0)])
    return X, np.array(["x", "y", "z"])[number], None


@pytest.fixture(autouse=True)
def toy_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(class_tasks.TASKS, "toy", ClassTask("toy", "clusters", toy, start=9, batch=4, rounds=3))
    class_tasks._read.cache_clear()


def test_an_arena_is_split_by_repetition_and_standardised_over_the_pool() -> None:
    one, again, other = class_arena("toy", 0), class_arena("toy", 0), class_arena("toy", 1)
    assert len(one.X_test) == 80 and len(one.X) == 120 and one.classes == 3 and len(one.first) == 9
    np.testing.assert_array_equal(one.X, again.X)
    np.testing.assert_array_equal(one.first, again.first)
    assert not np.array_equal(one.y, other.y)
    np.testing.assert_allclose(one.X.mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(one.X.std(0), [1, 1, 1, 0], atol=1e-12)
    with pytest.raises(InputError, match="no classification set is called 'toys'; there are letter"):
        class_arena("toys", 0)


def test_runs_of_a_repetition_begin_alike_and_are_reproducible() -> None:
    random, margin = (measure(ClassPlan("toy", 0, name, "linear"))[0] for name in ("random", "margin"))
    assert random["labels"] == margin["labels"] == [9, 13, 17, 21]
    assert random["accuracy"][0] == margin["accuracy"][0] and margin["accuracy"][-1] > 0.6
    again = measure(ClassPlan("toy", 0, "margin", "linear"))[0]
    assert again["accuracy"] == margin["accuracy"]
    guarded = measure(ClassPlan("toy", 0, "auto", "linear"))[0]
    assert guarded["labels"] == random["labels"]


def test_pixels_have_a_lane_of_their_own_in_which_passes_with_dropout_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    def pictures(name: str):
        rng = np.random.default_rng(0)
        number = np.arange(80) % 2
        images = rng.random((80, 8, 8, 1)) * 0.2
        images[number == 1, :, 4:] += 0.8  # the right half is bright
        return images.reshape(80, -1), number, None

    task = ClassTask("pictures", "halves", pictures, start=12, batch=4, rounds=1, shape=(8, 8, 1))
    monkeypatch.setitem(class_tasks.TASKS, "pictures", task)
    small = CNN(channels=(8,), embedding=16, learning_rate=1e-2, epochs=60, shape=(8, 8, 1), flip=False)
    monkeypatch.setitem(LANES, "cnn", replace(LANES["cnn"], learner=lambda task: small))
    (record,) = measure(ClassPlan("pictures", 0, "bald", "cnn"))
    assert record["labels"] == [12, 16] and record["accuracy"][-1] > 0.8 and not record["degraded"]
    for name, lane, said in (("toy", "cnn", "reads pixels.*pictures"), ("pictures", "linear", "reads features.*toy")):
        with pytest.raises(InputError, match=said):
            class_plans([name], ["margin"], repeats=1, lane=lane)


def test_a_strategy_that_fails_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_bench, "run", lambda plan: 1 / 0)
    (record,) = measure(ClassPlan("toy", 0, "margin", "linear"))
    assert record["accuracy"] is None and record["kind"] == "ZeroDivisionError"


def test_plans_hold_random_and_a_grid_goes_on_where_it_stopped(tmp_path: Path) -> None:
    plans = class_plans(["toy"], ["margin"], repeats=2)
    later = class_plans(["toy"], ["margin"], repeats=2, first=1000)
    assert [p.repeat + 1000 for p in plans] == [p.repeat for p in later]
    assert [plan.strategy for plan in plans] == ["random", "margin"] * 2
    with pytest.raises(InputError, match="no strategy is called 'best'"):
        class_plans(["toy"], ["best"], repeats=1)
    with pytest.raises(InputError, match="no lane is called 'deep'"):
        class_plans(["toy"], ["margin"], repeats=1, lane="deep")
    assert run_class_plans(plans[:3], tmp_path, jobs=1, workers=here) == 3
    assert run_class_plans(plans, tmp_path, jobs=1, workers=here) == 1
    assert len(read_records(tmp_path)) == 4


def summarise(records: list[dict], **named: str) -> class_report.ClassSummary:
    return class_report.summarise(class_digests(records), **named)


def record(strategy: str, repeat: int, accuracy: list[float], task: str = "toy") -> dict:
    return {
        "suite": "classification", "task": task, "repeat": repeat, "strategy": strategy, "lane": "linear",
        "versions": {"numpy": "2"}, "machine": "here", "labels": [10, 20, 40], "accuracy": accuracy,
        "balanced": accuracy, "train_seconds": 3.0, "select_seconds": 4.0, "cpu_seconds": 7.0, "compile_seconds": 0.0,
        "degraded": {}, "notes": [], "facts": [],
    }  # fmt: skip


def test_the_report_counts_wins_areas_and_ranks() -> None:
    records = []
    for repeat in range(10):
        low = 0.5 + 0.001 * repeat
        records += [
            record("random", repeat, [low, 0.6, 0.7]),
            record("margin", repeat, [low, 0.7 + 0.002 * repeat, 0.7]),
        ]
    summary = summarise(records)
    curves = summary.curves["toy", "margin"]
    assert curves.aulc[0] == pytest.approx((0.6 * 10 + 0.7 * 20) / 30) and curves.query_seconds == 2.0
    assert summary.wins("margin", "random") == 0.75 and summary.wins("random", "margin") == 0.25  # one round is a tie
    assert summary.strategies == ["margin", "random"] and summary.ranks() == {"random": 2.0, "margin": 1.0}
    against = summary.against["toy", "margin"]
    assert against.difference == pytest.approx(np.mean(curves.aulc - summary.curves["toy", "random"].aulc))
    assert against.p < 0.01 and against.interval.low > 0.0
    text = markdown(summary)
    assert f"| margin | {100 * curves.aulc.mean():.1f} ({100 * against.difference:+.1f}*) |" in text
    plain = json.loads(json.dumps(as_json(summary)))
    assert plain["wins"]["margin"]["random"] == 0.75 and plain["repetitions"] == {"toy": 10}
    assert "Repetitions: toy 10. Machine" in text
    text = markdown(summarise([*records, record("badge", 3, [0.5, 0.6, 0.7])]))
    assert "Repetitions: toy 10; at least one set with fewer: badge 1. Machine" in text


def test_the_default_is_held_to_its_bound() -> None:
    def summary(drop: float):
        return summarise([record("random", r, [0.5, 0.6, 0.7]) for r in range(9)]
                         + [record("auto", r, [0.5, 0.6 - drop, 0.7 - drop]) for r in range(9)])  # fmt: skip

    assert "never more than 0.5 points below random" in markdown(summary(0.002))
    assert "**not** never" in markdown(summary(0.05))


def test_claims_are_reproduced_contradicted_or_open() -> None:
    levels = {name: 0.5 + 0.002 * win for name, win in PUBLISHED.items()}

    def verdicts(levels: dict[str, float]) -> dict[str, str]:
        runs = [record(name, r, [0.4, level, level], task)
                for r in range(9) for task in ("toy", "other") for name, level in levels.items()]  # fmt: skip
        return {claim.name: claim.verdict for claim in class_claims(summarise(runs))}

    assert set(verdicts(levels).values()) == {"reproduced"}
    turned = verdicts({name: 1.0 - level for name, level in levels.items()})
    assert set(turned.values()) == {"contradicted"}
    some = verdicts({name: levels[name] for name in ("random", "u_herding", "margin")})
    assert some == {"K1": "undecided", "K2": "undecided", "K3": "not run", "K4": "undecided", "K5": "not run"}


def test_a_share_of_rounds_has_the_interval_of_its_repetitions() -> None:
    ahead = [[0.4, 0.9, 0.9] if r < 6 else [0.4, 0.1, 0.5] for r in range(8)]  # 6 x 1, 2 x 1/4
    runs = [record("random", r, [0.4, 0.5, 0.5]) for r in range(8)] + [
        record("auto", r, a) for r, a in enumerate(ahead)
    ]
    share = share_ahead(summarise(runs), "auto", "random")
    error = np.std([1.0] * 6 + [0.25] * 2, ddof=1) / np.sqrt(8)
    assert (share.mean, share.low, share.high) == pytest.approx((0.8125, 0.8125 - 1.96 * error, 1.0))
    runs += [record("u_herding", r, [0.4, 0.5, 0.5]) for r in range(8)]
    assert "Rounds in which it is ahead, ties half: auto of u_herding 81 % (57 to 100)." in markdown(summarise(runs))
    assert share_ahead(summarise(runs[:1] + runs[8:9]), "auto", "random") is None


def test_curves_of_unlike_repetitions_are_compared_on_those_they_share() -> None:
    records = [record("random", r, [0.5, 0.6, 0.7]) for r in range(3)] + [record("badge", 1, [0.5, 0.9, 0.9])]
    assert summarise(records).wins("badge", "random") == 1.0
    assert isinstance(summarise(records).curves["toy", "badge"], Curves)
    with pytest.raises(InputError, match="no runs"):
        summarise([])
    with pytest.raises(InputError, match="several lanes"):
        summarise([*records, record("random", 0, [0.5, 0.6, 0.7]) | {"lane": "mlp"}])


def test_sets_and_repetitions_measured_apart_are_reported_as_one(tmp_path: Path) -> None:
    def runs(task: str, repeats: range) -> list[dict]:
        rng = np.random.default_rng(0)
        drawn = {r: rng.integers(500, 900, (2, 3)) / 1000 for r in range(9)}
        return [record(name, r, list(drawn[r][place]), task)
                for r in repeats for place, name in enumerate(("random", "margin"))]  # fmt: skip

    whole = [*runs("toy", range(9)), *runs("other", range(9))]
    for part, records in (("a", [*runs("toy", range(6)), *runs("other", range(2))]), ("b", runs("other", range(2, 9))),
                          ("c", runs("toy", range(5, 9)))):  # fmt: skip
        append_records(tmp_path / part, records)
        folders = [tmp_path / "results"] * (part != "a") + [tmp_path / part]
        written = write_report(class_report.summarise(class_digests_in(folders)), tmp_path / "results")
        assert [path.name for path in written][:2] == ["classification.md", "classification_linear_toy.json"]
    kept = class_report.summarise(class_digests_in([tmp_path / "results"]))
    assert markdown(kept) == markdown(summarise(whole))


def test_the_command_runs_and_reports(tmp_path: Path, capsys) -> None:
    out = str(tmp_path / "runs")
    code = main([
        "bench", "run", "classification", "--tables", "digits", "--strategies", "margin", "--repeats", "1", "--jobs",
        "1", "--out", out, "--json",
    ])  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert code == 0 and set(said["aulc"]["digits"]) == {"random", "margin"} and said["lane"] == "linear"
    assert main(["bench", "report", out, "--out", str(tmp_path / "page")]) == 0
    assert "Lane: linear" in capsys.readouterr().out
    assert (tmp_path / "page" / "classification.md").is_file()


def test_histograms_of_gradients_see_edges_and_colours() -> None:
    images = np.zeros((3, 10, 9, 3), np.uint8)
    images[1, :, 4:] = 255  # a vertical edge
    images[2, ..., 0] = 255  # plain red
    found = gradient_histograms(images)
    assert found.shape == (3, 2 * 2 * 8 + 2 * 2 * 3)  # whole cells of 4 x 4, 8 directions; 3 colours
    assert not found[0].any() and not found[2, :32].any() and found[2, 32::3].tolist() == [1.0] * 4
    edges = found[1, :32].reshape(4, 8)
    assert edges.argmax(1).tolist() == [0, 0, 0, 0]  # brighter to the right: direction 0
    grey = gradient_histograms(images[:, :, :, 0])
    assert grey.shape == (3, 2 * 2 * 8 + 2 * 2)
