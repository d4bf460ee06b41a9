"""`strongsuit campaign mlflow`: a campaign as a run of MLflow, kept up by whoever runs this and nobody else."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from strongsuit.cli.campaign.options import DEFAULT, Json, Name, Store, loaded, only, say, store_at

URI = "MLFLOW_TRACKING_URI"


def mlflow(
    name: Name = None,
    uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", envvar=URI, help="Where runs are kept; default: sqlite:///mlflow.db."),
    ] = None,
    experiment: Annotated[str, typer.Option(help="The experiment that the run belongs to.")] = "strongsuit",
    watch: Annotated[float | None, typer.Option(min=1, help="Look again every so many seconds until Ctrl-C.")] = None,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Report a campaign to MLflow (extra `mlflow`): settings, learning curve, slates; again adds only what is new.

    Example: strongsuit campaign mlflow alloys --tracking-uri http://localhost:5000 --watch 30
    """
    from strongsuit.campaign.follow_mlflow import mlflow_follower
    from strongsuit.campaign.followers import follow, follow_on

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    place = store_at(store)
    campaign = loaded(place, only(place, name))
    follower = mlflow_follower(campaign, uri=uri, experiment=experiment)

    def done(state: Any) -> None:
        facts = {"name": campaign.name, "run": follower.run, "position": state.position, "round": state.round}
        say(f"{campaign.name} · run {follower.run} · journal position {state.position}", facts, as_json)

    if watch is None:
        done(follow(campaign, follower))
    else:
        follow_on(campaign, follower, every=watch, progress=_once(done))


def _once(show: Any) -> Any:
    """Shows a state only where its position is another than the last."""
    last = [-1]

    def shown(state: Any) -> None:
        if state.position != last[0]:
            last[0] = state.position
            show(state)

    return shown
