"""FOIL and HYDR: random forests stored as arrays, evaluated as they were when they were published.

They were fitted to airfoil self-noise and yacht hydrodynamics by Ren et al. (arXiv 2201.12632). A newer
scikit-learn grows another forest from the same rows, so they are read, never fitted again. Both are step
functions: no smooth model reaches error zero.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from strongsuit.datasets.registry import DATA_VARIABLE
from strongsuit.errors import StoreError

SUBFOLDER = "dal_wild"
_ROWS = 2048  # evaluated at once, in all trees


@dataclass(frozen=True)
class Forest:
    """All nodes of all trees in one table: children by table row (a leaf is its own child), root rows."""

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray


def foil(u: np.ndarray) -> np.ndarray:
    """FOIL, scaled sound level (n, 1) of u (n, 5): frequency, angle, chord, speed, displacement thickness.

    Raises StoreError where the stored forest is absent or damaged.
    """
    return evaluate(load_forest("foil"), u)


def hydr(u: np.ndarray) -> np.ndarray:
    """HYDR, scaled resistance of a yacht (n, 1) of u (n, 6); nearly a function of the last input, Froude's number.

    Raises StoreError where the stored forest is absent or damaged.
    """
    return evaluate(load_forest("hydr"), u)


def load_forest(name: str) -> Forest:
    """The stored forest of that name, read once: from the folder dal_wild in the one that STRONGSUIT_DATA names."""
    file = f"{name}_oracle_forest.npz"
    folder = os.environ.get(DATA_VARIABLE)
    path = Path(folder, SUBFOLDER, file) if folder else None
    if path is None or not path.is_file():
        place = f"is not at {path}" if path else "is not shipped"
        raise StoreError(
            f"the stored forest of {name.upper()} {place}: put {file} into the folder {SUBFOLDER} of a data folder "
            f"and name that folder in {DATA_VARIABLE}; do not fit it again, another version gives another forest"
        )
    return _read(path)


@lru_cache(maxsize=4)
def _read(path: Path) -> Forest:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _joined(dict(stored))
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} is no stored forest ({error}): fetch it again") from error


def _joined(stored: dict[str, np.ndarray]) -> Forest:
    """The trees in one table: row numbers inside a tree become rows of the table, leaves point to themselves."""
    offset = stored["tree_offset"].astype(np.int64)
    nodes = len(stored["feature"])
    tree_start = np.repeat(offset[:-1], np.diff(offset))
    leaf, own = stored["feature"] < 0, np.arange(nodes)
    left, right = (np.where(leaf, own, stored[side] + tree_start) for side in ("left", "right"))
    if max(left.max(), right.max()) >= nodes:
        raise ValueError("a child lies outside the table")
    feature = np.where(leaf, 0, stored["feature"]).astype(np.int64)
    return Forest(offset[:-1], left, right, feature, stored["threshold"], stored["value"])


def evaluate(forest: Forest, u: np.ndarray) -> np.ndarray:
    """The mean of all trees (n, 1) at u (n, d), which is rounded to float32 first, as scikit-learn does."""
    rounded = np.asarray(u).astype(np.float32).astype(np.float64)
    chunks = [_mean_of_trees(forest, rounded[first : first + _ROWS]) for first in range(0, len(rounded), _ROWS)]
    return np.concatenate(chunks)[:, None] if chunks else np.empty((0, 1))


def _mean_of_trees(forest: Forest, u: np.ndarray) -> np.ndarray:
    node = np.repeat(forest.roots[:, None], len(u), axis=1)  # (trees, n)
    row = np.arange(len(u))
    while True:
        goes_left = u[row, forest.feature[node]] <= forest.threshold[node]
        new = np.where(goes_left, forest.left[node], forest.right[node])
        if np.array_equal(new, node):
            break
        node = new
    # Tree by tree in order: NumPy's own sum may pair a single row's terms otherwise and change the last bit.
    total = np.zeros(len(u))
    for values in forest.value[node]:
        total += values
    return total / len(forest.roots)
