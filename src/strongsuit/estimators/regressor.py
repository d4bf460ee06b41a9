"""PartitionedRegressor: one expert a regime where held-out rows prove it better, else one model for all."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from strongsuit import recipes
from strongsuit.core.keys import root_key
from strongsuit.estimators.answers import (
    fallback_answer,
    regime_probabilities,
    routed_frame,
    unguarded_answer,
)
from strongsuit.estimators.choices import families_of, guarded_config
from strongsuit.estimators.inputs import Training, prediction_data, training_data
from strongsuit.executors import few_threads, fold_map
from strongsuit.partition.discover import Routed, discover, route
from strongsuit.partition.facts import facts


class PartitionedRegressor(RegressorMixin, BaseEstimator):
    """A regressor that finds the regimes of its data and serves each with the model that is best there.

    Models compete for rows; the regimes they find are stored in a support vector machine; one expert a
    regime and one fallback for all rows are trained. An expert answers only where cross-fitted rows
    prove it better than the fallback; with no such proof the predictions are the fallback's, bit for bit.

    Parameters
    ----------
    learner : {"auto", "ridge", "basis", "gp", "hgb", "mlp", "forest"}, regressor or Learner, default="auto"
        What fallback and experts are made of. "auto" compares families by cross-validation, for every
        regime anew. An unfitted scikit-learn regressor is cloned for every fit.
    mode : {"held_out", "paper"}, default="held_out"
        "paper" is the published scheme, without a guard: a baseline.
    max_regimes : int, default=8
        The most regimes that may be found.
    restarts : int, default=4
        Start rules tried for each kind of competitor, 1 to 8.
    caution : {"strict", "balanced"}, default="strict"
        "strict" widens the guard's errors for the overlap of the training sets of cross-fitting
        (Nadeau and Bengio, 2003); "balanced" does not, and proves more.
    folds : int, default=5
        Folds of the guard's cross-fitting; three from 2,000 rows on.
    min_rows : int, default=20
        Rows below which a regime has no expert of its own.
    alpha : float, default=0.05
        The chance of enabling any expert that is not better.
    min_gain : float, default=0.01
        The share of the fallback's loss below which a gain is not worth a partition.
    random_state : int, Generator, RandomState or None, default=None
        The same integer gives the same model, whatever `n_jobs`.
    n_jobs : int or None, default=None
        Processes for the guard's folds; None is one unless a `joblib.parallel_config` says otherwise.

    Attributes
    ----------
    model_ : Partitioned
        The discovered model, with its evidence.
    regimes_ : int
        Regimes deployed; 1 when the partition is refused.
    found_ : int
        Regimes found.
    labels_ : ndarray of shape (n_samples,)
        The regime found for every training row, from 0.
    summary_ : dict
        The facts as plain values: rows, found, regimes, deployed, reason, gain, loss (single, gated,
        oracle, deployed; cross-fitted, in squared target units) and relative_loss, gate_accuracy,
        stability, seconds, fits and more.
    encoder_ : Encoder or None
        How the columns of a data frame become numbers; None if an array was given.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if a data frame with text as column names was given.

    See Also
    --------
    ActivePartitioner : The regimes and their boundary alone.

    References
    ----------
    M. Tacke, M. Busch, K. Linka, C. Cyron, R. Aydin, "Functional partitioning through competitive
    learning", Frontiers in Artificial Intelligence 8, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from strongsuit.estimators import PartitionedRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> y = np.where(X[:, 0] < 0, 2 + X[:, 0], -3 * X[:, 0])
    >>> model = PartitionedRegressor("ridge", restarts=1, random_state=0).fit(X, y)
    >>> model.regimes_
    2
    >>> model.predict([[-0.5], [0.5]]).round(2)
    array([ 1.5, -1.5])
    >>> model.route([[-0.5], [50.0]])["reason"].tolist()
    ['expert', 'far']
    """

    def __init__(
        self,
        learner: Any = "auto",
        *,
        mode: str = "held_out",
        max_regimes: int = 8,
        restarts: int = 4,
        caution: str = "strict",
        folds: int = 5,
        min_rows: int = 20,
        alpha: float = 0.05,
        min_gain: float = 0.01,
        random_state: Any = None,
        n_jobs: int | None = None,
    ):
        self.learner = learner
        self.mode = mode
        self.max_regimes = max_regimes
        self.restarts = restarts
        self.caution = caution
        self.folds = folds
        self.min_rows = min_rows
        self.alpha = alpha
        self.min_gain = min_gain
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> PartitionedRegressor:
        """Find regimes, train experts and fallback, and let held-out rows decide who may speak.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Arrays must be numeric and complete; frames may hold text and missing cells.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets; all of them share one partition.
        sample_weight : array-like of shape (n_samples,), default=None
            Zero means that the row does not exist.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay on one side of every split.

        Returns
        -------
        self
        """
        began = time.perf_counter()
        config, families = guarded_config(self), families_of(self.learner, self.mode)
        data = training_data(self, X, y, sample_weight, groups)
        with few_threads(len(data.X)):
            self.model_ = discover(
                root_key(self.random_state),
                data.X,
                data.Y,
                families=families,
                competitors=recipes.competitors(),
                settler=recipes.settler(),
                paper=recipes.paper_competitor() if config.mode == "paper" else None,
                w=data.w,
                groups=data.groups,
                categorical=None if data.encoder is None else data.encoder.categorical,
                config=config,
                run=fold_map(self.n_jobs),
            )
        self._keep(data)
        self.summary_["seconds"] = round(time.perf_counter() - began, 2)
        return self

    def _keep(self, data: Training) -> None:
        self.encoder_, self._targets, self._flat = data.encoder, data.targets, data.flat
        self.found_, self.regimes_ = self.model_.found, self.model_.regimes
        self.labels_ = regime_probabilities(self.model_, data.X).argmax(1)
        self.summary_ = facts(self.model_, len(data.X), data.targets)

    def predict(self, X: Any, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """The deployed prediction: an expert's where one is enabled, else the fallback's.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        return_std : bool, default=False
            Also return the cross-fitted root mean squared error of the regime each row falls in.

        Returns
        -------
        prediction : ndarray of shape (n_samples,) or (n_samples, n_targets), as y was in `fit`
        spread : ndarray of the same shape, only with `return_std`
        """
        routed = self._routed(X)
        if return_std:
            return self._shaped(routed.prediction), self._shaped(routed.spread)
        return self._shaped(routed.prediction)

    def predict_regime(self, X: Any) -> np.ndarray:
        """The regime found for every row, from 0, whether or not its expert is enabled.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
        """
        return self.regime_proba(X).argmax(1)

    def regime_proba(self, X: Any) -> np.ndarray:
        """The probability of every regime found.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, found_)
        """
        encoded, _ = self._encoded(X)
        return regime_probabilities(self.model_, encoded)

    def fallback_predict(self, X: Any) -> np.ndarray:
        """What the one model for all rows says.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        prediction : ndarray of the shape `predict` returns
        """
        encoded, _ = self._encoded(X)
        return self._shaped(fallback_answer(self.model_, encoded))

    def unguarded_predict(self, X: Any) -> np.ndarray:
        """What the model would say if every expert found were allowed to speak.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        prediction : ndarray of the shape `predict` returns
        """
        encoded, unseen = self._encoded(X)
        return self._shaped(unguarded_answer(self.model_, encoded, unseen))

    def route(self, X: Any) -> pd.DataFrame:
        """Who answers for every row, and why.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        table : pandas.DataFrame
            prediction and spread (one column a target), regime, probability, and reason: "expert", or
            why the fallback answers (one_model, disabled, far, unseen_level, ambiguous,
            expert_not_finite). The index is that of X.
        """
        routed = self._routed(X)
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(routed.regime))
        return routed_frame(routed, self._targets, index)

    def _encoded(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "model_")
        return prediction_data(self, X, self.encoder_)

    def _routed(self, X: Any) -> Routed:
        encoded, unseen = self._encoded(X)
        return route(self.model_, encoded, unseen)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
