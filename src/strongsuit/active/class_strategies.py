"""The table of strategies that choose rows for a classifier; documentation, commands and tests read it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from strongsuit.active import class_embeddings as seen
from strongsuit.active.search.albl import albl
from strongsuit.active.search.autoal import autoal
from strongsuit.active.search.best_of_folds import best_of_folds
from strongsuit.active.search.refine import refine
from strongsuit.active.search.select_al import select_al
from strongsuit.active.search.tailor import tailor
from strongsuit.active.search.votes import rank_average, then, vote
from strongsuit.active.selectors.badge import badge
from strongsuit.active.selectors.clusters import lcmd
from strongsuit.active.selectors.cover import cover, dcom
from strongsuit.active.selectors.divergence import k_center_divergence
from strongsuit.active.selectors.falcun import falcun
from strongsuit.active.selectors.feature_mixing import feature_mixing
from strongsuit.active.selectors.fisher import bait_classes, bait_fast
from strongsuit.active.selectors.galaxy import galaxy
from strongsuit.active.selectors.herding import herding
from strongsuit.active.selectors.joint import batch_bald
from strongsuit.active.selectors.k_center import k_center
from strongsuit.active.selectors.representatives import cluster_margin, nearest_to_centres
from strongsuit.active.selectors.top_k import power, top_k
from strongsuit.active.selectors.typical import typical
from strongsuit.active.selectors.uniform import uniform
from strongsuit.active.strategy import Combine, Strategy

SEARCHED = ("margin", "badge", "bait_fast", "typiclust", "max_herding", "u_herding", "alfa_mix")
FILTERS = (
    "random", "margin", "badge", "bait_fast", "typiclust", "max_herding", "u_herding", "drop_query", "alfa_mix",
)  # fmt: skip


def _row(name: str, words: str, source: str, select: Callable, needs: str = "", **changes) -> Strategy:
    return Strategy(name, words, source, select, needs=frozenset(needs.split()), **changes)


_SINGLE = (
    _row("random", "rows drawn uniformly", "", uniform),
    _row("least_confidence", "the least probable first choice", "Lewis and Gale 1994", top_k, "proba",
         score=seen.least_confidence),
    _row("margin", "the two likeliest classes closest", "Scheffer et al. 2001", top_k, "proba", score=seen.margin),
    _row("entropy", "the largest entropy of the classes", "Shannon 1948", top_k, "proba", score=seen.entropy),
    _row("var_ratio", "most models vote against the majority", "Freeman 1965", top_k, "proba votes",
         score=seen.var_ratio),
    _row("mean_std", "the models' probabilities differ most", "Kampffmeyer et al. 2016", top_k, "votes",
         score=seen.mean_std),
    _row("bald", "the label would tell most about the models", "Houlsby et al. 2011", top_k, "votes", score=seen.bald),
    _row("power_bald", "rows drawn in proportion to that", "Kirsch et al. 2021", power, "votes", score=seen.bald),
    _row("batch_bald", "the labels together would tell most about the models", "Kirsch et al. 2019", batch_bald,
         "votes", embed=seen.votes, blocks=seen.votes_blocks),
    _row("k_center", "the row farthest from all labelled ones, in features", "Sener and Savarese 2018", k_center,
         "last", embed=seen.leading_features),
    _row("lcmd", "the farthest row of the heaviest cluster, in features", "Holzmueller et al. 2023", lcmd, "last",
         embed=seen.features),
    _row("badge", "large and differing gradients of the last layer", "Ash et al. 2020", badge, "proba last",
         embed=seen.errors_features, blocks=seen.class_blocks),
    _row("bait", "the rows that lower the expected loss of the pool most, by Fisher information", "Ash et al. 2021",
         bait_classes, "proba last", embed=seen.probabilities_features, blocks=seen.class_blocks),
    _row("bait_fast", "the same for the question whether the likeliest class is right", "Ash et al. 2021", bait_fast,
         "proba last", embed=seen.doubtful_features),
    _row("bait_published", "the same with the published ridge of 1", "Ash et al. 2021", partial(bait_fast, ridge=1.0),
         "proba last", embed=seen.doubtful_features),
    _row("cdal", "the row whose probabilities differ most from all chosen ones", "Agarwal et al. 2020",
         k_center_divergence, "proba", embed=seen.probabilities),
    _row("falcun", "rows drawn by doubt and difference in probabilities", "Gilhuber et al. 2024", falcun, "proba",
         score=seen.doubt, embed=seen.probabilities),
    _row("galaxy", "the middle of the stretch where a class must begin", "Zhang et al. 2022", galaxy, "proba",
         embed=seen.class_margins),
    _row("alfa_mix", "one row from each cluster of those that a small step flips", "Parvaneh et al. 2022",
         feature_mixing, "head last", score=seen.flip_share, embed=seen.unit_features),
    _row("alfa_margin", "the rows that the smallest step flips", "ours: the score of ALFA-Mix alone", top_k,
         "head last", score=seen.flip_margin),
    _row("adversarial_deepfool", "the rows nearest to where the predicted class changes", "Ducoffe and Precioso 2018",
         top_k, "head last", score=seen.nearest_plane),
    _row("adversarial_bim", "the rows that the fewest signed steps flip", "Kurakin et al. 2017", top_k, "head last",
         score=seen.signed_steps),
    _row("max_herding", "the rows that cover the pool best", "Bae et al. 2024", herding, embed=seen.unit_inputs),
    _row("u_herding", "the rows that cover best what the classifier doubts", "Bae et al. 2025",
         partial(herding, sigma="labelled"), "proba temperature", score=seen.calibrated_doubt, embed=seen.unit_inputs,
         proven=True),
    _row("wide_herding", "the rows that cover best what the classifier doubts, by a wide kernel",
         "ours: sigma times the root of two",
         partial(herding, sigma="labelled", scale=2.0**0.5), "proba temperature", score=seen.calibrated_doubt,
         embed=seen.unit_inputs, proven=True),
    _row("k_means", "the row nearest to each of as many centres as rows are asked for", "Lloyd 1982",
         nearest_to_centres, "last", embed=seen.features),
    _row("cluster_margin", "close margins, in turn from each cluster", "Citovsky et al. 2021", cluster_margin,
         "proba last", score=seen.margin, embed=seen.features),
    _row("typiclust", "the most typical row of each cluster without labels", "Hacohen et al. 2022", typical,
         embed=seen.unit_inputs),
    _row("prob_cover", "the rows whose surroundings hold most rows not covered yet", "Yehuda et al. 2022", cover,
         embed=seen.unit_inputs),
    _row("dcom", "coverage at first, doubt as more is covered", "Mishal and Weinshall 2024", dcom, "proba",
         score=seen.doubt, embed=seen.unit_inputs),
    _row("drop_query", "one row from each cluster of those whose class changes when features are left out",
         "Gupte et al. 2024", partial(nearest_to_centres, above=1.0), "last dropped_votes", score=seen.dropped_votes,
         embed=seen.unit_features),
    _row("lal", "the label should lower the error most, as a forest learned it on made problems of two classes",
         "Konyushkova et al. 2017", top_k, "error_drop", score=seen.error_drop),
    _row("learning_loss", "the largest losses that a network predicts of itself", "Yoo and Kweon 2019", top_k,
         "loss_hat", score=seen.predicted_loss),
    _row("vaal", "the rows that a discriminator finds least like labelled ones", "Sinha et al. 2019", top_k, "unlike",
         score=seen.unlike_labelled),
    _row("waal", "uncertain rows that a critic finds far from labelled ones", "Shui et al. 2020", top_k, "critic",
         score=seen.far_and_unsure),
    _row("core_gcn", "the row farthest from all labelled ones, in features of a graph network", "Caramalau et al. 2021",
         k_center, "graph", embed=seen.graph_features),
    _row("uncertain_gcn", "the rows that a graph network finds most surely open", "Caramalau et al. 2021", top_k,
         "graph", score=seen.open_in_graph),
    _row("ceal", "the largest entropy, after learning the surest classes as if they were labels", "Wang et al. 2017",
         top_k, "taught", score=seen.after_pseudo_labels),
)  # fmt: skip


def _combined(name: str, words: str, source: str, combine: Combine, names: tuple[str, ...], more: str = "") -> Strategy:
    """A strategy that makes one batch of what others of the table propose."""
    parts = tuple(next(row for row in _SINGLE if row.name == one) for one in names)
    needs = frozenset(more.split()).union(*(part.needs for part in parts))
    return Strategy(name, words, source, uniform, needs=needs, parts=parts, combine=combine)


_COMBINED = (
    _combined("vote", "the rows that most of seven rules would choose", "", vote, SEARCHED),
    _combined("rank_average", "the rows of highest mean rank over seven rules", "", rank_average, SEARCHED),
    _combined("tcm", "typical rows in the first three rounds, then the closest margins", "Doucet et al. 2024", then,
              ("typiclust", "margin")),
    _combined("best_of_folds", "the batch of the rule whose picks were worth most on labelled rows", "", best_of_folds,
              SEARCHED, "proba last folds"),
    _combined("albl", "rules drawn by how well models do after their picks", "Hsu and Lin 2015", albl,
              ("random", *SEARCHED), "proba folds past"),
    _combined("tailor", "rules drawn by the classes of what they found, rare ones worth more", "Zhang et al. 2023",
              tailor, SEARCHED, "proba past"),
    _combined("select_al", "random, typical or doubtful rows, by which labelled ones models would miss most",
              "Hacohen and Weinshall 2023", select_al, ("random", "typiclust", "badge"), "removed"),
    _combined("autoal", "the rows of highest rank, rules weighted by what their picks were worth on labelled rows",
              "arXiv 2410.13853, its search repaired", partial(autoal, favourite="u_herding"), SEARCHED,
              "proba last folds"),
    _combined("refine", "what nine rules choose of random parts of the pool, again and again, and u_herding of that",
              "arXiv 2511.22344", refine, (*FILTERS, "u_herding")),
)  # fmt: skip
CLASS_STRATEGIES: dict[str, Strategy] = {row.name: row for row in (*_SINGLE, *_COMBINED)}
