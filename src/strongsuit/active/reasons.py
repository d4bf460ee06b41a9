"""Why a row was chosen, in words: the strategy's, and the row's own number."""

from __future__ import annotations

import numpy as np

from strongsuit.active.pool import AUDIT
from strongsuit.active.session import Batch
from strongsuit.active.strategies import find_strategy
from strongsuit.active.strategy import Strategy

# selector -> what its gain is, for the row a user looks at; "" where the number says nothing by itself
GAINS = {
    "k_center": "distance {:.3g} to the nearest row labelled or picked before",
    "k_center_product": "product of distances {:.3g} to the nearest row labelled or picked before",
    "lcmd": "squared distance {:.3g} to the nearest row labelled or picked before",
    "kmeans_pp": "squared distance {:.3g} to the nearest row labelled or picked before",
    "top_k": "score {:.3g}",
    "blend": "blended score {:.3g}",
    "max_det": "variance {:.3g} given the rows picked before",
    "bait": "lowers the summed variance by {:.3g}",
    "power": "",
    "frank_wolfe": "",
    "uniform": "",
}
CLIMBED = "committee variance {:.3g} of the labels' variance"  # whatever chose the start
FLAGS = {
    "no_spread": "the pool has fewer distinct rows than were asked for; the rest was filled in a fixed random order",
    "nan_rows": "rows whose score was not a number were left out",
    "constant_score": "the score is the same for all rows, so it could not choose",
    "few_positive": "few rows have a score above 0",
    "few_feasible": "few points of the box meet the constraint, so fewer were asked for",
    "points_met": "points that climbed met, so some of the inputs are nearly the same",
    "surrogate_gradients": "the learner shows no gradients; those of random features took their place",
}


def whys(batch: Batch, named: Strategy) -> list[str]:
    """Why each row of a batch was chosen, with the row's own number."""
    if batch.strategy == "random":
        return [f"random: {batch.words}"] * len(batch.index)
    strategy, picks = used(batch, named), int((batch.role != AUDIT).sum())
    return [
        "random: the guard's share, drawn blindly to judge the strategy"
        if role == AUDIT
        else f"{strategy.name}: {strategy.words}; {_own_number(strategy, pick, picks, gain)}"
        for role, pick, gain in zip(batch.role, batch.pick, batch.gain, strict=True)
    ]


def used(batch: Batch, named: Strategy) -> Strategy:
    """The strategy that chose the batch: the one that was named, or the one that stands in for it."""
    return named if batch.strategy == named.name else find_strategy(batch.strategy)


def _own_number(strategy: Strategy, pick: int, picks: int, gain: float) -> str:
    select = getattr(strategy.select, "func", strategy.select)
    words = GAINS.get(select.__name__, "criterion {:.3g}") if strategy.synthesise is None else CLIMBED
    if strategy.parts:
        words = ""  # each part has a number of its own kind
    place = f"pick {pick} of {picks}"
    return f"{place}, {words.format(gain)}" if words and np.isfinite(gain) else place
