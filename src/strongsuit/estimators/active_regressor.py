"""ActiveRegressor: a committee that learns from few labels and says which rows it wants labelled next."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from strongsuit import recipes
from strongsuit.active import session as loop
from strongsuit.active.guard import TRIAL, Verdict
from strongsuit.active.history import History, look_back
from strongsuit.active.pool import ROLES, START
from strongsuit.active.reasons import whys
from strongsuit.active.stopping import Rule, Stop
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.learner import predict_many
from strongsuit.errors import InputError
from strongsuit.estimators.inputs import prediction_data, training_data
from strongsuit.executors import few_threads

FEWEST_LABELS = 2


class ActiveRegressor(RegressorMixin, BaseEstimator):
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

    def __init__(
        self,
        learner: Any = "auto",
        *,
        strategy: str = "auto",
        batch_size: int = 10,
        guarded: bool = True,
        allow_replicates: bool = False,
        stop: Rule | None = None,
        random_state: Any = None,
    ):
        self.learner = learner
        self.strategy = strategy
        self.batch_size = batch_size
        self.guarded = guarded
        self.allow_replicates = allow_replicates
        self.stop = stop
        self.random_state = random_state

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
        self.encoder_, self._flat, self._seen = data.encoder, data.flat, (None, None, None, None)
        self._key = key_for(root_key(self.random_state), "active")
        self.session_, self._count = self._new_session(data.X, labels), len(data.X)
        self._refit()
        return self

    def query(self, X: Any = None, n: int | None = None) -> np.ndarray:
        """The rows to label next; those named before and not yet taught are not named again.

        Parameters
        ----------
        X : array-like or data frame of shape (n_pool, n_features), default=None
            A new pool, from which rows are named from now on; by default the pool of `fit` or of an earlier call.
        n : int, default=None
            How many; `batch_size` by default, fewer if the pool has no more.

        Returns
        -------
        rows : ndarray of int of shape (n,)
            Row numbers of the pool, in random order; `batch_` says why each was chosen.
        """
        check_is_fitted(self, "session_")
        n = self.batch_size if n is None else check_scalar(n, "n", Integral, min_val=1)
        if X is not None:
            self._new_pool(prediction_data(self, X, self.encoder_)[0])
        with few_threads(len(self.session_.pool)):
            self.session_, batch = loop.ask(self.session_, int(n))
        rows = batch.index
        roles = [ROLES[role] for role in batch.role]
        self.batch_ = pd.DataFrame({"row": rows, "role": roles, "why": whys(batch, self.session_.strategy)})
        return rows

    def teach(self, rows: Any, y: Any) -> ActiveRegressor:
        """Take labels of rows, asked for or not, in any order, and train anew.

        Parameters
        ----------
        rows : array-like of int of shape (n,)
            Row numbers as `query` gives them.
        y : array-like of shape (n,) or (n, n_targets)
            Their labels. All are taken or, if one is not a finite number, none.

        Returns
        -------
        self
        """
        check_is_fitted(self, "session_")
        self.session_ = loop.tell(self.session_, self._rows(rows), np.asarray(y, float))
        self._refit()
        return self

    def skip(self, rows: Any) -> ActiveRegressor:
        """Take out rows that cannot be labelled: they are never asked for again.

        Parameters
        ----------
        rows : array-like of int of shape (n,)
            Row numbers as `query` gives them.

        Returns
        -------
        self
        """
        check_is_fitted(self, "session_")
        self.session_ = loop.fail(self.session_, self._rows(rows))
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
        encoded, _ = prediction_data(self, X, self.encoder_)
        committee = self.committee_
        if committee is None:
            raise InputError(f"fewer than {FEWEST_LABELS} rows are labelled: query() and teach() some before predict()")
        said = predict_many(committee.learner, committee.params, encoded)
        members = np.asarray(said.mean, float)
        mean = members.mean(0) * committee.scale + committee.center
        if not return_std:
            return self._shaped(mean)
        own = 0.0 if said.variance is None else np.asarray(said.variance, float).mean(0)
        return self._shaped(mean), self._shaped(np.sqrt(members.var(0) + own) * committee.scale)

    @property
    def labelled_(self) -> np.ndarray:
        """(n_pool,) bool: rows of the pool whose label is known."""
        check_is_fitted(self, "session_")
        return self.session_.pool.labelled[: self._count]

    @property
    def verdicts_(self) -> tuple[Verdict, ...]:
        """What the guard found at each of its checks."""
        check_is_fitted(self, "session_")
        return self.session_.verdicts

    @property
    def history_(self) -> History:
        """The learning curve and where it leads, by some dozens of fits, kept until the next label;
        `plots.draw_progress` draws it."""
        check_is_fitted(self, "session_")
        now, key = self.session_, key_for(self._key, "history", self.session_.round)
        asked = (now, self.batch_size, self.stop)
        if all(one is other for one, other in zip(asked, self._seen[:3], strict=True)):
            return self._seen[3]
        start = int((now.pool.labelled & (now.pool.role == START)).sum())
        with few_threads(len(now.pool)):
            found = look_back(key, loop.chosen_learner(now), now.pool, now.order, batch=int(self.batch_size),
                              start=start, states=_states(now), rule=self.stop)  # fmt: skip
        self._seen = (*asked, found)
        return found

    @property
    def learning_curve_(self) -> pd.DataFrame:
        """Root mean squared error by labels with a 95 % interval: of random rows that no choice saw (kind "audit") or,
        before there are 20 of them, cross-validated; empty below 20 labels."""
        history = self.history_
        frame = pd.DataFrame([vars(p) for p in history.points], columns=["labels", "error", "low", "high"])
        return frame.assign(kind=history.kind)

    @property
    def stop_advice_(self) -> Stop:
        """Whether to stop, by which rule, on which numbers, and why in a sentence."""
        return self.history_.stop

    def _new_session(self, X: np.ndarray, labels: np.ndarray) -> loop.Session:
        family = recipes.active_learner(self.learner)
        strategy = recipes.active_strategy(self.strategy, family)
        return loop.init(self._key, family, X, y=labels, strategy=strategy, guarded=self.guarded,
                         allow_replicates=self.allow_replicates)  # fmt: skip

    def _new_pool(self, X: np.ndarray) -> None:
        """Names rows of X from now on; labelled rows stay, and keep role and round."""
        before = self.session_
        if np.array_equal(before.pool.X[: self._count], X):
            return
        known = np.flatnonzero(before.pool.labelled)
        none = np.full((len(X), before.pool.y.shape[1]), np.nan)
        fresh = self._new_session(np.vstack([X, before.pool.X[known]]), np.vstack([none, before.pool.y[known]]))
        role, order = fresh.pool.role.copy(), fresh.order.copy()
        role[len(X) :], order[len(X) :] = before.pool.role[known], before.order[known]
        self.session_ = replace(
            fresh, pool=replace(fresh.pool, role=role), order=order, round=before.round, state=before.state,
            learned=before.learned, verdicts=before.verdicts,
        )  # fmt: skip
        self._count = len(X)  # labelled rows that the pool lacks stand behind it

    def _refit(self) -> None:
        self.committee_ = None
        if self.session_.pool.labelled.sum() >= FEWEST_LABELS:
            with few_threads(len(self.session_.pool)):
                self.session_, self.committee_ = loop.fitted(self.session_)

    def _rows(self, rows: Any) -> np.ndarray:
        rows = np.atleast_1d(np.asarray(rows))
        if rows.dtype.kind not in "iu" or (len(rows) and not (0 <= rows.min() and rows.max() < self._count)):
            raise InputError(f"rows must be whole numbers from 0 to {self._count - 1}, as query() gives them")
        return rows

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


def _states(session: loop.Session) -> dict[int, str]:
    """The guard's state in every round."""
    states, state = {}, TRIAL
    for number in range(session.round):
        state = next((verdict.next_state for verdict in session.verdicts if verdict.round == number), state)
        states[number + 1] = state if session.guarded else "off"
    return states
