"""ActiveClassifier: a classifier that learns from few labels and says which rows it wants labelled next."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite, check_scalar, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from strongsuit.active import session as loop
from strongsuit.active.committee import answer
from strongsuit.active.stopping import Rule
from strongsuit.active.strategies import CLASSIFICATION
from strongsuit.active.suspects import Suspect, suspects
from strongsuit.core.classes import classes_of
from strongsuit.core.keys import key_for
from strongsuit.core.standard import standard
from strongsuit.errors import InputError
from strongsuit.estimators.active_loop import ActiveLoop
from strongsuit.estimators.inputs import training_data
from strongsuit.estimators.label_matrix import label_matrix
from strongsuit.estimators.new_classes import carried_over, with_new
from strongsuit.executors import few_threads


class ActiveClassifier(ClassifierMixin, ActiveLoop):
    """A classifier that asks for the labels it needs: batch active learning that is guarded by random rows.

    Rows of `y` that are None or NaN are the unlabelled pool. `query` names the rows to label next, `teach` takes their
    labels, and so on. Inputs are standardised over the whole pool.

    Parameters
    ----------
    learner : {"auto", "softmax", "mlp", "forest"}, classifier or Learner, default="auto"
        What predicts. "auto" is logistic regression. An unfitted scikit-learn classifier is cloned.
    strategy : str, default="auto"
        A name of `strongsuit.active.class_strategies.CLASS_STRATEGIES`, or "auto".
    batch_size : int, default=10
        Rows that `query` names unless told otherwise.
    classes : sequence or None, default=None
        All classes there are; by default those among the labels of `fit`. With `multi_label` the labels' names.
    allow_new_classes : bool, default=False
        Take labels outside the classes as new ones; by default they are refused.
    guarded : bool, default=True
        Draw a share of each batch at random and fall back to random rows where active selection does harm.
    allow_replicates : bool, default=False
        Let a batch hold rows that are equal.
    start : {"random", "cover"}, default="random"
        Where no row is labelled: draw the first rows at random, or cover the inputs beside the guard's random share.
    multi_label : bool, default=False
        Rows have several labels, each of which is there or not: `y` is a matrix of 0 and 1 with a column for each, and
        every label has a classifier of its own. Strategies see one label at a time; mean scores or ranks choose.
    stop : Rule or None, default=None
        When to stop: a rule of `strongsuit.active.stopping`; a plateau if None.
    random_state : int, Generator, RandomState or None, default=None
        The same integer gives the same rows and the same model.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes in sorted order, as they came; with `multi_label` the names of the labels.
    session_ : Session
        The immutable state of the loop.
    committee_ : Committee or None
        What predicts, trained on all labelled rows; None before the second label.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if a data frame with text as column names was given.

    See Also
    --------
    strongsuit.suggest : The same for tables and files, one call a batch.

    Examples
    --------
    >>> import numpy as np
    >>> from strongsuit.estimators import ActiveClassifier
    >>> rng = np.random.default_rng(0)
    >>> truth = np.array(["left", "right"])[(np.arange(200) % 2)]
    >>> X = rng.normal(size=(200, 2)) + 3 * (truth == "right")[:, None]
    >>> y = np.where(np.arange(200) < 20, truth, None)
    >>> model = ActiveClassifier(batch_size=6, random_state=0).fit(X, y)
    >>> rows = model.query()
    >>> model = model.teach(rows, truth[rows])
    >>> int(model.labelled_.sum()), bool((model.predict(X) == truth).mean() > 0.95)
    (26, True)
    """

    _task = CLASSIFICATION

    def __init__(
        self,
        learner: Any = "auto",
        *,
        strategy: str = "auto",
        batch_size: int = 10,
        classes: Sequence[Any] | None = None,
        allow_new_classes: bool = False,
        guarded: bool = True,
        allow_replicates: bool = False,
        start: str = "random",
        multi_label: bool = False,
        stop: Rule | None = None,
        random_state: Any = None,
    ):
        super().__init__(
            learner, strategy=strategy, batch_size=batch_size, guarded=guarded, allow_replicates=allow_replicates,
            start=start, stop=stop, random_state=random_state,
        )  # fmt: skip
        self.classes = classes
        self.allow_new_classes = allow_new_classes
        self.multi_label = multi_label

    def fit(self, X: Any, y: Any) -> ActiveClassifier:
        """Begin a campaign: train on the labelled rows, keep the others as the pool.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Arrays must be numeric and complete; frames may hold text and missing cells.
        y : array-like of shape (n_samples,), or (n_samples, n_labels) with `multi_label`
            Classes; None or NaN: not labelled yet.

        Returns
        -------
        self
        """
        check_scalar(self.batch_size, "batch_size", Integral, min_val=1)
        if y is None:
            raise InputError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        declared = None if self.classes is None else list(self.classes)
        labels, known = (y, None) if self.multi_label else _labels(y)
        data = training_data(self, X, np.zeros(len(labels)), None, None)
        if self.multi_label:
            codes, names = label_matrix(labels, declared)
            self.classes_ = np.array(names)
        else:
            self._classes = classes_of(labels[known], declared)
            self.classes_ = np.array(self._classes.values)
            codes = np.full((len(labels), len(self._classes)), np.nan)
            codes[known] = self._classes.indicators(labels[known])
        self._center, self._spread = standard(data.X)
        self._begin((data.X - self._center) / self._spread, codes, data.encoder)
        return self

    def teach(self, rows: Any, y: Any, *, annotator: str | None = None) -> ActiveClassifier:
        """Take classes of rows, asked for or not, in any order, and train anew.

        Parameters
        ----------
        rows : array-like of int of shape (n,)
            Row numbers as `query` gives them.
        y : array-like of shape (n,), or (n, n_labels) with `multi_label`
            Their classes. All are taken or, if one is no class, none.
        annotator : str, default=None
            Who says so. A row's label is the mean of its annotators' answers, of which a later one by the same person
            takes the place of the earlier one; labels that nobody is named for are one person's.

        Returns
        -------
        self
        """
        check_is_fitted(self, "session_")
        if self.multi_label:
            self._told(rows, label_matrix(y, list(self.classes_))[0], annotator)
            return self
        labels = np.atleast_1d(np.asarray(y, object))
        classes = with_new(self._classes, labels) if self.allow_new_classes else self._classes
        wider = None if classes == self._classes else carried_over(self.session_, self._classes, classes)
        self._told(rows, classes.indicators(labels), annotator, wider)
        self._classes, self.classes_ = classes, np.array(classes.values)
        return self

    @property
    def suspects_(self) -> pd.DataFrame:
        """Labelled rows that should be looked at again, by some fits: those whose label has a probability below .05 for
        models that did not see it (from 20 labels on), and those on which less than half of the annotators agree."""
        check_is_fitted(self, "session_")
        now, key = self.session_, key_for(self._key, "suspects", self.session_.round)
        with few_threads(len(now.pool)):
            found = suspects(key, loop.chosen_learner(now), now.pool, now.answers)
        columns = ["row", "label", "probability", "agreement", "why"]
        own = [one for one in found if one.row < self._count]
        return pd.DataFrame(
            [(s.row, self._label(s), s.probability, s.agreement, " and ".join(s.reasons)) for s in own],
            columns=columns,
        )  # fmt: skip

    def _label(self, suspect: Suspect) -> Any:
        """The class of most answers, or of several labels the one that is meant."""
        if self.multi_label:
            return None if suspect.label is None else self.classes_[suspect.label]
        return self.classes_[self.session_.pool.y[suspect.row].argmax()]

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row; with `multi_label` 1 for each label that is more probable than not.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        classes : ndarray of shape (n_samples,), or (n_samples, n_labels)
        """
        chances = self.predict_proba(X)
        if self.multi_label:
            return (chances > 0.5).astype(int)
        return self.classes_[chances.argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self, "session_")
        inputs = self._inputs(X)
        return answer(self._committee(), inputs)

    def _inputs(self, X: Any) -> np.ndarray:
        return (super()._inputs(X) - self._center) / self._spread

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = bool(self.multi_label)
        return tags


def _labels(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The labels (n,) as they came, and which (n,) bool are known."""
    given = column_or_1d(y, warn=True)
    if given.dtype.kind == "f":
        assert_all_finite(given[~np.isnan(given)], input_name="y")
    if given.dtype.kind == "c":
        raise InputError(
            "Complex data not supported: y holds complex numbers, and classes are named by text or integers"
        )
    known = ~np.asarray(pd.isna(given), bool)
    labels = np.asarray(given, object)
    if known.any() and given.dtype.kind == "f":
        check_classification_targets(given[known])
    return labels, known
