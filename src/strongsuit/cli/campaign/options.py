"""Options that verbs share, and what they mean: which store, which campaign, who speaks, as text or as JSON."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.errors import InputError, UnknownCampaign

VARIABLE, DEFAULT = "STRONGSUIT_STORE", "sqlite:///strongsuit.db"
_FILE = "sqlite:///"

Store = Annotated[
    str, typer.Option(envvar=VARIABLE, help="URL of the store: sqlite:///FILE or postgresql+psycopg://USER@HOST/DB.")
]
Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The campaign; not needed if there is only one.")]
Words = Annotated[list[str], typer.Argument(metavar="[NAME] KEY...", help="The campaign, and keys of rows.")]
By = Annotated[str | None, typer.Option(help="Who speaks; default: the login name.")]
PoolFile = Annotated[Path | None, typer.Option("--pool", help="Where the pool's file is now, if it has moved.")]
CheckPool = Annotated[
    bool, typer.Option("--check-pool", help="Hash the pool's content even if its file looks unchanged.")
]
Reason = Annotated[str, typer.Option(help="Why; the journal keeps it.")]
Request = Annotated[str | None, typer.Option(help="A name for this call: the same call again changes nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def store_at(url: str, *, new: bool = False) -> Any:
    """The store of a URL; InputError for a file that is not there, unless a `new` one may be made."""
    from strongsuit.campaign import SqlStore

    if "://" not in url:
        raise InputError(f"--store {url!r} is no URL: write sqlite:///{url} for a file")
    if not new and url.startswith(_FILE) and not Path(url.removeprefix(_FILE).split("?")[0]).exists():
        raise UnknownCampaign(
            f"there is no store {url}: `strongsuit campaign create` makes one, --store or ${VARIABLE} names another"
        )
    return SqlStore(url)


def same(store: Any) -> str:
    """What a command printed for the user must end in to reach this store: nothing if it does so anyway."""
    if store.url == (os.environ.get(VARIABLE) or DEFAULT):
        return ""
    return f" --store {shlex.quote(store.url)}"


def only(store: Any, name: str | None) -> str:
    """The name, or that of the only campaign; UnknownCampaign where that is not clear."""
    if name is not None:
        return name
    names = [one.name for one in store.campaigns()]
    if len(names) != 1:
        there = f"there are {', '.join(names)}: name one" if names else "the store has none yet: create one"
        raise UnknownCampaign(f"which campaign? {there}")
    return names[0]


def named(store: Any, words: Sequence[str]) -> tuple[str, list[str]]:
    """The campaign and the other words: the first word is its name if the store has one so called."""
    if words and words[0] in {one.name for one in store.campaigns()}:
        return words[0], list(words[1:])
    return only(store, None), list(words)


def loaded(store: Any, name: str) -> Any:
    """The campaign without pool and proposer: enough to look at."""
    from strongsuit.campaign import load_campaign

    return load_campaign(name, store=store)


def with_pool(campaign: Any, source: Path | None = None, *, check: bool = False) -> Any:
    """The campaign with its pool, which keys are looked up in."""
    from strongsuit import recipes

    return replace(campaign, pool=recipes.campaign_pool(campaign.state.settings, source, check=check))


def with_keys(campaign: Any, source: Path | None = None) -> Any:
    """The campaign with its pool if rows are known by keys; by number nothing needs to be read."""
    needed = campaign.state.settings["pool"].get("key") is not None or source is not None
    return with_pool(campaign, source) if needed else campaign


def with_proposer(
    campaign: Any,
    source: Path | None,
    progress: Callable[[str, float], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Any:
    """The campaign with what chooses its rows, in a process of its own."""
    from strongsuit import recipes

    settings, pool = campaign.state.settings, campaign.pool
    chooser = recipes.proposer(settings, pool=pool, source=source, progress=progress, stopped=stopped)
    return replace(campaign, proposer=chooser)


def keys_of(words: Sequence[str], settings: Mapping[str, Any]) -> list[Any]:
    """Words as keys: numbers where the pool has no key column; InputError for none."""
    if not words:
        raise InputError("name at least one row by its key")
    if settings["pool"].get("key") is not None:
        return list(words)
    wrong = [word for word in words if not word.isdecimal()]
    if wrong:
        raise InputError(f"{wrong[0]!r} is no row number: the pool has no key column, rows are 0, 1, 2 ...")
    return [int(word) for word in words]


def say(sentence: str, facts: Mapping[str, Any] | Sequence[Any], as_json: bool) -> None:
    """Prints the facts as JSON, or the sentence."""
    typer.echo(json.dumps(_finite(facts), ensure_ascii=False, default=str) if as_json else sentence)


def receipt(done: Any, sentence: str, as_json: bool) -> None:
    """What a verb wrote."""
    again = f"; {_rows(len(done.repeated))} were so already" if done.repeated else ""
    facts = {"position": done.position, "rows": list(done.rows), "repeated": list(done.repeated)}
    say(f"{sentence}{again} · journal position {done.position}", facts, as_json)


def _rows(count: int) -> str:
    return f"{count} {'row' if count == 1 else 'rows'}"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value
