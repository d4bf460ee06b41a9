"""The campaigns of a store as the server holds them open: each with its pool and proposer, where they are at hand."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from strongsuit.campaign.campaigns import load_campaign
from strongsuit.campaign.chain import canonical
from strongsuit.campaign.service import Campaign, check_same_pool
from strongsuit.campaign.store import Listed
from strongsuit.errors import JournalBroken, StrongsuitError, UnknownCampaign
from strongsuit.web.options import Options

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Held:
    campaign: Campaign
    mark: str  # what pool and proposer were made for
    trouble: str


@dataclass
class Opened:
    """Campaigns by name; a change of pool or recipe by anybody shows with the next request."""

    store: Any
    options: Options
    _held: dict[str, _Held] = field(default_factory=dict)
    _bare: dict[str, Campaign] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def names(self) -> list[Listed]:
        """What the store has."""
        return self.store.campaigns()

    def get(self, name: str) -> Campaign:
        """The campaign as the journal is now; UnknownCampaign."""
        return self._fresh(name).campaign

    def bare(self, name: str) -> Campaign:
        """The campaign without pool and proposer, at once even while a pool is being read; UnknownCampaign."""
        held = self._bare.get(name)
        try:
            if held is not None and held.state.position:
                return held
        except (UnknownCampaign, JournalBroken):
            self._bare.pop(name, None)
        self._bare[name] = load_campaign(name, store=self.store, clock=self.options.clock)
        return self._bare[name]

    def trouble(self, name: str) -> str:
        """What is wrong with its pool or proposer, for its owner; '' for nothing."""
        return self._fresh(name).trouble

    def _fresh(self, name: str) -> _Held:
        with self._lock:
            held = self._held.get(name)
            if held is not None:
                try:
                    if _mark(held.campaign.state.settings) == held.mark:
                        return held
                except (UnknownCampaign, JournalBroken):  # deleted, and perhaps begun anew
                    del self._held[name]
            self._held[name] = self._open(name)
            return self._held[name]

    def _open(self, name: str) -> _Held:
        campaign = load_campaign(name, store=self.store, clock=self.options.clock)
        settings = campaign.state.settings
        troubles = []
        try:
            pool = self.options.pools(name, settings["pool"])
            if pool is not None:
                check_same_pool(campaign.desk.state, pool)
                campaign = replace(campaign, pool=pool)
        except StrongsuitError as error:
            log.warning("the pool of campaign %s: %s", name, error)
            troubles.append(f"The pool is not at hand ({type(error).__name__}): rows are shown by number.")
        try:
            campaign = replace(campaign, proposer=self.options.proposers(settings))
        except Exception as error:  # a recipe may say anything: people label and look on without a proposer
            log.warning("the proposer of campaign %s: %s", name, error)
            troubles.append(f"Nothing new can be proposed ({type(error).__name__}).")
        return _Held(campaign, _mark(settings), " ".join(troubles))


def _mark(settings: dict[str, Any]) -> str:
    parts = [settings[name] for name in ("task", "target", "recipe", "seed")]
    return canonical([*parts, settings["pool"]["fingerprint"], settings["pool"].get("uri")])
