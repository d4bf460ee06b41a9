"""A campaign as a run of MLflow: settings as parameters, a round a step, learning curve as metrics, slates as files.

The run is found again by a tag. Metrics bear the times of the journal, so that the same point again is the same point.
Parameters of MLflow never change: settings that were amended are in `settings.json`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strongsuit._optional import require
from strongsuit.campaign import events as ev
from strongsuit.campaign.chain import Event, moment
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State
from strongsuit.errors import ServiceError, StoreError

DEFAULT_URI = "sqlite:///mlflow.db"
EXPERIMENT = "strongsuit"
CAMPAIGN_TAG, PLACE_TAG = "strongsuit.campaign", "strongsuit.position"
LONGEST = 500  # characters of a parameter that every MLflow takes
_POOL = ("n", "key", "format", "fingerprint")  # columns and chunks are too long for parameters
_COLUMNS = ("rank", "row", "key", "source", "score", "gain", "cluster", "stands_for", "why", "mean", "spread")


@dataclass(frozen=True)
class MlflowFollower:
    """Reports to one run of a client (`mlflow.MlflowClient`, or whatever has its methods)."""

    client: Any
    run: str

    def place(self) -> int:
        """The position that the run's tag says."""
        return int(self.client.get_run(self.run).data.tags.get(PLACE_TAG, 0))

    def keep(self, position: int) -> None:
        """Writes it there."""
        self.client.set_tag(self.run, PLACE_TAG, str(position))

    def take(self, event: Event, state: State) -> bool:
        """Whether the event is one that a run shows."""
        body = event.body
        if isinstance(body, ev.Created):
            self._settings(state, parameters=True)
        elif isinstance(body, ev.Amended):
            self._settings(state, parameters=False)
        elif isinstance(body, ev.Proposed):
            self.client.log_text(self.run, slate_table(body), f"rounds/round-{body.round:04d}.csv")
        elif isinstance(body, ev.Assessed):
            for name, value in metrics_of(body, state):
                self.client.log_metric(self.run, name, value, timestamp=_milliseconds(event.at), step=state.round)
        elif isinstance(body, ev.Closed) and body.open:
            self.client.update_run(self.run, status="RUNNING")
        elif isinstance(body, ev.Closed):
            self.client.set_terminated(self.run, status="FINISHED", end_time=_milliseconds(event.at))
        else:
            return False
        return True

    def _settings(self, state: State, *, parameters: bool) -> None:
        if parameters:
            for name, value in parameters_of(state.settings):
                self.client.log_param(self.run, name, value)
        text = json.dumps(state.settings, indent=2, sort_keys=True, default=str)
        self.client.log_text(self.run, text, "settings.json")


def mlflow_follower(campaign: Campaign, *, uri: str | None = None, experiment: str = EXPERIMENT) -> MlflowFollower:
    """The follower of a campaign at a tracking server or database.

    MissingDependency without the extra `mlflow`, ServiceError where MLflow does not answer.
    """
    mlflow = require("mlflow", extra="mlflow")
    try:
        return followed(campaign, mlflow.MlflowClient(tracking_uri=uri or DEFAULT_URI), experiment=experiment)
    except StoreError:
        raise  # of the journal, and not MLflow's
    except Exception as error:  # MLflow's, its database's or its network's
        raise ServiceError(f"MLflow at {uri or DEFAULT_URI}: {error}") from error


def followed(campaign: Campaign, client: Any, *, experiment: str = EXPERIMENT) -> MlflowFollower:
    """The follower with the campaign's run, found by its tag or begun."""
    first = next(iter(campaign.desk.store.read(campaign.name, limit=1)))
    identity = f"{campaign.name}:{first.digest[:16]}"
    known = client.get_experiment_by_name(experiment)
    id_ = known.experiment_id if known is not None else client.create_experiment(experiment)
    found = client.search_runs([id_], filter_string=f"tags.`{CAMPAIGN_TAG}` = '{identity}'", max_results=1)
    if found:
        return MlflowFollower(client, found[0].info.run_id)
    run = client.create_run(
        id_, start_time=_milliseconds(first.at), tags={CAMPAIGN_TAG: identity}, run_name=campaign.name
    )
    return MlflowFollower(client, run.info.run_id)


def parameters_of(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Settings as names with dots and texts; of the pool what tells it from others."""
    pool = settings.get("pool") or {}
    short = {**settings, "pool": {name: pool.get(name) for name in _POOL}}
    return ((name, text[:LONGEST]) for name, text in _flat(short, "") if text)


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{_allowed(key)}" if name else _allowed(key))
    elif value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def metrics_of(body: ev.Assessed, state: State) -> Iterator[tuple[str, float]]:
    """A point of the learning curve: the error with its interval, labels, what was spent by then."""
    name = _allowed(body.metric)
    values = {name: body.value, f"{name}_low": body.low, f"{name}_high": body.high, "labels": body.labels}
    spent = {"spent": float(state.spent)}
    return ((key, float(value)) for key, value in (values | spent).items() if value is not None)


def slate_table(body: ev.Proposed) -> str:
    """The slate of a round as CSV, by rank."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for one in sorted(body.rows, key=lambda one: one.rank):
        table.writerow([getattr(one, name) for name in _COLUMNS])
    return text.getvalue()


def _allowed(name: Any) -> str:
    """The name with what MLflow allows in one."""
    return re.sub(r"[^\w\-./ ]", "_", str(name), flags=re.ASCII)


def _milliseconds(at: str) -> int:
    return round(moment(at).timestamp() * 1000)
