"""ActiveRegressor: a committee that learns from few labels and says which rows it wants labelled next."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from strongsuit.active.strategies import REGRESSION
from strongsuit.core.learner import predict_many
from strongsuit.estimators.active_loop import ActiveLoop
from strongsuit.estimators.inputs import training_data


class ActiveRegressor(RegressorMixin, ActiveLoop):
    """A regressor that asks for the labels it needs: batch active learning that is guarded by random rows.

    Rows of `y` that are NaN are the unlabelled pool. `query` names the rows to label next, `teach` takes their labels,
    and so on. A share of every batch is random: these rows measure the error without bias, and where active selection
    does harm, all rows become random.

    Parameters
    ----------
    learner : {"auto", "ridge", "basis", "gp", "hgb", "mlp", "forest"}, regressor or Learner, default="auto"
        What the committee is made of. "auto" is a small network. An unfitted scikit-learn regressor is cloned.
    strategy : str, default="auto"
        A name of `strongsuit.active.strategies.STRATEGIES`, or "auto": what suits the learner.
    batch_size : int, default=10
        Rows that `query` names unless told otherwise.
    guarded : bool, default=True
        Draw a share of each batch at random and fall back to random rows where active selection does harm.
    allow_replicates : bool, default=False
        Let a batch hold rows that are equal.
    start : {"random", "cover"}, default="random"
        Where no row is labelled: draw the first rows at random, or cover the inputs beside the guard's random share.
    stop : Rule or None, default=None
        When to stop: a rule of `strongsuit.active.stopping`; a plateau if None.
    random_state : int, Generator, RandomState or None, default=None
        The same integer gives the same rows and the same model.

    Attributes
    ----------
    session_ : Session
        The immutable state of the loop.
    committee_ : Committee or None
        The models that predict, trained on all labelled rows; None before the first label.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if a data frame with text as column names was given.

    See Also
    --------
    strongsuit.suggest : The same for tables and files, one call a batch.

    References
    ----------
    D. Holzmüller, V. Zaverkin, J. Kästner, I. Steinwart, "A framework and benchmark for deep batch active learning for
    regression", Journal of Machine Learning Research 24, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from strongsuit.estimators import ActiveRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> truth = np.sin(3 * X[:, 0])
    >>> y = np.where(np.arange(200) % 10 == 0, truth, np.nan)
    >>> model = ActiveRegressor("gp", batch_size=8, random_state=0).fit(X, y)
    >>> rows = model.query()
    >>> len(rows), bool(np.isnan(y[rows]).all())
    (8, True)
    >>> model = model.teach(rows, truth[rows])
    >>> int(model.labelled_.sum())
    28
    >>> bool(abs(model.predict(X) - truth).max() < 0.05)
    True
    """

    _task = REGRESSION

    def fit(self, X: Any, y: Any) -> ActiveRegressor:
        """Begin a campaign: train on the labelled rows, keep the others as the pool.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Arrays must be numeric and complete; frames may hold text and missing cells.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            NaN in all targets of a row: not labelled yet.

        Returns
        -------
        self
        """
        check_scalar(self.batch_size, "batch_size", Integral, min_val=1)
        unknown, filled = _unknown(y)
        data = training_data(self, X, filled, None, None)
        labels = np.where(unknown[:, None], np.nan, data.Y)
        self._flat = data.flat
        self._begin(data.X, labels, data.encoder)
        return self

    def teach(self, rows: Any, y: Any, *, annotator: str | None = None) -> ActiveRegressor:
        """Take labels of rows, asked for or not, in any order, and train anew.

        Parameters
        ----------
        rows : array-like of int of shape (n,)
            Row numbers as `query` gives them.
        y : array-like of shape (n,) or (n, n_targets)
            Their labels. All are taken or, if one is not a finite number, none.
        annotator : str, default=None
            Who says so. A row's label is the mean of its annotators' answers, of which a later one by the same person
            takes the place of the earlier one; labels that nobody is named for are one person's.

        Returns
        -------
        self
        """
        check_is_fitted(self, "session_")
        self._told(rows, np.asarray(y, float), annotator)
        return self

    def predict(self, X: Any, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """The mean prediction of the committee.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        return_std : bool, default=False
            Also return how far the members disagree, with their own variance where they tell one. It ranks rows; it is
            no calibrated error.

        Returns
        -------
        prediction : ndarray of shape (n_samples,) or (n_samples, n_targets), as y was in `fit`
        spread : ndarray of the same shape, only with `return_std`
        """
        check_is_fitted(self, "session_")
        encoded, committee = self._inputs(X), self._committee()
        said = predict_many(committee.learner, committee.params, encoded)
        members = np.asarray(said.mean, float)
        mean = members.mean(0) * committee.scale + committee.center
        if not return_std:
            return self._shaped(mean)
        own = 0.0 if said.variance is None else np.asarray(said.variance, float).mean(0)
        return self._shaped(mean), self._shaped(np.sqrt(members.var(0) + own) * committee.scale)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _unknown(y: Any) -> tuple[np.ndarray, Any]:
    """Rows (n,) bool without any label, and y with zeros there; what is no array of numbers comes back as it is."""
    given = np.asarray(y)
    try:
        values = np.zeros(0) if y is None or np.iscomplexobj(given) else given.astype(float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.ndim not in (1, 2) or not len(values):
        return np.zeros(1, bool), y  # for scikit-learn's own checks to refuse
    rows = np.isnan(values.reshape(len(values), -1)).all(1)
    if not rows.any():
        return rows, y
    filled = np.where(rows if values.ndim == 1 else rows[:, None], 0.0, values)
    if isinstance(y, pd.Series):
        return rows, pd.Series(filled, index=y.index, name=y.name)
    return rows, pd.DataFrame(filled, columns=y.columns) if isinstance(y, pd.DataFrame) else filled
