"""The parameters of an estimator -> the models and switches of the partition wing."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils import check_scalar

from strongsuit import recipes
from strongsuit.errors import InputError
from strongsuit.partition.values import CAUTIONS, Competitor, Config

MODES = ("held_out", "paper")
MOST_REGIMES = 64
MOST_RESTARTS = 8  # as many start rules as there are


def families_of(learner: Any, mode: str) -> tuple[Competitor, ...]:
    """The learners that a name, a scikit-learn regressor or a Learner stands for."""
    if isinstance(learner, str):
        return recipes.families(learner, mode=mode)
    fits = hasattr(learner, "fit") and hasattr(learner, "predict") and not isinstance(learner, type)
    if not fits or (hasattr(learner, "get_params") and is_classifier(learner)):
        raise InputError(
            f"learner must be one of {', '.join(recipes.LEARNERS)}, an unfitted scikit-learn regressor "
            f"or a Learner, got {learner!r}"
        )
    return recipes.custom_family(learner)


def guarded_config(estimator: Any) -> Config:
    """The switches of a full run, checked."""
    _one_of("caution", estimator.caution, CAUTIONS)
    check_scalar(estimator.alpha, "alpha", Real, min_val=0, max_val=1, include_boundaries="neither")
    check_scalar(estimator.min_gain, "min_gain", Real, min_val=0, max_val=1, include_boundaries="left")
    check_scalar(estimator.folds, "folds", Integral, min_val=2)
    return search_config(
        estimator,
        folds=int(estimator.folds),
        caution=estimator.caution,
        alpha=float(estimator.alpha),
        min_gain=float(estimator.min_gain),
    )


def search_config(
    estimator: Any,
    *,
    folds: int = Config.folds,
    caution: str = Config.caution,
    alpha: float = Config.alpha,
    min_gain: float = Config.min_gain,
) -> Config:
    """The switches of the search, checked; one fold means that nothing is cross-fitted, so no guard."""
    _one_of("mode", estimator.mode, MODES)
    check_scalar(estimator.max_regimes, "max_regimes", Integral, min_val=1, max_val=MOST_REGIMES)
    check_scalar(estimator.restarts, "restarts", Integral, min_val=1, max_val=MOST_RESTARTS)
    check_scalar(estimator.min_rows, "min_rows", Integral, min_val=1)
    return Config(
        mode=estimator.mode,
        max_regimes=int(estimator.max_regimes),
        restarts=int(estimator.restarts),
        min_rows=int(estimator.min_rows),
        folds=folds,
        caution=caution,
        alpha=alpha,
        min_gain=min_gain,
    )


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
