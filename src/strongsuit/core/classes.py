"""Class labels and the indicator columns that learners are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.errors import InputError

_SHOWN = 5  # labels that a message names


@dataclass(frozen=True)
class Classes:
    """The k classes of a target in sorted order, in the type in which they came: strings, truth values or whole
    numbers."""

    values: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self, labels: Any) -> np.ndarray:
        """The class number (n,) of every label. Raises InputError for a label that is no class."""
        place = {value: number for number, value in enumerate(self.values)}
        labels = _plain(labels)
        unknown = sorted({repr(label) for label in labels if not _among(place, label)})
        if unknown:
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            raise InputError(
                f"labels outside the declared classes: {', '.join(unknown[:_SHOWN])}{more}; the classes are "
                f"{_listed(self.values)}: correct the labels, name all classes in `classes`, "
                "or let ActiveClassifier take new ones by allow_new_classes=True"
            )
        return np.array([place[label] for label in labels], int)

    def indicators(self, labels: Any) -> np.ndarray:
        """Indicator columns (n, k): a 1 in the column of each label's class."""
        return np.eye(len(self))[self.numbers(labels)]

    def named(self, numbers: np.ndarray) -> np.ndarray:
        """The labels (n,) of class numbers, as they came."""
        return np.array(self.values)[np.asarray(numbers, int)]


def classes_of(labels: Any, declared: Sequence[Any] | None = None) -> Classes:
    """The classes among the labels (n,), or those declared.

    Raises InputError for labels that are missing, of mixed types or numbers with a fraction, and where there are fewer
    than two classes.
    """
    found = Classes(tuple(sorted(set(_plain(labels if declared is None else declared)))))
    if len(found) < 2:
        what = "declared" if declared is not None else "among the labels"
        raise InputError(
            f"a classification needs at least two classes, and there is {_listed(found.values) or 'none'} {what}: "
            "name all classes in `classes`"
        )
    if declared is not None:
        if len(found) < len(list(declared)):
            raise InputError(f"a class is declared twice: {_listed(list(declared))}")
        found.numbers(labels)
    return found


def smoothed(y: np.ndarray, share: float) -> np.ndarray:
    """Labels y (n, k) of which a share is spread evenly over the k classes (Szegedy et al., 2016)."""
    return (1.0 - share) * y + share / y.shape[1] if share else y


def class_weights(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How often (k,) a row of each class should count for all classes of y (n, k) to count alike: n / (k n_c), with n_c
    the weight w (n,) of its rows and k the classes that have one; 1 for the others."""
    counts = np.asarray(w, float) @ y
    present = counts > 0.0
    return np.divide(counts.sum(), present.sum() * counts, out=np.ones_like(counts), where=present)


def weighed(y: np.ndarray, each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n, k) and weights (n,) by which a row of class c counts `each` (k,)[c] times: a row on which annotators
    disagree equals rows of its classes with its weight shared out."""
    shared = y * each
    weight = shared.sum(1)
    return shared / weight[:, None], weight


def _plain(labels: Any) -> list[Any]:
    """Labels as Python values of one type: str, bool or int."""
    values = [value.item() if isinstance(value, np.generic) else value for value in np.asarray(labels, object).ravel()]
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    kinds = {type(value) for value in values}
    for bad in (value for value in values if type(value) not in (str, bool, int)):
        raise InputError(
            f"class labels are strings, truth values or whole numbers, got {bad!r} ({type(bad).__name__}): "
            "leave out rows without a label; if the target is a number, name a regression learner"
        )
    if len(kinds) > 1:
        named = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"class labels are of mixed types ({named}): make them all strings, or all whole numbers")
    return values


def _among(place: dict[Any, int], label: Any) -> bool:
    """Whether a label is a class of the same type: True is no 1."""
    return label in place and type(label) is type(next(iter(place)))


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[: 2 * _SHOWN])
    return shown + (", ..." if len(values) > 2 * _SHOWN else "")
