"""The methods that are compared, as rows of a table; one run of a method may give several rows of the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from strongsuit import recipes
from strongsuit.bench import rivals
from strongsuit.bench.tasks import Sample
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.learner import fit_one, predict_one
from strongsuit.datasets.encoding import fit_encoder
from strongsuit.errors import InputError

DEPLOYED, SINGLE = "strongsuit", "single"  # the two rows that the verdict compares
SECOND = "other caution"  # the same model under the guard's other caution
JAX = "jax"


@dataclass(frozen=True)
class Said:
    """Predictions (n_test,) for each row of the result, and facts about the fit."""

    rows: Mapping[str, np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A row of the table: `rows` are the names its results bear, `packages` those whose versions matter,
    `modules` what is loaded before the clock starts."""

    name: str
    words: str
    run: Callable[[Sample, int, str], Said]
    rows: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ("strongsuit.estimators", JAX)
    uses_learner: bool = True

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the results, by default the method's own."""
        return self.rows or (self.name,)


def _strongsuit(sample: Sample, seed: int, learner: str) -> Said:
    """One fit gives the guarded model, its fallback (the single model) and the model without its guard."""
    model = _face(learner, "held_out", seed).fit(sample.X, sample.y, groups=sample.groups)
    X = sample.X_test
    rows = {DEPLOYED: model.predict(X), SINGLE: model.fallback_predict(X), "unguarded": model.unguarded_predict(X)}
    model.model_ = replace(model.model_, verdict=model.model_.second_opinion or model.model_.verdict)
    return Said(rows | {SECOND: model.predict(X)}, _facts(model))


def _paper(sample: Sample, seed: int, learner: str) -> Said:
    """The published scheme and its own single model."""
    model = _face(learner, "paper", seed).fit(sample.X, sample.y, groups=sample.groups)
    rows = {"paper": model.predict(sample.X_test), "paper single": model.fallback_predict(sample.X_test)}
    return Said(rows, _facts(model))


def _face(learner: str, mode: str, seed: int) -> Any:
    from strongsuit.estimators import PartitionedRegressor

    return PartitionedRegressor(learner, mode=mode, random_state=seed)


def _facts(model: Any) -> dict[str, Any]:
    wanted = ("found", "regimes", "deployed", "reason", "gain", "second_opinion", "fits", "stability", "gate_accuracy")
    return {name: model.summary_[name] for name in wanted if name in model.summary_}


def _baseline(name: str, sample: Sample, seed: int, learner: str) -> Said:
    """A baseline learner on the encoded matrix, with the models active partitioning competes and serves with."""
    from strongsuit.partition import baselines

    kind = getattr(baselines, name)
    families = recipes.families(learner)
    base = recipes.settler() if learner == "auto" else families[0].learner
    experts = {} if name == "SoftMixtureOfExperts" else {"expert": baselines.BestFamily(families)}
    made = kind(base, **experts)
    X, X_test = _matrices(sample)
    params = fit_one(made, key_for(root_key(seed), name), X, sample.y, np.ones(len(X)))
    regions = getattr(params.model, "count", None) or len(params.model.models)
    return Said({"": predict_one(made, params, X_test).mean[:, 0]}, {"regimes": regions})


def _rival(run: rivals.Rival, sample: Sample, seed: int, learner: str) -> Said:
    X, X_test = _matrices(sample)
    return Said({"": run(X, sample.y, X_test, seed)})


def _matrices(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Training and test matrix, text one-hot by the training levels."""
    encoder = fit_encoder(sample.X)
    return encoder.transform(sample.X).X, encoder.transform(sample.X_test).X


def _of_baseline(name: str, kind: str, words: str) -> Method:
    return Method(name, words, partial(_baseline, kind))


def _of_rival(name: str, run: rivals.Rival, package: str, module: str) -> Method:
    words = (run.__doc__ or "").splitlines()[0].rstrip(".")
    return Method(name, words, partial(_rival, run), packages=(package,), modules=(module,), uses_learner=False)


_ROWS = (
    Method(
        "strongsuit", "active partitioning as users get it, its single model, and itself unguarded", _strongsuit,
        rows=(DEPLOYED, SINGLE, "unguarded", SECOND),
    ),
    Method("paper", "the published scheme in our reading, and its single network", _paper,
           rows=("paper", "paper single")),
    _of_baseline("soft_mixture", "SoftMixtureOfExperts", "mixture of experts by EM, blended"),
    _of_baseline("hard_mixture", "HardMixtureOfRegressions", "mixture of regressions by hard EM, then a classifier"),
    _of_baseline("cluster_x", "ClusterFirstX", "k-means on the inputs, one model a cluster"),
    _of_baseline("cluster_xy", "ClusterFirstXY", "k-means on inputs and target, a classifier, one model a class"),
    _of_baseline("residual_regions", "RecursiveResidualRegions", "another model where the last one does worst"),
    _of_rival("cubist", rivals.cubist, "cubist", "cubist"),
    _of_rival("cubist_20_5", rivals.cubist_committees, "cubist", "cubist"),
    _of_rival("boosting", rivals.boosting, "scikit-learn", "sklearn.ensemble"),
    _of_rival("forest", rivals.forest, "scikit-learn", "sklearn.ensemble"),
    _of_rival("linear_tree", rivals.linear_tree, "linear-tree", "lineartree"),
    _of_rival("smt_moe", rivals.smt_experts, "smt", "smt.applications"),
)  # fmt: skip
METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
RESULTS = tuple(result for row in _ROWS for result in row.results)


def find_method(name: str) -> Method:
    """The method of that name, or InputError with the names there are."""
    if name not in METHODS:
        raise InputError(f"no benchmark method is called {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]
