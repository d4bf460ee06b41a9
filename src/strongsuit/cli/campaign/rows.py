"""`strongsuit campaign skip, fail, revise, exclude, restore, queue, why`: what is to be said of single rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.campaign.options import (
    DEFAULT,
    By,
    Json,
    PoolFile,
    Reason,
    Request,
    Store,
    Words,
    keys_of,
    loaded,
    named,
    receipt,
    say,
    store_at,
    with_keys,
    with_pool,
)
from strongsuit.errors import InputError

Note = Annotated[str, typer.Option(help="A remark for the journal.")]


def _opened(store: str, words: Sequence[str], pool: Path | None, *, whole: bool = False) -> tuple[Any, list[Any]]:
    """The campaign and the keys; `whole` where costs may have to be looked up too."""
    place = store_at(store)
    name, rest = named(place, words)
    campaign = loaded(place, name)
    priced = whole and isinstance(campaign.state.rules.price, str)
    campaign = with_pool(campaign, pool) if priced else with_keys(campaign, pool)
    return campaign, keys_of(rest, campaign.state.settings)


def skip(
    words: Words, reason: Reason = "", request: Request = None, pool: PoolFile = None, store: Store = DEFAULT,
    by: By = None, as_json: Json = False,
) -> None:  # fmt: skip
    """You cannot say: rows that you will not see again. Example: strongsuit campaign skip alloys A-17"""
    campaign, keys = _opened(store, words, pool)
    done = campaign.skip(keys, reason=reason, by=by, request=request)
    receipt(done, f"{len(done.rows)} skipped", as_json)


def fail(
    words: Annotated[list[str], typer.Argument(metavar="[NAME] KEY", help="The campaign, and the key of a row.")],
    reason: Annotated[str, typer.Option(help="What went wrong.")],
    final: Annotated[bool, typer.Option("--final", help="Never try it again.")] = False,
    cost: Annotated[float | None, typer.Option(min=0, help="What the attempt cost.")] = None,
    request: Request = None,
    pool: PoolFile = None,
    store: Store = DEFAULT,
    by: By = None,
    as_json: Json = False,
) -> None:
    """A run gave no label: the row is due again later, or never.

    Example: strongsuit campaign fail alloys A-17 --reason "the sample broke" --final
    """
    campaign, keys = _opened(store, words, pool, whole=True)
    done = campaign.fail(_single(keys), reason=reason, final=final, cost=cost, by=by, request=request)
    failure = campaign.state.failures[(*done.rows, *done.repeated)[0]]
    again = "never again" if failure.final else f"due again at {failure.retry_at}"
    receipt(done, f"attempt {failure.attempt} failed, {again}", as_json)


def revise(
    words: Annotated[
        list[str], typer.Argument(metavar="[NAME] KEY [VALUE]", help="The campaign, the key of a row, its new value.")
    ],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the answer back: no value.")] = False,
    of: Annotated[str | None, typer.Option(help="Whose answer, if it is not yours; for owners.")] = None,
    note: Note = "",
    request: Request = None,
    pool: PoolFile = None,
    store: Store = DEFAULT,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Replace an answer, or take it back. Example: strongsuit campaign revise alloys A-17 1291.0"""
    from strongsuit.cli.campaign.asking import value_of

    place = store_at(store)
    name, rest = named(place, words)
    if len(rest) != (1 if withdraw else 2):
        raise InputError("revise takes a key and its new value, or a key and --withdraw")
    campaign = with_keys(loaded(place, name), pool)
    key = keys_of(rest[:1], campaign.state.settings)[0]
    value = None if withdraw else value_of(rest[1], campaign.state.rules.kind)
    done = campaign.revise(key, value, note=note, of=of, by=by, request=request)
    receipt(done, f"{'withdrawn' if withdraw else 'revised'}: {len(done.rows)}", as_json)


def exclude(
    words: Words, reason: Reason = "", request: Request = None, pool: PoolFile = None, store: Store = DEFAULT,
    by: By = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Rows never to be used. Example: strongsuit campaign exclude alloys A-17 A-18 --reason contaminated"""
    campaign, keys = _opened(store, words, pool)
    done = campaign.exclude(keys, reason=reason, by=by, request=request)
    receipt(done, f"{len(done.rows)} excluded", as_json)


def restore(
    words: Words, reason: Reason = "", request: Request = None, pool: PoolFile = None, store: Store = DEFAULT,
    by: By = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Rows usable again that were excluded, skipped or failed. Example: strongsuit campaign restore alloys A-17"""
    campaign, keys = _opened(store, words, pool)
    done = campaign.restore(keys, reason=reason, by=by, request=request)
    receipt(done, f"{len(done.rows)} restored", as_json)


def queue(
    words: Words, note: Note = "", request: Request = None, pool: PoolFile = None, store: Store = DEFAULT,
    by: By = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Rows to hand out before all others. Example: strongsuit campaign queue alloys A-17"""
    campaign, keys = _opened(store, words, pool)
    done = campaign.queue(keys, note=note, by=by, request=request)
    receipt(done, f"{len(done.rows)} queued", as_json)


def why(
    words: Annotated[list[str], typer.Argument(metavar="[NAME] KEY", help="The campaign, and the key of a row.")],
    pool: PoolFile = None,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """All that the journal knows of a row. Example: strongsuit campaign why alloys A-17"""
    from strongsuit.cli.campaign.words import about_row

    campaign, keys = _opened(store, words, pool)
    facts = campaign.why(_single(keys))
    say(about_row(str(keys[0]), facts), {"key": keys[0], **facts}, as_json)


def _single(keys: Sequence[Any]) -> Any:
    if len(keys) != 1:
        raise InputError(f"one key is wanted, got {len(keys)}: {', '.join(map(str, keys))}")
    return keys[0]
