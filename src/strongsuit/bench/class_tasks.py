"""What classification strategies are compared on: tables and image features, split into pool and test rows by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from strongsuit.core.classes import classes_of
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.standard import standard
from strongsuit.datasets.image_sets import load_images
from strongsuit.datasets.images import gradient_histograms
from strongsuit.datasets.registry import load
from strongsuit.errors import InputError

TEST_SHARE, MOST_TEST, MOST_POOL = 0.4, 1_500, 5_000
PIXELS = "_pixels"


@dataclass(frozen=True)
class ClassTask:
    """A set and its protocol: labels to start with, labels a batch, batches. `shape` is that of an image whose pixels
    in [0, 1] are the inputs; other inputs are standardised over the pool. `pictures`: whether rows are images."""

    name: str
    words: str
    read: Callable[[str], tuple[np.ndarray, np.ndarray, np.ndarray | None]]
    start: int = 20
    batch: int = 10
    rounds: int = 20
    shape: tuple[int, int, int] | None = None
    pictures: bool = False


@dataclass(frozen=True)
class ClassArena:
    """One repetition of a task: inputs, standardised over the pool, and class numbers of the pool and of the test rows;
    and which rows are labelled first, the same for every strategy."""

    task: ClassTask
    repeat: int
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    classes: int

    @property
    def first(self) -> np.ndarray:
        """The rows that are labelled first, drawn at random: a class may be missing."""
        key = key_for(root_key(self.repeat), "classification", self.task.name, "start")
        return key.numpy().choice(len(self.X), self.task.start, replace=False)


def _table(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    table = load(name)
    return table.X.to_numpy(float), np.asarray(table.frame[table.targets[0]].astype(str)), None


def _digits(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    from sklearn.datasets import load_digits

    return *load_digits(return_X_y=True), None


def _image_features(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = load_images(name)
    return gradient_histograms(found.images), found.labels, found.test


def _pixels(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = load_images(name.removesuffix(PIXELS))
    return found.pixels, found.labels, found.test


def _pixel_task(name: str, words: str, shape: tuple[int, int, int]) -> ClassTask:
    return ClassTask(name + PIXELS, words, _pixels, 100, 100, 10, shape, pictures=True)


TASKS: dict[str, ClassTask] = {
    task.name: task
    for task in (
        ClassTask("letter", "26 letters by 16 numbers", _table, start=52, batch=26),
        ClassTask("optdigits", "ten digits by 64 counts", _table),
        ClassTask("satimage", "six kinds of ground", _table),
        ClassTask("segment", "seven materials in pictures", _table),
        ClassTask("vehicle", "four silhouettes of cars", _table),
        ClassTask("wdbc", "two kinds of cells", _table, start=10, batch=5),
        ClassTask("digits", "ten digits of 8 x 8 pixels (scikit-learn)", _digits),
        ClassTask("usps", "ten digits, histograms of gradients", _image_features, pictures=True),
        ClassTask("cifar10", "ten kinds of pictures, histograms of gradients and colours", _image_features,
                  pictures=True),
        ClassTask("fashion_mnist", "ten kinds of clothes, histograms of gradients", _image_features, pictures=True),
        _pixel_task("usps", "ten digits of 16 x 16 pixels", (16, 16, 1)),
        _pixel_task("cifar10", "ten kinds of pictures, pixels", (32, 32, 3)),
        _pixel_task("fashion_mnist", "ten kinds of clothes, pixels", (28, 28, 1)),
    )
}  # fmt: skip


def class_arena(name: str, repeat: int) -> ClassArena:
    """The arena of a task at one repetition; InputError for a name that is none."""
    task = find_class_task(name)
    X, labels, test = _read(name)
    classes = classes_of(labels)
    y, rng = classes.numbers(labels), key_for(root_key(repeat), "classification", name, "split").numpy()
    if test is None:
        order = rng.permutation(len(X))
        count = min(MOST_TEST, round(TEST_SHARE * len(X)))
        out, inside = order[:count], order[count : count + MOST_POOL]
    else:
        out, inside = np.flatnonzero(test), rng.permutation(np.flatnonzero(~test))[:MOST_POOL]
    if task.shape is not None:
        return ClassArena(task, repeat, X[inside], y[inside], X[out], y[out], len(classes))
    center, spread = standard(X[inside])
    Z = (X - center) / spread
    return ClassArena(task, repeat, Z[inside], y[inside], Z[out], y[out], len(classes))


def find_class_task(name: str) -> ClassTask:
    """The task of that name, or InputError with the names there are."""
    if name not in TASKS:
        raise InputError(f"no classification set is called {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]


def named_class_tasks(names: Sequence[str] | None, *, pixels: bool = False, pictures: bool = False) -> list[str]:
    """These names; by default all sets whose inputs are `pixels` or are not, of `pictures` alone if so wished.

    Raises InputError for a name that is none, or of a set of the other kind of inputs.
    """
    readable = [name for name, task in TASKS.items() if (task.shape is not None) == pixels]
    if names is None:
        return [name for name in readable if TASKS[name].pictures >= pictures]
    for name in names:
        if find_class_task(name).name not in readable:
            kind, other = ("pixels", "features") if pixels else ("features", "pixels")
            raise InputError(
                f"{name} is a set of {other}, and the lane's learner reads {kind}: choose among {', '.join(readable)}"
            )
    return list(names)


@lru_cache(maxsize=2)
def _read(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    return find_class_task(name).read(name)
