"""ActivePartitioner: the regimes of a table and their boundary, without experts and guard."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from strongsuit import recipes
from strongsuit.core.keys import root_key
from strongsuit.estimators.answers import regime_probabilities
from strongsuit.estimators.choices import families_of, search_config
from strongsuit.estimators.inputs import prediction_data, training_data
from strongsuit.executors import few_threads
from strongsuit.partition.discover import discover


class ActivePartitioner(TransformerMixin, BaseEstimator):
    """The regimes of a regression table: which model should own which rows.

    Models compete for rows, each trains on the rows where it is strong, and a support vector machine
    stores the boundary of the regimes they find. Rows that trained no model choose how many regimes
    there are; one is a possible answer. No expert is trained and nothing is guarded:
    :class:`PartitionedRegressor` does that.

    Parameters
    ----------
    learner : {"auto", "ridge", "basis", "gp", "hgb", "mlp", "forest"}, regressor or Learner, default="auto"
        The models that compete. "auto": ridge models on linear, polynomial and Fourier bases. Models
        that can interpolate, such as forests, win rows by memorising them and find poor regimes.
    mode : {"held_out", "paper"}, default="held_out"
        "paper" is the published scheme: no gate in the competition, no held-out rows.
    max_regimes : int, default=8
        The most regimes that may be found.
    restarts : int, default=4
        Start rules tried for each kind of competitor, 1 to 8.
    min_rows : int, default=20
        Rows below which a regime does not count.
    random_state : int, Generator, RandomState or None, default=None
        The same integer gives the same regimes.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The regime of every training row, from 0.
    n_regimes_ : int
        Regimes found.
    boundary_ : Boundary or None
        The support vector machine that tells the regimes apart; None for one regime. It reads the
        encoded columns `model_.pipeline.columns`.
    gate_accuracy_ : float
        Its cross-validated accuracy; 1.0 for one regime.
    stability_ : float
        Mean adjusted Rand index between restarts that found as many regimes; NaN without any.
    model_ : Partitioned
        Everything the search left.
    encoder_ : Encoder or None
        How the columns of a data frame become numbers; None if an array was given.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if a data frame with text as column names was given.

    References
    ----------
    M. Tacke, M. Busch, K. Linka, C. Cyron, R. Aydin, "Functional partitioning through competitive
    learning", Frontiers in Artificial Intelligence 8, 2025.
    A. Bemporad, "A piecewise linear regression and classification algorithm with application to
    learning and model predictive control of hybrid systems", IEEE TAC 68(6), 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from strongsuit.estimators import ActivePartitioner
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> y = np.where(X[:, 0] < 0, 2 + X[:, 0], -3 * X[:, 0])
    >>> found = ActivePartitioner(restarts=1, random_state=0).fit(X, y)
    >>> found.n_regimes_
    2
    >>> left, right = found.predict([[-0.5], [0.5]])
    >>> bool(left != right)
    True
    """

    def __init__(
        self,
        learner: Any = "auto",
        *,
        mode: str = "held_out",
        max_regimes: int = 8,
        restarts: int = 4,
        min_rows: int = 20,
        random_state: Any = None,
    ):
        self.learner = learner
        self.mode = mode
        self.max_regimes = max_regimes
        self.restarts = restarts
        self.min_rows = min_rows
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> ActivePartitioner:
        """Find the regimes.

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
        config = search_config(self, folds=1)
        competitors, settler = self._contestants(config.mode)
        data = training_data(self, X, y, sample_weight, groups)
        with few_threads(len(data.X)):
            self.model_ = discover(
                root_key(self.random_state),
                data.X,
                data.Y,
                families=recipes.custom_family(recipes.settler()),
                competitors=competitors,
                settler=settler,
                paper=competitors[0] if config.mode == "paper" else None,
                w=data.w,
                groups=data.groups,
                categorical=None if data.encoder is None else data.encoder.categorical,
                config=config,
            )
        self.encoder_ = data.encoder
        self.boundary_ = self.model_.pipeline.boundary
        self.n_regimes_ = self.model_.found
        self.labels_ = regime_probabilities(self.model_, data.X).argmax(1)
        self.gate_accuracy_ = 1.0 if self.boundary_ is None else float(self.boundary_.accuracy)
        search = self.model_.search
        self.stability_ = float("nan") if search is None else search.stability["mean"]
        return self

    def _contestants(self, mode: str) -> tuple[Any, Any]:
        if not (isinstance(self.learner, str) and self.learner == "auto"):
            own = families_of(self.learner, mode)
            return own, own[0].learner
        standard = (recipes.paper_competitor(),) if mode == "paper" else recipes.competitors()
        return standard, recipes.settler()

    def predict(self, X: Any) -> np.ndarray:
        """The regime of every row.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
        """
        return self._probabilities(X).argmax(1)

    def fit_predict(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> np.ndarray:
        """The regime of every training row; the same as ``fit(X, y).labels_``.

        Parameters
        ----------
        X, y, sample_weight, groups
            As for `fit`.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
        """
        return self.fit(X, y, sample_weight, groups).labels_

    def transform(self, X: Any) -> np.ndarray:
        """The probability of every regime.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_regimes_), or what `set_output` asks for
        """
        return self._probabilities(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the columns of `transform`: regime0, regime1, ...

        Parameters
        ----------
        input_features : ignored
            Only there for scikit-learn's convention.

        Returns
        -------
        names : ndarray of str of shape (n_regimes_,)
        """
        check_is_fitted(self, "model_")
        return np.array([f"regime{k}" for k in range(self.n_regimes_)], dtype=object)

    def _probabilities(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        encoded, _ = prediction_data(self, X, self.encoder_)
        return regime_probabilities(self.model_, encoded)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags
