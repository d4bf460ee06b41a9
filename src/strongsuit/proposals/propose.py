"""The proposer of active learning: `ask` of a session that is made from the view alone, and what it says in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from strongsuit import recipes
from strongsuit.active.committee import Committee, moments
from strongsuit.active.guard import RANDOM
from strongsuit.active.pool import AUDIT, START
from strongsuit.active.reasons import whys
from strongsuit.active.session import Batch, Session, ask, chosen_learner, init
from strongsuit.campaign.events import Chosen
from strongsuit.campaign.rules import CLASS
from strongsuit.campaign.view import Proposal, View
from strongsuit.core.standard import standard
from strongsuit.datasets.pools import PoolTable
from strongsuit.proposals.curve import assessed
from strongsuit.proposals.inputs import Inputs, inputs_of
from strongsuit.proposals.recipe import Recipe, recipe_of
from strongsuit.proposals.replay import (
    BY_CHANCE,
    BY_MODEL,
    TEST,
    WARMUP,
    campaign_key,
    guard_record,
    plain,
    session_of,
)

SHOWN_CLASSES = 5  # the likeliest classes that a slate keeps of a row
NUMBERS = 1 << 22  # distances held at once
# Selectors whose gain is a score of the row alone.
_SCORES = {"top_k", "blend", "cluster_margin", "feature_mixing"}
_Progress = Callable[[str, float], None]


def _silent(stage: str, share: float) -> None:
    pass


@dataclass(frozen=True)
class ActiveProposer:
    """Proposes rows of a pool by active learning, in this process; the settings in the view name strategy and learner.

    The same view, batch and round give the same rows: committees are trained from the journal's labels alone.
    """

    pool: PoolTable
    progress: _Progress = _silent

    def propose(self, view: View, b: int, round: int) -> Proposal:
        """At most b rows that are free, with the guard's record and a point of the learning curve."""
        began = time.perf_counter()
        self.progress("reading the pool", 0.05)
        recipe = recipe_of(view.settings)
        learner, strategy = named(view.settings, recipe)
        session = session_of(view, round, learner, strategy, recipe, self._inputs(view.settings, recipe))
        if not session.pool.available.any():
            return Proposal((), model="none", strategy=strategy, degraded="pool_exhausted")
        self.progress("training and choosing", 0.15)
        after, batch = ask(session, b)
        self.progress("the learning curve", 0.7)
        point = assessed(campaign_key(view.seed), view, session, after, batch)
        sources = sources_of(after, batch)
        return Proposal(
            rows=_chosen(self.pool, view.settings, session, after, batch, sources),
            model=_model(after, recipe),
            strategy=batch.strategy,
            degraded=batch.degraded or False,
            guard=guard_record(session, after, batch, recipe, sources),
            seconds=time.perf_counter() - began,
            assessed=point,
        )

    def check(self, settings: Mapping[str, Any]) -> None:
        """Nothing, or InputError for a recipe that cannot choose among this pool's rows."""
        recipe = recipe_of(settings)
        learner, strategy = named(settings, recipe)
        inputs, target = self._inputs(settings, recipe), settings["target"]
        several = target.get("classes") if target["kind"] == CLASS else target["name"]
        outputs = 1 if isinstance(several, str) else len(several)
        init(
            campaign_key(settings["seed"]), learner, inputs.X, outputs=outputs, strategy=strategy, guarded=recipe.guard,
            start=recipe.start,
        )  # fmt: skip

    def _inputs(self, settings: Mapping[str, Any], recipe: Recipe) -> Inputs:
        known = self._kept
        name = (settings["task"], str(settings.get("cost")), recipe.categorical)
        if name not in known:
            known[name] = inputs_of(self.pool, settings, recipe.categorical)
        return known[name]

    @cached_property
    def _kept(self) -> dict[Any, Inputs]:
        return {}


def named(settings: Mapping[str, Any], recipe: Recipe) -> tuple[Any, str]:
    """The learner and the name of the strategy of a recipe; InputError with the names there are."""
    return recipes.find_active(recipe.learner, recipe.strategy, settings["task"])


def sources_of(after: Session, batch: Batch) -> list[str]:
    """Where each row of the batch comes from: model, random, test or warmup."""
    by_chance = BY_CHANCE if after.guarded and after.state == RANDOM else TEST
    chosen = BY_CHANCE if batch.strategy == BY_CHANCE else BY_MODEL
    return [WARMUP if role == START else by_chance if role == AUDIT else chosen for role in batch.role]


def _chosen(
    pool: PoolTable, settings: Mapping[str, Any], session: Session, after: Session, batch: Batch, sources: list[str]
) -> tuple[Chosen, ...]:
    """The rows of the slate; their order in the batch is their rank, in which random and chosen ones are mixed."""
    rows = batch.index
    keys, words = pool.keys_of(rows.tolist()), whys(batch, after.strategy)
    means, spreads = _predicted(after.selecting, settings, session.pool.X[rows])
    stands = _stands_for(session.pool.X, session.pool.available, rows)
    gains = [None] * len(rows) if batch.gain is None else plain(batch.gain)
    select = getattr(after.strategy.select, "func", after.strategy.select)
    scored = batch.strategy == after.strategy.name and select.__name__ in _SCORES
    return tuple(
        Chosen(
            row=int(rows[i]), rank=i, source=sources[i], key=str(keys[i]), score=gains[i] if scored else None,
            gain=gains[i], stands_for=stands[i], why=words[i], mean=means[i], spread=spreads[i],
        )
        for i in range(len(rows))
    )  # fmt: skip


def _predicted(committee: Committee | None, settings: Mapping[str, Any], X: np.ndarray) -> tuple[list, list]:
    """What the committee that chose says of the rows: numbers with their spread, or the likeliest classes."""
    if committee is None or not len(X):
        return [None] * len(X), [None] * len(X)
    mean, variance = moments(committee, X)
    target = settings["target"]
    if target["kind"] == CLASS:
        return [_likeliest(row, target["classes"]) for row in mean], [None] * len(X)
    said = plain(mean * committee.scale + committee.center)
    spread = plain(np.sqrt(np.maximum(variance, 0.0)) * committee.scale)
    return ([row[0] for row in said] if target["kind"] == "number" else said), spread


def _likeliest(shares: np.ndarray, classes: list[str]) -> dict[str, float]:
    order = np.argsort(-shares, kind="stable")[:SHOWN_CLASSES]
    return {classes[i]: float(shares[i]) for i in order}


def _stands_for(X: np.ndarray, available: np.ndarray, rows: np.ndarray) -> list[int]:
    """For how many free rows each is the nearest of the slate, besides itself, on standardised inputs."""
    center, spread = standard(X)
    points, free = (X[rows] - center) / spread, np.flatnonzero(available)
    square, counts = np.einsum("ij,ij->i", points, points), np.zeros(len(rows), int)
    size = max(1, NUMBERS // max(1, len(rows)))
    for start in range(0, len(free), size):
        part = (X[free[start : start + size]] - center) / spread
        counts += np.bincount(np.argmin(square - 2.0 * part @ points.T, axis=1), minlength=len(rows))
    return np.maximum(counts - 1, 0).tolist()


def _model(after: Session, recipe: Recipe) -> str:
    """What chose, in words: the learner that the comparison took, or the one that was named."""
    committee = after.selecting
    if committee is None:
        return "none"
    if committee.compared:
        return committee.compared[0][0]
    return type(chosen_learner(after)).__name__ if recipe.learner == "auto" else recipe.learner
