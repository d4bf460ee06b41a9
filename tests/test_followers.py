"""Followers of a journal: nothing is taken twice, a failure stops nobody, and MLflow, a fake one or the real one."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from tests.campaign_examples import RandomProposer, campaign
from tests.command_examples import Lab, lab

from strongsuit.campaign import Campaign
from strongsuit.campaign.chain import Event
from strongsuit.campaign.follow_mlflow import followed, parameters_of
from strongsuit.campaign.followers import follow, follow_on
from strongsuit.campaign.state import State
from strongsuit.errors import ServiceError

_ = lab  # a fixture
ADVICE = {"stop": False, "rules": [], "next": None, "text": "go on"}


@dataclass
class Notes:
    """A follower that writes down what was told, and fails when it is said to."""

    taken: list[int] = field(default_factory=list)
    kept: int = 0
    fails: int = -1

    def place(self) -> int:
        return self.kept

    def take(self, event: Event, state: State) -> bool:
        assert state.position == event.position, "the state is the one after the event"
        if event.position == self.fails:
            raise ZeroDivisionError("a follower may fail in any way")
        if event.kind == "Told":
            self.taken.append(event.position)
        return event.kind == "Told"

    def keep(self, position: int) -> None:
        assert position > self.kept
        self.kept = position


def rounds(one: Campaign, count: int = 1) -> None:
    """Rounds asked for and answered."""
    for _ in range(count):
        query = one.ask(by="anna")
        one.tell({row: 100.0 + row for row in query.rows}, by="anna", by_row=True)


def followable(**settings: Any) -> Campaign:
    return campaign(proposer=RandomProposer(advice=ADVICE), **settings)


def test_a_follower_takes_every_event_once_and_only_what_is_new() -> None:
    one, notes = followable(), Notes()
    rounds(one)
    state = follow(one, notes)
    told = [event.position for event in one.journal() if event.kind == "Told"]
    assert notes.taken == told and notes.kept == state.position == one.state.position
    rounds(one)
    assert follow(one, notes, state) == follow(one, notes) == one.state
    assert notes.taken == [event.position for event in one.journal() if event.kind == "Told"]


def test_a_follower_that_fails_goes_on_from_its_place_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    one, notes = followable(), Notes()
    rounds(one)
    notes.fails = [event.position for event in one.journal() if event.kind == "Told"][2]
    with pytest.raises(ServiceError, match=f"stopped at position {notes.fails}.*fail in any way"):
        follow(one, notes)
    assert len(notes.taken) == 2
    turns: list[float] = []

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 2:
            notes.fails = -1
        if len(turns) == 4:
            raise KeyboardInterrupt

    positions: list[int] = []
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        follow_on(one, notes, every=7, sleep=sleep, progress=lambda state: positions.append(state.position))
    assert caplog.text.count("trying again in 7 s") == 2 and positions == [one.state.position] * 2
    assert notes.taken == [event.position for event in one.journal() if event.kind == "Told"]


@dataclass
class FakeMlflow:
    """A client with what MLflow insists on: parameters that never change, names it allows, a point once."""

    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: set[tuple[str, float, int, int]] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    status: str = ""
    runs: int = 0
    experiments: list[str] = field(default_factory=list)

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=name) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        self.experiments.append(name)
        return name

    def search_runs(self, experiments: list[str], *, filter_string: str, max_results: int) -> list[Any]:
        found = re.fullmatch(r"tags\.`([\w.]+)` = '([^']+)'", filter_string)
        assert found and experiments == self.experiments
        return [self.get_run("run")] if self.tags.get(found[1]) == found[2] else []

    def create_run(self, experiment: str, *, start_time: int, tags: dict[str, str], run_name: str) -> Any:
        self.runs, self.status, self.tags = self.runs + 1, "RUNNING", dict(tags)
        return self.get_run("run")

    def get_run(self, run: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id="run"), data=SimpleNamespace(tags=self.tags))

    def set_tag(self, run: str, name: str, value: str) -> None:
        self.tags[name] = value

    def log_param(self, run: str, name: str, value: str) -> None:
        assert _named(name) and isinstance(value, str) and len(value) <= 500
        assert self.params.setdefault(name, value) == value, "a parameter never changes"

    def log_metric(self, run: str, name: str, value: float, *, timestamp: int, step: int) -> None:
        assert _named(name)
        self.metrics.add((name, value, timestamp, step))

    def log_text(self, run: str, text: str, name: str) -> None:
        self.files[name] = text

    def set_terminated(self, run: str, *, status: str, end_time: int) -> None:
        self.status = status

    def update_run(self, run: str, *, status: str) -> None:
        self.status = status


def _named(name: str) -> bool:
    return re.fullmatch(r"[\w\-./ ]{1,250}", name) is not None


def _client(kind: str, path: Any) -> Any:
    if kind == "fake":
        return FakeMlflow()
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed here")
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}/mlflow.db")


# MLflow's own warnings about its own tables are none of ours.
@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.filterwarnings("ignore"))])
def client(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    yield _client(request.param, tmp_path)


def shown(client: Any, run: str, names: tuple[str, ...]) -> dict[str, list[tuple[float, int]]]:
    """The value and step of every point of some metrics."""
    if isinstance(client, FakeMlflow):
        return {name: sorted((v, s) for n, v, _, s in client.metrics if n == name) for name in names}
    return {name: sorted((one.value, one.step) for one in client.get_metric_history(run, name)) for name in names}


def test_a_campaign_is_one_run_with_its_curve_and_following_again_adds_nothing(client: Any) -> None:
    one = followable(recipe={"strategy": "lcmd", "note": "x" * 1_000}, budget={"limit": 30, "unit": "h"})
    rounds(one, 3)
    follower = followed(one, client)
    follow(one, follower)
    names = ("rmse", "rmse_low", "rmse_high", "labels", "spent")
    curve = shown(client, follower.run, names)
    assert curve["labels"] == [(0.0, 1), (4.0, 2), (8.0, 3)] and curve["spent"] == curve["labels"]
    assert curve["rmse"] == [(1.0, step) for step in (1, 2, 3)] and curve["rmse_high"][0] == (2.0, 1)
    again = followed(one, client)
    assert again.run == follower.run and again.place() == one.state.position
    client.set_tag(follower.run, "strongsuit.position", "1")  # as if it had died before it kept its place
    follow(one, again)
    assert shown(client, follower.run, names) == curve
    rounds(one)
    follow(one, again)
    assert shown(client, follower.run, ("labels",))["labels"][-1] == (12.0, 4)
    other = followable(name="others")
    assert followed(other, FakeMlflow()).run == "run"


def test_settings_slates_and_the_end_are_shown(client: Any) -> None:
    one = followable(recipe={"strategy": "lcmd"})
    rounds(one)
    follower = followed(one, client)
    follow(one, follower)
    one.amend({"batch": 7}, by="anna")
    one.close(by="anna")
    follow(one, follower)
    if isinstance(client, FakeMlflow):
        assert client.params["recipe.strategy"] == "lcmd" and client.params["batch"] == "4"
        assert '"batch": 7' in client.files["settings.json"] and client.status == "FINISHED"
        lines = client.files["rounds/round-0001.csv"].splitlines()
        assert lines[0].startswith("rank,row,key,source") and len(lines) == 5 and lines[1].startswith("0,")
    else:
        run = client.get_run(follower.run)
        assert run.data.params["recipe.strategy"] == "lcmd" and run.info.status == "FINISHED"
        assert {file.path for file in client.list_artifacts(follower.run)} == {"rounds", "settings.json"}
    one.reopen(by="anna")
    follow(one, follower)
    if isinstance(client, FakeMlflow):
        assert client.status == "RUNNING" and client.runs == 1
    else:
        assert client.get_run(follower.run).info.status == "RUNNING"


def test_parameters_are_short_texts_under_names_with_dots() -> None:
    settings = {"pool": {"n": 3, "columns": [1] * 999, "uri": "x"}, "target": {"näme": "a"}, "budget": None, "seed": 0}
    assert dict(parameters_of(settings)) == {"pool.n": "3", "target.n_me": "a", "seed": "0"}


def test_the_command_reports_and_says_what_is_missing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.create()
    lab.run("ask")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert "pip install 'strongsuit[mlflow]'" in lab.run("mlflow", "alloys", code=2)
    client = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=lambda tracking_uri: client))
    assert lab.json("mlflow", "--tracking-uri", "http://127.0.0.1:9")["position"] == 3
    assert "journal position 3" in lab.run("mlflow", "alloys") and client.runs == 1
    monkeypatch.setattr(client, "search_runs", None)
    assert "MLflow at sqlite:///mlflow.db: " in lab.run("mlflow", code=6)
