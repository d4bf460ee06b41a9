"""A process that goes on with a scripted campaign and dies on purpose: campaign_worker.py URL AT WHEN STATEMENT."""

from __future__ import annotations

import sys

from tests.campaign_examples import Clock, RandomProposer, campaign

from strongsuit.campaign import SqlStore, load_campaign
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.store import listed
from strongsuit.testing import CrashingStore

ROUNDS = 3


def script(store: object) -> Campaign:
    """Three rounds with named requests, from wherever the journal stands: what was done answers again."""
    if listed(store, "alloys") is None:  # type: ignore[arg-type]
        campaign(store=store)
    one = load_campaign("alloys", store=store, proposer=RandomProposer(), clock=Clock())  # type: ignore[arg-type]
    for round_ in range(ROUNDS):
        query = one.ask(4, by="anna", request=f"ask{round_}")
        half = {row: 0.1 * row for row in query.rows[:2]}
        one.tell(half, by="anna", request=f"tell{round_}")
        one.skip(query.rows[2], by="anna", request=f"skip{round_}")
        one.tell({query.rows[3]: 7.0}, by="anna")
    return one


if __name__ == "__main__":
    url, at, when, statement = sys.argv[1:]
    script(CrashingStore(SqlStore(url), at=int(at), when=when, statement=int(statement), kill=True))
