"""A campaign and its verbs: each makes a command, which a pure function decides and the one writer commits."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from strongsuit.campaign import commands as co
from strongsuit.campaign.asking import Query, decide_ask, decide_prepare
from strongsuit.campaign.chain import Event
from strongsuit.campaign.claims import claimed
from strongsuit.campaign.desk import Desk
from strongsuit.campaign.events import Chosen, Proposed
from strongsuit.campaign.intake import answers_of
from strongsuit.campaign.journal import export_journal
from strongsuit.campaign.pool import Pool
from strongsuit.campaign.reporting import label_table, status_of, why_of
from strongsuit.campaign.state import State
from strongsuit.campaign.steering import (
    decide_amend,
    decide_close,
    decide_exclude,
    decide_queue,
    decide_release,
    decide_renew,
    mismatch,
)
from strongsuit.campaign.tables import write_rows
from strongsuit.campaign.telling import Receipt, check_rows, decide_fail, decide_revise, decide_skip, decide_tell
from strongsuit.campaign.verify import Verdict, verify_journal, verify_proposals
from strongsuit.campaign.view import Proposer
from strongsuit.errors import InputError, JournalBroken, PoolMismatch, StoreBusy

PROPOSAL = "proposal"  # the claim of whoever fits
POLL_SECONDS = 0.2
FITS = 4  # proposals that may be overtaken before `ask` gives up


@dataclass(frozen=True)
class Campaign:
    """A campaign in a store: make it by `create_campaign`, open it by `load_campaign`.

    Rows are named by their keys, or by their numbers where the pool has no key column or with `by_row=True`. `by` is
    who speaks: by default the login name. A request id makes a repeated call harmless.
    """

    desk: Desk
    pool: Pool | None = None
    proposer: Proposer | None = None
    sleep: Callable[[float], None] = time.sleep

    def __repr__(self) -> str:
        return f"Campaign({self.name!r}, {self.desk.store!r}, position {self.desk.state.position})"

    @property
    def name(self) -> str:
        """Its name in the store."""
        return self.desk.name

    @property
    def state(self) -> State:
        """The state as the journal is now."""
        return self.desk.refresh()

    def ask(
        self, n: int | None = None, *, by: str | None = None, request: str | None = None, more: bool = False
    ) -> Query:
        """At most n rows to label (default: a batch), leased to `by`.

        Whoever holds rows gets these again, unless `more` or a new request id is given. Raises PoolExhausted,
        BudgetSpent or CampaignClosed if there are none.
        """
        command = co.Ask(
            by=by or login(), n=n, request=request, more=more, can_propose=self.proposer is not None, costs=self._costs
        )
        return self._filled(self._with_proposals(command, decide_ask))

    def prepare(self, *, by: str | None = None) -> bool:
        """Whether a new slate was proposed ahead of need: half of the last one has been handed out."""
        if self.proposer is None:
            raise InputError("prepare needs a proposer: load the campaign with one")
        return self._with_proposals(co.Prepare(by or login()), decide_prepare)

    def tell(
        self,
        answers: Any,
        *,
        by: str | None = None,
        request: str | None = None,
        cost: float | None = None,
        seconds: float | None = None,
        note: str = "",
        partial: bool = False,
        by_row: bool = False,
    ) -> Receipt:
        """What was written of the answers: {key: value}, a frame with the key and target columns, or `Given`s.

        All or nothing, unless `partial`. The same answer again changes nothing; another one raises AlreadyTold. Raises
        UnknownRow and InvalidLabel.
        """
        given = answers_of(answers, self.desk.state.settings, cost=cost, seconds=seconds, note=note)
        rows = self._rows([one.row for one in given], by_row=by_row)
        told = tuple(replace(one, row=row) for one, row in zip(given, rows, strict=True))
        return self.desk.commit(co.Tell(by or login(), told, request, partial, self._costs), decide_tell)

    def skip(
        self, key: Any, *, reason: str = "", by: str | None = None, request: str | None = None, by_row: bool = False
    ) -> Receipt:
        """This annotator cannot answer these rows (a key or several) and will not see them again."""
        rows = tuple(self._rows(_several(key), by_row=by_row))
        return self.desk.commit(co.Skip(by or login(), rows, reason, request), decide_skip)

    def fail(
        self,
        key: Any,
        *,
        reason: str,
        final: bool = False,
        cost: float | None = None,
        retries: int = co.MAX_REPEATS,
        by: str | None = None,
        request: str | None = None,
        by_row: bool = False,
    ) -> Receipt:
        """A run gave no label: the row is due again later, or never after `retries` repeats or if `final`."""
        row = self._rows([key], by_row=by_row)[0]
        command = co.Fail(by or login(), row, reason, final, cost, retries, request, self._costs)
        return self.desk.commit(command, decide_fail)

    def revise(
        self,
        key: Any,
        value: Any,
        *,
        note: str = "",
        of: str | None = None,
        by: str | None = None,
        request: str | None = None,
        by_row: bool = False,
    ) -> Receipt:
        """Another value for one's answer, or None to withdraw it; an owner may name whose answer it is by `of`."""
        row = self._rows([key], by_row=by_row)[0]
        return self.desk.commit(co.Revise(by or login(), row, value, note, of, request), decide_revise)

    def exclude(
        self, keys: Any, *, reason: str = "", by: str | None = None, request: str | None = None, by_row: bool = False
    ) -> Receipt:
        """Rows never to be used."""
        rows = tuple(self._rows(_several(keys), by_row=by_row))
        return self.desk.commit(co.Exclude(by or login(), rows, reason, False, request), decide_exclude)

    def restore(
        self, keys: Any, *, reason: str = "", by: str | None = None, request: str | None = None, by_row: bool = False
    ) -> Receipt:
        """Rows usable again: no longer excluded, skipped or failed."""
        rows = tuple(self._rows(_several(keys), by_row=by_row))
        return self.desk.commit(co.Exclude(by or login(), rows, reason, True, request), decide_exclude)

    def queue(
        self, keys: Any, *, note: str = "", by: str | None = None, request: str | None = None, by_row: bool = False
    ) -> Receipt:
        """Rows to hand out before the slate."""
        rows = tuple(self._rows(_several(keys), by_row=by_row))
        return self.desk.commit(co.Queue(by or login(), rows, note, request), decide_queue)

    def renew(self, keys: Any = None, *, by: str | None = None, by_row: bool = False) -> Receipt:
        """Leases (default: all of `by`) that end later; at most one event a half-lease."""
        rows = None if keys is None else tuple(self._rows(_several(keys), by_row=by_row))
        return self.desk.commit(co.Renew(by or login(), rows), decide_renew)

    def release(self, to: str, keys: Any = None, *, by: str | None = None, by_row: bool = False) -> Receipt:
        """Leases of a person (default: all of them) that end now; their rows go to the next who asks."""
        rows = None if keys is None else tuple(self._rows(_several(keys), by_row=by_row))
        return self.desk.commit(co.Release(by or login(), to, rows), decide_release)

    def amend(
        self, set: Mapping[str, Any], *, reason: str = "", changed: bool = False, by: str | None = None
    ) -> Receipt:
        """Other settings from now on, whole fields of `Created`: amend({"batch": 20}).

        `set["pool"]` may be a pool, whose first rows must be the old one's (`changed` says that rows whose cells differ
        still mean the same). Load the campaign again with it afterwards.
        """
        settings, proof, pool = dict(set), None, set.get("pool")
        if pool is not None and not isinstance(pool, Mapping):
            proof, settings["pool"] = pool.proof(self.state.rules.rows), dict(pool.description)
        return self.desk.commit(co.Amend(by or login(), settings, reason, proof, changed), decide_amend)

    def close(self, *, reason: str = "", by: str | None = None) -> Receipt:
        """No further asking; answers are still taken."""
        return self.desk.commit(co.Close(by or login(), reason), decide_close)

    def reopen(self, *, reason: str = "", by: str | None = None) -> Receipt:
        """Asking again."""
        return self.desk.commit(co.Close(by or login(), reason, open=True), decide_close)

    def status(self) -> dict[str, Any]:
        """Where the campaign stands; see `status_of`."""
        return {"name": self.name, **status_of(self.state, self.desk.clock())}

    def why(self, key: Any, *, by_row: bool = False) -> dict[str, Any]:
        """Everything the journal knows of a row."""
        row = self._rows([key], by_row=by_row)[0]
        state = self.state
        check_rows(state, [row])
        return why_of(state, row, self.desk.store.read(self.name, limit=state.position))

    def journal(self, after: int = 0) -> list[Event]:
        """The events behind a position."""
        return list(self.desk.store.read(self.name, after=after))

    def labels(self) -> list[dict[str, Any]]:
        """The labels, a dictionary a row, with its key where it is known; see `label_table`."""
        table = label_table(self.state)
        keys = self._keys([one["row"] for one in table])
        return [{"key": key, **one} for key, one in zip(keys, table, strict=True)]

    def to_dataframe(self) -> Any:
        """The labels as a pandas frame, a row each; the answers of annotators are left to `labels`."""
        import pandas as pd

        table = [{name: value for name, value in one.items() if name != "answers"} for one in self.labels()]
        return pd.DataFrame(table)

    def export(self, path: str | Path) -> Path:
        """The path of the written labels (.csv, .parquet, .json), or of the journal (.jsonl, .jsonl.gz)."""
        if Path(path).name.endswith((".jsonl", ".jsonl.gz")):
            return export_journal(self.desk.store, self.name, path)
        return write_rows(self.labels(), Path(path))

    def verify(self) -> list[Verdict]:
        """A verdict a round, with a proposer; before, JournalBroken unless chain, state and snapshot are right."""
        with self.desk.lock:
            held = self.state.copy()
        if verify_journal(self.desk.store, self.name, held.position) != held:
            raise JournalBroken(f"campaign {self.name!r}: the state held here is not what the journal says")
        return verify_proposals(self.desk.store, self.name, self.proposer) if self.proposer else []

    def _with_proposals(self, command: Any, decide: Any) -> Any:
        """The outcome of a command that may need a proposal: made by us, or by whoever has claimed it."""
        answer = self.desk.commit(command, decide)
        while isinstance(answer, co.Wanted):
            with claimed(self.desk.store, self.name, PROPOSAL, self.desk.clock) as ours:
                if ours:
                    return self._proposing(command, decide)
            self.sleep(POLL_SECONDS)
            answer = self.desk.commit(command, decide)
        return answer

    def _proposing(self, command: Any, decide: Any) -> Any:
        """The outcome, with as many proposals as it takes; no lock is held while the proposer runs."""
        assert self.proposer is not None
        ready: co.Ready | None = None
        for _ in range(FITS):
            wanted = self.desk.commit(replace(command, ready=ready), decide)
            if not isinstance(wanted, co.Wanted):
                return wanted
            proposal = self.proposer.propose(wanted.view, wanted.b, wanted.view.round)
            ready = co.Ready(proposal, wanted.basis, wanted.view.round, wanted.repeats, wanted.b, wanted.kept)
        raise StoreBusy(f"campaign {self.name!r}: {FITS} proposals were overtaken by others: try again")

    def _rows(self, keys: Sequence[Any], *, by_row: bool) -> list[Any]:
        """The rows of keys; what is no key stays as it is, for the verb to refuse."""
        if by_row or self.desk.state.settings["pool"].get("key") is None:
            return [int(key) if _is_whole(key) else key for key in keys]
        if self.pool is not None:
            return [str(key) if row is None else row for key, row in zip(keys, self.pool.rows_of(keys), strict=True)]
        known = {one.key: row for row, one in (self.desk.state.chosen | self.desk.state.slate).items()}
        lost = [key for key in keys if str(key) not in known]
        if lost:
            raise InputError(f"key {lost[0]!r}: load the campaign with its pool, or name rows by number (by_row=True)")
        return [known[str(key)] for key in keys]

    def _keys(self, rows: Sequence[int]) -> list[Any]:
        if self.pool is not None:
            return self.pool.keys_of(rows)
        if self.desk.state.settings["pool"].get("key") is None:
            return list(rows)
        said = self.desk.state.chosen | self.desk.state.slate
        return [said[row].key if row in said else None for row in rows]

    def _costs(self, rows: Sequence[int]) -> Sequence[float]:
        price = self.desk.state.rules.price
        if isinstance(price, float):
            return [price] * len(rows)
        if self.pool is None:
            raise InputError(
                f"costs are in column {price!r} of the pool: load the campaign with its pool, or say cost="
            )
        return self.pool.costs(price, rows)

    def _filled(self, query: Query) -> Query:
        """The query with what only older rounds or the pool know."""
        found = [self._found(row) if rank is None else None for row, rank in zip(query.rows, query.rank, strict=True)]
        keys = self._keys(query.rows) if self.pool is not None or not any(query.keys) else query.keys
        return replace(
            query,
            keys=tuple(keys),
            rank=tuple(one.rank if one else rank for one, rank in zip(found, query.rank, strict=True)),
            source=tuple(one.source if one else was for one, was in zip(found, query.source, strict=True)),
            why=tuple(one.why if one else was for one, was in zip(found, query.why, strict=True)),
            features=None if self.pool is None else self.pool.features(query.rows),
        )

    def _found(self, row: int) -> Chosen | None:
        """What the round that proposed the row said of it, read from the journal."""
        if row not in self.desk.state.sources:
            return None
        round_ = self.desk.state.sources[row][1]
        position = next(one["position"] for one in self.desk.state.rounds if one["round"] == round_)
        body = next(islice(self.desk.store.read(self.name, after=position - 1, limit=1), 1)).body
        return next((one for one in body.rows if one.row == row), None) if isinstance(body, Proposed) else None


def login() -> str:
    """The user's login name: the same after a restart, unlike a process id."""
    return getpass.getuser()


def check_same_pool(state: State, pool: Pool) -> None:
    """PoolMismatch unless the pool is the one in the journal."""
    ours = state.settings["pool"]
    if pool.description["fingerprint"] != ours["fingerprint"]:
        raise PoolMismatch(
            f"{mismatch(ours, pool.description)}: this is not the campaign's pool; "
            "give that one, or `amend --pool` with a reason"
        )


def _several(keys: Any) -> Sequence[Any]:
    return list(keys) if isinstance(keys, list | tuple | set | range) or hasattr(keys, "tolist") else [keys]


def _is_whole(key: Any) -> bool:
    return hasattr(key, "__index__") and not isinstance(key, bool)
