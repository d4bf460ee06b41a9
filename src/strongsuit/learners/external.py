"""Any scikit-learn regressor or classifier as a Learner on the host."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction
from strongsuit.errors import InputError
from strongsuit.learners import gradients

SEEN = 1024  # training rows that a fitted model remembers


@dataclass(frozen=True)
class ExternalParams:
    """Fitted estimators, one for all outputs or one for each; `k` outputs or classes."""

    estimators: tuple[Any, ...]
    k: int
    constant: int | None = None  # the only class seen in training, where a classifier saw one
    rows: np.ndarray | None = None  # up to SEEN training rows, by which inputs are scaled; None if read from a file


@dataclass(frozen=True, eq=False)
class External:
    """A Learner made of an unfitted scikit-learn estimator; two are equal if class and parameters are.

    The estimator is cloned for every fit, its `random_state` parameters (nested ones too) come from the key.
    Classifiers take y as indicator columns (n, classes) and predict probabilities. Rows of weight zero are
    dropped before the fit. Estimators without `sample_weight` take whole-number weights, as repeated rows.
    """

    estimator: Any
    traceable: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, External) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str]:
        kind = type(self.estimator)
        with np.printoptions(threshold=sys.maxsize):
            settings = repr(sorted(self.estimator.get_params(deep=True).items()))
        return f"{kind.__module__}.{kind.__qualname__}", settings

    @property
    def classifies(self) -> bool:
        """True if the estimator predicts classes."""
        return bool(is_classifier(self.estimator))

    @property
    def own_units(self) -> bool:
        """Classes are indicators, which no centre and no scale may change."""
        return self.classifies

    @property
    def accepts_nan(self) -> bool:
        """True if the estimator takes missing features as NaN."""
        return bool(get_tags(self.estimator).input_tags.allow_nan)

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> ExternalParams:
        """The fitted estimators."""
        X, y, w = (np.asarray(array, dtype=float) for array in (X, y, w))
        kept = w > 0
        X, y, w = X[kept], y[kept], w[kept]
        if is_classifier(self.estimator):
            return self._fit_classes(key, X, y, w)
        shared = y.shape[1] == 1 or get_tags(self.estimator).target_tags.multi_output
        targets = [y[:, 0] if y.shape[1] == 1 else y] if shared else list(y.T)
        fitted = [self._fit_target(key_for(key, part), X, t, w) for part, t in enumerate(targets)]
        return ExternalParams(tuple(fitted), y.shape[1], rows=_remembered(key, X))

    def predict(self, params: ExternalParams, X: np.ndarray) -> Prediction:
        """Means (n, k), or probabilities of k classes; no variance."""
        if is_classifier(self.estimator):
            return Prediction(_probabilities(params, X))
        columns = [np.asarray(estimator.predict(X), dtype=float) for estimator in params.estimators]
        return Prediction(np.concatenate([c.reshape(len(X), -1) for c in columns], axis=1))

    def auxiliary(self, name: str) -> Any:
        """The network to train beside this model for estimates that it cannot give: that of an `MLP` with defaults.
        InputError for a classifier, which has none."""
        if self.classifies:
            raise InputError(
                f"{type(self.estimator).__name__} offers no model to train beside it: choose a strategy that needs "
                "none, such as margin, u_herding or k_center, or another learner, such as Softmax or MLPClassifier"
            )
        from strongsuit.learners.mlp import MLP  # a learner on the host loads JAX only where it must

        return MLP().auxiliary(name)

    def embed(self, params: ExternalParams, X: np.ndarray) -> np.ndarray:
        """The inputs themselves: an arbitrary estimator has no inner representation to offer."""
        return np.asarray(X, dtype=float)

    def sketch(self, key: Key, params: ExternalParams, X: np.ndarray, width: int) -> np.ndarray:
        """Gradient features (n, width), float32: leaves of tree ensembles, inputs of linear models, and for all
        others random features of a surrogate, as `stand_in` tells. Estimators of single outputs are averaged."""
        X = np.asarray(X, dtype=float)
        if params.rows is None:
            raise InputError(
                "gradient features need training rows, which a model read from a file has not: fit it anew"
            )
        if self.stand_in(params):
            return gradients.surrogate_features(
                key, lambda rows: self.predict(params, rows).mean, X, params.rows, width
            )
        total = np.zeros((len(X), width), np.float32)
        for part, estimator in enumerate(params.estimators):
            total += gradients.gradient_features(key_for(key, part), estimator, X, params.rows, width)
        return total / np.float32(len(params.estimators) ** 0.5)

    def stand_in(self, params: ExternalParams) -> str:
        """What `sketch` shows in place of gradients, in words; "" where it shows the model's own."""
        if params.estimators and gradients.kind_of(params.estimators[0]) != gradients.SURROGATE:
            return ""
        name = type(self.estimator).__name__
        return f"{name} shows no gradients: features of a Gaussian process surrogate stand in for them"

    def _fit_classes(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> ExternalParams:
        """A fitted classifier, or the one class that is present (many classifiers refuse to be fitted to one)."""
        if (y < 0.0).any() or not np.allclose(y.sum(axis=1), 1.0, rtol=0.0, atol=1e-6):
            raise InputError(
                "y of a classifier must be indicator columns: one 1 in each row and zeros elsewhere, or shares that "
                "sum to 1"
            )
        rows, labels = np.nonzero(y)  # where annotators disagree, a row for each class with its share of the weight
        X, w = X[rows], w[rows] * y[rows, labels]
        if len(np.unique(labels)) == 1:
            return ExternalParams((), y.shape[1], int(labels[0]), _remembered(key, X))
        fitted = self._fit_target(key_for(key, 0), X, labels, w)
        return ExternalParams((fitted,), y.shape[1], rows=_remembered(key, X))

    def _fit_target(self, key: Key, X: np.ndarray, target: np.ndarray, w: np.ndarray) -> Any:
        """A clone fitted to one target (or all, where it takes several), weights passed the way it takes them."""
        estimator = _seeded(clone(self.estimator), key)
        if np.all(w == 1):
            return estimator.fit(X, target)
        name = _weight_parameter(estimator)
        if name is not None:
            return estimator.fit(X, target, **{name: w})
        rows = _repeated(w, type(estimator).__name__)
        return estimator.fit(X[rows], target[rows])


def _remembered(key: Key, X: np.ndarray) -> np.ndarray:
    """Up to SEEN of the rows, drawn by the key, in random order."""
    return X[key_for(key, "remembered").numpy().permutation(len(X))[:SEEN]]


def _seeded(estimator: Any, key: Key) -> Any:
    """The estimator with all its `random_state` parameters set from the key."""
    names = [n for n in estimator.get_params(deep=True) if n.rsplit("__", 1)[-1] == "random_state"]
    return estimator.set_params(**{name: key_for(key, name).integer() for name in names})


def _weight_parameter(estimator: Any) -> str | None:
    """The name under which `fit` takes weights; a pipeline hands them to its last step."""
    steps = getattr(estimator, "steps", None)
    if steps:
        name, last = steps[-1]
        return f"{name}__sample_weight" if has_fit_parameter(last, "sample_weight") else None
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def _repeated(w: np.ndarray, name: str) -> np.ndarray:
    """Row numbers with each row as often as its weight says, for estimators that take no weights."""
    w = w / w[0] if np.all(w == w[0]) and w[0] != np.round(w[0]) else w
    if not np.array_equal(w, np.round(w)):
        raise InputError(
            f"{name} takes no sample_weight, and the weights are not whole numbers (as repeated rows would need); "
            "use equal weights, or an estimator whose fit takes sample_weight"
        )
    return np.repeat(np.arange(len(w)), w.astype(int))


def _probabilities(params: ExternalParams, X: np.ndarray) -> np.ndarray:
    """Probabilities (n, k), zero for classes that training did not show."""
    found = np.zeros((len(X), params.k))
    if params.constant is not None:
        found[:, params.constant] = 1.0
        return found
    (estimator,) = params.estimators
    found[:, np.asarray(estimator.classes_, dtype=int)] = estimator.predict_proba(X)
    return found


def hgb(*, iterations: int = 300, learning_rate: float = 0.1) -> External:
    """Histogram gradient boosting; early stopping above 10,000 rows only, since below it wastes rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return External(HistGradientBoostingRegressor(max_iter=iterations, learning_rate=learning_rate))


def random_forest(*, trees: int = 200) -> External:
    """A random forest of fully grown regression trees."""
    from sklearn.ensemble import RandomForestRegressor

    return External(RandomForestRegressor(n_estimators=trees))
