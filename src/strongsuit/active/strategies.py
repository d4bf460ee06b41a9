"""The table of strategies: a score, an embedding and a selector each; documentation, commands and tests read it."""

from __future__ import annotations

from functools import partial

from strongsuit.active import embeddings, scores, synthesis
from strongsuit.active.evidence import Evidence
from strongsuit.active.search.autoal import autoal
from strongsuit.active.search.votes import rank_average, vote
from strongsuit.active.selectors.bait import bait
from strongsuit.active.selectors.blend import blend
from strongsuit.active.selectors.clusters import kmeans_pp, lcmd
from strongsuit.active.selectors.frank_wolfe import frank_wolfe
from strongsuit.active.selectors.k_center import k_center
from strongsuit.active.selectors.k_center_product import k_center_product
from strongsuit.active.selectors.max_det import max_det
from strongsuit.active.selectors.top_k import power, top_k
from strongsuit.active.selectors.uniform import uniform
from strongsuit.active.strategy import Combine, Strategy, shared
from strongsuit.errors import InputError

REGRESSION, CLASSIFICATION = "regression", "classification"
ORACLES = ("boss",)  # names that only the benchmarks know: they see all true labels
# What votes and the search choose among: one rule of each kind, in the words of their sources.
SEARCHED = ("qbc", "gsx", "gsy", "gsxy", "emoc", "max_det", "lcmd_tp", "bait_f", "kmeans_pp")


def _row(name: str, words: str, source: str, select, needs: str = "", **changes) -> Strategy:
    return Strategy(name, words, source, select, needs=frozenset(needs.split()), **changes)


def _mixed(
    name: str, words: str, source: str, combine: Combine, names: tuple[str, ...], more: tuple[str, ...] = ()
) -> Strategy:
    """The strategy that makes one batch of what those of the table above it propose; it needs `more` than they do."""
    parts = tuple(row for name_ in names for row in _SINGLE if row.name == name_)
    needs = " ".join(sorted(frozenset(more).union(*(part.needs for part in parts))))
    return _row(name, words, source, uniform, needs, parts=parts, combine=combine)


def _inputs_outputs(evidence: Evidence) -> tuple[int, int]:
    return evidence.x.shape[1], evidence.y.shape[1]


_DENSE = partial(blend, w_div=1 / 3, w_den=1 / 3, den_sign=-1)
_SPARSE = partial(blend, w_div=1 / 3, w_den=1 / 3, den_sign=1)
_VARIANCE, _GRAD, _POSTERIOR = scores.committee_variance, embeddings.grad, embeddings.grad_posterior

_SINGLE = (
    _row("random", "rows drawn uniformly", "", uniform),
    _row("gsx", "the row farthest from all others in the inputs", "Wu 2019; Sener and Savarese 2018", k_center,
         embed=embeddings.inputs),
    _row("gsx_weighted", "the same, inputs weighted by what they matter", "arXiv 2604.02019", k_center, "ridge",
         embed=embeddings.inputs_weighted),
    _row("gsy", "the row whose prediction is farthest from all labels", "Wu 2019", k_center, "mean",
         embed=embeddings.outputs),
    _row("gsxy", "the same by the product of both distances", "Wu 2019", k_center_product, "mean",
         embed=embeddings.inputs_outputs, blocks=_inputs_outputs),
    _row("da_fps", "farthest rows, more of them where the pool is dense", "arXiv 2509.13213",
         partial(k_center, weights="density"), embed=embeddings.inputs, density=True),
    _row("qbc", "the rows on which the committee disagrees most", "Seung et al. 1992", top_k, "var", score=_VARIANCE),
    _row("qbc_div", "disagreement and distance, half each", "arXiv 2201.12632", partial(blend, w_div=0.5, w_den=0.0),
         "var", score=_VARIANCE, embed=embeddings.inputs),
    _row("qbc_div_den", "disagreement, distance and sparsity, a third each", "arXiv 2201.12632, as its code has it",
         _SPARSE, "var", score=_VARIANCE, embed=embeddings.inputs),
    _row("qbc_div_den_dense", "the same with density", "Kee et al. 2018", _DENSE, "var", score=_VARIANCE,
         embed=embeddings.inputs),
    _row("power_qbc", "rows drawn in proportion to disagreement", "Kirsch et al. 2021", power, "var", score=_VARIANCE),
    _row("bald", "the largest posterior variance of the gradient features", "Holzmueller et al. 2023 (MaxDiag)",
         top_k, "grad", score=scores.posterior_variance),
    _row("power_bald", "rows drawn in proportion to it", "Kirsch et al. 2021", power, "grad",
         score=scores.posterior_variance),
    _row("bald_dropout", "the largest variance between thinned copies of a dropout network",
         "Gal et al. 2017; arXiv 2201.12632", top_k, "dropout_var", score=scores.dropout_variance),
    _row("power_bald_dropout", "rows drawn in proportion to it", "Kirsch et al. 2021", power, "dropout_var",
         score=scores.dropout_variance),
    _row("learning_loss", "the largest losses that a network predicts of itself", "Yoo and Kweon 2019", top_k,
         "loss_hat", score=scores.learning_loss),
    _row("power_learning_loss", "rows drawn in proportion to them", "Kirsch et al. 2021", power, "loss_hat",
         score=scores.learning_loss),
    _row("emoc", "the rows that would move predictions most", "Kaeding et al. 2018", top_k,
         "members grad reference", score=scores.expected_change),
    _row("power_emoc", "rows drawn in proportion to it", "Kirsch et al. 2021", power, "members grad reference",
         score=scores.expected_change),
    _row("true_loss", "the largest true errors", "upper reference for greed", top_k, "mean y_true",
         score=scores.true_loss, evaluation_only=True),
    _row("lcmd_tp", "the farthest row of the heaviest cluster, in gradient features", "Holzmueller et al. 2023",
         lcmd, "grad", embed=_GRAD),
    _row("lcmd_posterior", "the same on posterior features", "Holzmueller et al. 2023", lcmd, "grad", embed=_POSTERIOR),
    _row("lcmd_x", "the same on the inputs", "Holzmueller et al. 2023", lcmd, embed=embeddings.inputs),
    _row("lcmd_last", "the same on the last hidden layer", "Holzmueller et al. 2023", lcmd, "last",
         embed=embeddings.last),
    _row("lcmd_gp", "the same in the kernel of a Gaussian process", "Holzmueller et al. 2023, with another kernel",
         lcmd, "gp", embed=embeddings.gp),
    _row("qbc_grad", "the largest disagreement times distance, in gradient features",
         "ours: the product of Wu 2019 in features of Holzmueller et al. 2023", partial(k_center, weights="score"),
         "var grad", score=scores.committee_spread, embed=_GRAD),
    _row("bait_f", "the rows that lower the pool's summed variance most", "Ash et al. 2021", bait, "grad",
         embed=_POSTERIOR),
    _row("bait_fb", "twice as many, half of them taken back", "Ash et al. 2021", partial(bait, overselect=2), "grad",
         embed=_POSTERIOR),
    _row("alc_gp", "the rows that lower the summed variance of a Gaussian process most", "Cohn 1996; Seo et al. 2000",
         bait, "gp", embed=embeddings.gp_posterior, noise=embeddings.gp_noise),
    _row("max_det", "the largest conditional variances (BatchBALD)", "Holzmueller et al. 2023", max_det, "grad",
         embed=_POSTERIOR),
    _row("kmeans_pp", "rows drawn by squared distance in gradient features (like BADGE)", "Holzmueller et al. 2023",
         kmeans_pp, "grad", embed=_GRAD),
    _row("na_qbc", "points that climb to where the committee disagrees most", "arXiv 2201.12632", uniform, "box",
         synthesise=synthesis.na_qbc),
    _row("na_qbc_repel", "the same, while the points push each other apart", "arXiv 2201.12632, as its code has it",
         uniform, "box", synthesise=partial(synthesis.na_qbc, repel=True)),
    _row("lcmd_refined", "the rows of lcmd_tp, moved uphill in disagreement where that costs no distance",
         "Holzmueller et al. 2023 with arXiv 2201.12632", lcmd, "box grad", embed=_GRAD,
         synthesise=synthesis.refine),
    _row("acs_fw", "rows whose expected gains sum to the pool's", "Pinsler et al. 2019", frank_wolfe, "grad",
         embed=embeddings.acs_features),
)  # fmt: skip
_MIXED = (
    # Two thirds and one third: where outputs differ by orders of magnitude (DAMP) gradient distances mislead and
    # distances of outputs do not; elsewhere it is the other way round.
    _mixed(
        "qbc_gsxy",
        "two thirds where models disagree and no label is near, one third far from labels in inputs and outputs",
        "ours",
        shared,
        ("qbc_grad", "qbc_grad", "gsxy"),
    ),
    _mixed("vote", "the rows that most of nine rules would choose", "Brams and Fishburn 1978", vote, SEARCHED),
    _mixed("rank_average", "the rows of highest mean rank over nine rules", "Borda 1781", rank_average, SEARCHED),
    _mixed(
        "autoal",
        "the rows of highest rank, rules weighted by what their picks were worth on labelled rows",
        "arXiv 2410.13853, its search repaired",
        autoal,
        SEARCHED,
        ("mean", "last", "folds"),
    ),
)
STRATEGIES: dict[str, Strategy] = {row.name: row for row in (*_SINGLE, *_MIXED)}


def table_of(task: str) -> dict[str, Strategy]:
    """The strategies of a task, "regression" or "classification", by name."""
    if task == CLASSIFICATION:
        from strongsuit.active.class_strategies import CLASS_STRATEGIES

        return CLASS_STRATEGIES
    return STRATEGIES


def find_strategy(name: str, task: str = REGRESSION) -> Strategy:
    """The strategy of that name for a task, or InputError with the names there are."""
    table = table_of(task)
    if name in table:
        return table[name]
    if name.partition(":")[0] in ORACLES:
        raise InputError(f"strategy {name!r} needs true labels: it runs in benchmarks only")
    (other,) = {REGRESSION, CLASSIFICATION} - {task}
    known = f" for {task}; it is one for {other}" if name in table_of(other) else ""
    raise InputError(f"no strategy is called {name!r}{known}; there are {', '.join(table)}")
