"""What classification strategies are compared on: tables and image features, split into pool and test rows by seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from strongsuit.core.classes import classes_of
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.standard import standard
from strongsuit.datasets.images import gradient_histograms
from strongsuit.datasets.registry import DATA_VARIABLE, load
from strongsuit.errors import InputError, StoreError

TEST_SHARE, MOST_TEST, MOST_POOL = 0.4, 1_500, 5_000


@dataclass(frozen=True)
class ClassTask:
    """A set and its protocol: labels to start with, labels a batch, batches. `shape` is that of an image whose pixels
    in [0, 1] are the inputs; other inputs are standardised over the pool."""

    name: str
    words: str
    read: Callable[[str], tuple[np.ndarray, np.ndarray, np.ndarray | None]]
    start: int = 20
    batch: int = 10
    rounds: int = 20
    shape: tuple[int, int, int] | None = None


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


def _usps(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images, labels, test = _usps_images()
    return gradient_histograms(images), labels, test


def _usps_pixels(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images, labels, test = _usps_images()
    return _pixels(images), labels, test


def _usps_images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(_image_file("usps_16px.npz")) as found:
        images = np.concatenate([found["train_images"], found["test_images"]])
        labels = np.concatenate([found["train_labels"], found["test_labels"]])
        test = np.arange(len(labels)) >= len(found["train_labels"])
    return images, labels, test


def _cifar(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images, labels, test = _cifar_images()
    return gradient_histograms(images), labels, test


def _cifar_pixels(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images, labels, test = _cifar_images()
    return _pixels(images), labels, test


def _pixels(images: np.ndarray) -> np.ndarray:
    """Flat rows of numbers between 0 and 1."""
    return images.reshape(len(images), -1) / 255.0


def _cifar_images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = []
    for file in ("cifar10_32px_pool_a.npz", "cifar10_32px_test.npz"):
        with np.load(_image_file(file)) as found:
            parts.append((found["images"], found["labels"]))
    (images, labels), (test_images, test_labels) = parts
    test = np.arange(len(labels) + len(test_labels)) >= len(labels)
    return np.concatenate([images, test_images]), np.concatenate([labels, test_labels]), test


def _image_file(name: str) -> Path:
    folder = os.environ.get(DATA_VARIABLE)
    places = [Path(folder, sub, name) for sub in ("images", "")] if folder else []
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise StoreError(f"{name} is not at hand: put it into a folder `images` and name its parent in {DATA_VARIABLE}")
    return found


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
        ClassTask("usps", "ten digits, histograms of gradients", _usps),
        ClassTask("cifar10", "ten kinds of pictures, histograms of gradients and colours", _cifar),
        ClassTask("usps_pixels", "ten digits of 16 x 16 pixels", _usps_pixels, 100, 100, 10, (16, 16, 1)),
        ClassTask("cifar10_pixels", "ten kinds of pictures, pixels", _cifar_pixels, 100, 100, 10, (32, 32, 3)),
    )
}


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


def named_class_tasks(names: Sequence[str] | None) -> list[str]:
    """These names; by default all sets whose inputs are no pixels."""
    chosen = [name for name, task in TASKS.items() if task.shape is None] if names is None else names
    return [find_class_task(name).name for name in chosen]


@lru_cache(maxsize=2)
def _read(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    return find_class_task(name).read(name)
