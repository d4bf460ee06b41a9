"""Several labels that are each present or absent, as so many classifiers of two classes: binary relevance.

Nothing passes between the labels: what one label says of another is not learned (Zhang et al., "Binary relevance for
multi-label learning: an overview", Frontiers of Computer Science, 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction, embed_many, fit_many, pick, predict_many
from strongsuit.errors import InputError


@dataclass(frozen=True)
class BinaryRelevanceParams:
    """The fitted models of the k labels, in the form `fit_many` returns, and their number."""

    models: Any
    k: int


@dataclass(frozen=True)
class BinaryRelevance:
    """A classifier `each` of two classes for every label, fitted to all of them by one `fit_many`.

    y (n, k) says how far each label holds: 0 or 1, or the share of annotators who say so. A row counts once as one
    without the label and once as one with it, by these shares: so all labels share their rows and differ in weights
    alone, and a label of which training shows one side only is said to be there, or not, with certainty. Predictions
    (n, k) are probabilities that do not sum to 1.
    """

    each: Any

    traceable: ClassVar[bool] = False
    classifies: ClassVar[bool] = True
    own_units: ClassVar[bool] = True  # probabilities, which no centre and no scale may change
    multi_label: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not getattr(self.each, "classifies", False) or getattr(self.each, "multi_label", False):
            raise InputError(
                f"each label needs a classifier, got {type(self.each).__name__}: name one, such as Softmax"
            )

    @property
    def deterministic(self) -> bool:
        """Whether a second member would say what the first one says."""
        return getattr(self.each, "deterministic", False)

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> BinaryRelevanceParams:
        """The models of all labels, trained on the rows of X (n, d), y (n, k) with weight w (n,) above zero."""
        kept = np.asarray(w) > 0
        X, y, w = (np.asarray(array, dtype=float)[kept] for array in (X, y, w))
        if ((y < 0.0) | (y > 1.0)).any():
            raise InputError("labels that are present or absent are 0 or 1, or shares between them")
        n, k = y.shape
        sides = np.repeat(np.eye(2), n, axis=0)
        W = np.hstack([w * (1.0 - y.T), w * y.T])
        keys = [key_for(key, "label", number) for number in range(k)]
        return BinaryRelevanceParams(fit_many(self.each, keys, np.vstack([X, X]), sides, W), k)

    def predict(self, params: BinaryRelevanceParams, X: np.ndarray) -> Prediction:
        """The probability (n, k) that each label is there; no variance."""
        said = np.asarray(predict_many(self.each, params.models, X).mean, dtype=float)
        return Prediction(said[:, :, 1].T)

    def embed(self, params: BinaryRelevanceParams, X: np.ndarray) -> np.ndarray:
        """The features of all labels' models, side by side."""
        return np.hstack(list(embed_many(self.each, params.models, X)))

    def label(self, params: BinaryRelevanceParams, number: int) -> Any:
        """The parameters of `each` for one label."""
        return pick(params.models, number)
