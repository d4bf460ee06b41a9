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
    "badge": "squared distance {:.3g} of gradients to the nearest pick before",
    "bait_classes": "lowers the expected loss by {:.3g}",
    "batch_bald": "tells {:.3g} nats more",
    "k_center_divergence": "divergence {:.3g} from the nearest row labelled or picked before",
    "galaxy": "in a stretch of {:.0f} rows",
    "herding": "covers {:.3g} more",
    "cover": "covers {:.3g} of the pool more",
    "typical": "typicality {:.3g}",
    "nearest_to_centres": "stands for {:.0f} rows",
    "cluster_margin": "score {:.3g}",
    "feature_mixing": "score {:.3g}",
    "dcom": "",
    "falcun": "",
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
    "beyond_joint": "the labels of the batch tell no more together, so the rest was chosen one by one",
    "no_cut": "labels of one class only: rows near a predicted boundary were taken",
    "few_candidates": "few rows met the rule, so the rest was filled with the nearest to it",
    "empty_clusters": "the pool has fewer clusters than were asked for",
    "no_labels": "there is no label yet that a choice may see, so inputs alone decided",
    "one_class": "all labels that a choice may see are alike, so inputs alone decided",
    "too_few_labels": "there are too few labels to learn the weights of strategies from, so all counted alike",
    "too_few_to_remove": "there are too few labels to see which of them are missed most, so the rule for few was used",
    "no_memory": "nothing is remembered of the batches asked for before, so the search began anew",
    "no_gain_over_rank_average": "no weights of strategies proved better than equal ones",
    "pool_exhausted": "fewer rows were left than were asked for",
    "too_few_for_rows": "there are too few labels for weights of strategies that depend on the row",
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
