"""What estimators that ask for labels share: naming rows, taking labels, the history of a campaign."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from strongsuit import recipes
from strongsuit.active import session as loop
from strongsuit.active.answers import renumbered
from strongsuit.active.guard import Verdict, first_state
from strongsuit.active.history import History, look_back
from strongsuit.active.pool import ROLES, START
from strongsuit.active.reasons import whys
from strongsuit.active.stopping import Rule, Stop
from strongsuit.active.strategies import CLASSIFICATION
from strongsuit.core.keys import key_for, root_key
from strongsuit.errors import InputError
from strongsuit.estimators.inputs import prediction_data
from strongsuit.executors import few_threads

FEWEST_LABELS = 2


class ActiveLoop(BaseEstimator):
    """The loop behind `ActiveRegressor` and `ActiveClassifier`, which say what a label is."""

    def __init__(
        self,
        learner: Any = "auto",
        *,
        strategy: str = "auto",
        batch_size: int = 10,
        guarded: bool = True,
        allow_replicates: bool = False,
        start: str = "random",
        stop: Rule | None = None,
        random_state: Any = None,
    ):
        self.learner = learner
        self.strategy = strategy
        self.batch_size = batch_size
        self.guarded = guarded
        self.allow_replicates = allow_replicates
        self.start = start
        self.stop = stop
        self.random_state = random_state

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
            self._new_pool(self._inputs(X))
        with few_threads(len(self.session_.pool)):
            self.session_, batch = loop.ask(self.session_, int(n))
        rows = batch.index
        roles = [ROLES[role] for role in batch.role]
        self.batch_ = pd.DataFrame({"row": rows, "role": roles, "why": whys(batch, self.session_.strategy)})
        return rows

    def skip(self, rows: Any) -> ActiveLoop:
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
            found = look_back(
                key, loop.chosen_learner(now), now.pool, now.order, batch=int(self.batch_size), start=start,
                states=_states(now), rule=self.stop, classes=self._task == CLASSIFICATION,
            )  # fmt: skip
        self._seen = (*asked, found)
        return found

    @property
    def learning_curve_(self) -> pd.DataFrame:
        """Error by labels with a 95 % interval, the root of the mean square or the share of wrong classes: of random
        rows that no choice saw (kind "audit") or, before there are 20 of them, cross-validated; empty below 20
        labels."""
        history = self.history_
        frame = pd.DataFrame([vars(p) for p in history.points], columns=["labels", "error", "low", "high"])
        return frame.assign(kind=history.kind)

    @property
    def stop_advice_(self) -> Stop:
        """Whether to stop, by which rule, on which numbers, and why in a sentence."""
        return self.history_.stop

    def _new_session(self, X: np.ndarray, labels: np.ndarray) -> loop.Session:
        several = getattr(self, "multi_label", False)
        family, strategy = recipes.find_active(self.learner, self.strategy, self._task, multi_label=several)
        return loop.init(self._key, family, X, y=labels, strategy=strategy, guarded=self.guarded,
                         allow_replicates=self.allow_replicates, start=self.start)  # fmt: skip

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
        place = np.full(len(before.pool), -1)
        place[known] = len(X) + np.arange(len(known))
        self.session_ = replace(
            fresh, pool=replace(fresh.pool, role=role), order=order, round=before.round, state=before.state,
            learned=before.learned, verdicts=before.verdicts,
            answers=renumbered(loop.answers_so_far(before), place),
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

    def _begin(self, X: np.ndarray, labels: np.ndarray, encoder: Any) -> None:
        """A new campaign on the rows X (n, p) with labels (n, k), NaN where unknown."""
        self.encoder_, self._seen = encoder, (None, None, None, None)
        self._key = key_for(root_key(self.random_state), "active")
        self.session_, self._count = self._new_session(X, labels), len(X)
        self._refit()

    def _told(self, rows: Any, labels: np.ndarray, annotator: str | None, session: loop.Session | None = None) -> None:
        """Takes the labels (n, k) of rows, in the session given or in its own, and trains anew."""
        self.session_ = loop.tell(session or self.session_, self._rows(rows), labels, annotator=annotator)
        self._refit()

    def _inputs(self, X: Any) -> np.ndarray:
        """Rows (n, p) as the models know them."""
        return prediction_data(self, X, self.encoder_)[0]

    def _committee(self) -> Any:
        """The models that predict, or InputError before there are any."""
        check_is_fitted(self, "session_")
        if self.committee_ is None:
            raise InputError(f"fewer than {FEWEST_LABELS} rows are labelled: query() and teach() some before predict()")
        return self.committee_


def _states(session: loop.Session) -> dict[int, str]:
    """The guard's state in every round."""
    states, state = {}, first_state(proven=session.strategy.proven)
    for number in range(session.round):
        state = next((verdict.next_state for verdict in session.verdicts if verdict.round == number), state)
        states[number + 1] = state if session.guarded else "off"
    return states
