"""ALBL: a bandit over strategies, paid by how well models do on rows that were asked for (Exp4.P).

Hsu and Lin 2015 (AAAI). One strategy is drawn for every row, and is paid the accuracy of the model that has learned the
row, estimated on all rows asked for, each weighted by one over the chance with which it was asked for. Rows are judged
by cross-fitted models, which have not seen their labels: the accuracy on rows that the model was trained on, as public
code takes it, says how well it remembers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.memory import lacking
from strongsuit.active.search.turns import closed, favourites, flags_of, listed
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.selectors.uniform import uniform
from strongsuit.active.strategy import Strategy
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError

HORIZON = 200  # rows over which the bandit plans: twenty batches of ten
RISK = 0.1  # the chance with which its bound may fail


def albl(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, *, horizon: int = HORIZON) -> Selection:
    """Rows that parts propose which are drawn one by one by their shares; gain is the chance of the row.

    Within a batch the shares stay; a row asked for pays its part at the first call at which its label is known, in the
    order in which rows were asked for. A part that draws blindly makes every row's chance positive, so that the
    accuracy is one of the whole pool.
    """
    weights, waiting = learned(parts, evidence, horizon)
    shares = shares_of(weights, horizon)
    lists, flags = listed(key, parts, evidence, b)
    index, part, chance = drawn(key_for(key, "draw"), lists, shares, closed(evidence), b, blind=_blind(parts))
    names, missing = [one.name for one in parts], lacking(evidence.past, evidence.round)
    facts = {
        "weights": dict(zip(names, weights.tolist(), strict=True)),
        "shares": dict(zip(names, shares.tolist(), strict=True)),
        "waiting": waiting, "reason": missing,
    }  # fmt: skip
    return Selection(index, chance, flags_of(missing, *flags), facts, part, chance)


def shares_of(weights: np.ndarray, horizon: int) -> np.ndarray:
    """The chance (K,) of each strategy: its share of the weights, but at least sqrt(log K / (K horizon))."""
    K, least = len(weights), _least(len(weights), horizon)
    return (1.0 - K * least) * weights / weights.sum() + least


def paid(weights: np.ndarray, shares: np.ndarray, drawn: int, reward: float, horizon: int) -> np.ndarray:
    """The weights (K,), which sum to 1, after the strategy that was drawn by these shares (K,) has earned a reward.

    Exp4.P (Beygelzimer et al. 2011) with experts that each advise one strategy: w *= exp(p_min / 2 (r^ + (1 / P)
    sqrt(log(K / 0.1) / (K horizon)))), r^ = reward / P of the one drawn and 0 of the others.
    """
    K, estimate = len(weights), np.zeros(len(weights))
    estimate[drawn] = reward / shares[drawn]
    bonus = np.sqrt(np.log(K / RISK) / (K * horizon)) / shares
    later = weights * np.exp(0.5 * _least(K, horizon) * (estimate + bonus))
    return later / later.sum()


def drawn(
    key: Key, lists: list[np.ndarray], shares: np.ndarray, taken: np.ndarray, b: int, *, blind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most b rows, the part that proposed each, and its chance: that of all parts whose favourite it was, and an
    even part of the chance of those that draw blindly."""
    taken, rng, found = taken.copy(), key.numpy(), []
    for _ in range(min(b, int((~taken).sum()))):
        first = favourites(lists, taken)
        odds = np.where(first >= 0, shares, 0.0)
        if not odds.any():
            break
        odds /= odds.sum()
        part = int(rng.choice(len(lists), p=odds))
        row = first[part]
        chance = odds[(first == row) & ~blind].sum() + odds[blind].sum() / (~taken).sum()
        found.append((row, part, chance))
        taken[row] = True
    columns = np.array(found, float).reshape(-1, 3).T
    return columns[0].astype(int), columns[1].astype(int), columns[2]


def learned(parts: tuple[Strategy, ...], evidence: Evidence, horizon: int) -> tuple[np.ndarray, list[int]]:
    """The weights (K,) of the last batch after all rows whose labels have come since were paid for, and the turns of
    the rows whose labels are still awaited."""
    past = evidence.past
    if past is None or not past.facts:
        return np.full(len(parts), 1.0 / len(parts)), []
    last = max(past.facts)
    weights = _in_order(parts, past.facts[last]["weights"])
    unpaid = {*past.facts[last]["waiting"], *past.turn[past.round == last].tolist()}
    rows = np.flatnonzero((past.turn >= 0) & evidence.labelled)
    rows = rows[np.argsort(past.turn[rows])]
    for row, reward in zip(rows, rewards(evidence, rows, horizon), strict=True):
        if past.turn[row] in unpaid:
            shares = _in_order(parts, past.facts[int(past.round[row])]["shares"])
            weights = paid(weights, shares, int(past.part[row]), reward, horizon)
    return weights, sorted(int(turn) for turn in unpaid - set(past.turn[rows].tolist()))


def rewards(evidence: Evidence, rows: np.ndarray, horizon: int) -> np.ndarray:
    """What each of the rows (c,), in the order asked for, earns: the sum over it and those before it of 1 / chance of
    those whose class cross-fitted models tell, over pool rows times the horizon."""
    right = told_from_outside(evidence)[rows]
    pool = int((evidence.available | (evidence.past.turn >= 0)).sum())
    return np.cumsum(right / evidence.past.chance[rows]) / (pool * horizon)


def told_from_outside(evidence: Evidence) -> np.ndarray:
    """(n,) whether models that did not see a row's label give its class the largest probability; False without one."""
    found, known = np.zeros(len(evidence.x), bool), np.flatnonzero(evidence.labelled)
    for fold in evidence.folds:
        own = np.flatnonzero(fold.available)  # labelled rows come first
        found[known[own]] = fold.proba[own].argmax(1) == fold.y_true[own].argmax(1)
    return found


def _least(K: int, horizon: int) -> float:
    """The least chance of a strategy. Raises InputError where all together would exceed 1."""
    if not horizon >= max(1.0, K * np.log(K)):
        raise InputError(
            f"horizon must be the number of rows to be asked for, at least {int(np.ceil(K * np.log(K)))} for {K} "
            f"strategies, got {horizon}"
        )
    return float(np.sqrt(np.log(K) / (K * horizon)))


def _blind(parts: tuple[Strategy, ...]) -> np.ndarray:
    """(K,) bool: strategies by which every open row is as likely as any other."""
    return np.array([part.select is uniform and not part.parts for part in parts])


def _in_order(parts: tuple[Strategy, ...], named: dict[str, Any]) -> np.ndarray:
    return np.array([named[part.name] for part in parts], float)
