"""Public sets of small images, read from where they lie; none is shipped, and none is a pickle."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from strongsuit.datasets.registry import DATA_VARIABLE
from strongsuit.errors import InputError, StoreError

FOLDER = "images"
PACKAGED = Path("/usr/share/datasets")  # where Debian's dataset-fashion-mnist puts its files
IDX_HEADER = {3: 16, 1: 8}  # bytes before the numbers of a file of images and of one of labels (LeCun's IDX format)


@dataclass(frozen=True)
class ImageSet:
    """Images (n, h, w) or (n, h, w, colours) of bytes, their classes (n,), and which of them are for tests (n,)."""

    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        """Flat rows (n, h w colours) of numbers between 0 and 1."""
        return self.images.reshape(len(self.images), -1) / 255.0


@dataclass(frozen=True)
class IdxFile:
    """A file of a set in IDX form, packed by gzip: its name, and the SHA-256 of what it holds."""

    name: str
    shape: tuple[int, ...]
    checksum: str


# Xiao, Rasul and Vollgraf 2017, MIT licence: training images, their labels, test images, their labels.
FASHION = (
    IdxFile("train-images-idx3-ubyte.gz", (60_000, 28, 28),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    IdxFile("train-labels-idx1-ubyte.gz", (60_000,),
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    IdxFile("t10k-images-idx3-ubyte.gz", (10_000, 28, 28),
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    IdxFile("t10k-labels-idx1-ubyte.gz", (10_000,),
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
)  # fmt: skip


def load_images(name: str) -> ImageSet:
    """The images of a public set.

    Raises InputError for an unknown name, StoreError when its files are not at hand or hold something else.
    """
    if name not in IMAGE_SETS:
        raise InputError(f"no set of images is called {name!r}; there are {', '.join(IMAGE_SETS)}")
    return IMAGE_SETS[name]()


def _usps() -> ImageSet:
    with np.load(_file("usps_16px.npz"), allow_pickle=False) as found:
        parts = [(found[f"{part}_images"], found[f"{part}_labels"]) for part in ("train", "test")]
    return _joined(*parts)


def _cifar10() -> ImageSet:
    parts = []
    for name in ("cifar10_32px_pool_a.npz", "cifar10_32px_test.npz"):
        with np.load(_file(name), allow_pickle=False) as found:
            parts.append((found["images"], found["labels"]))
    return _joined(*parts)


def _fashion_mnist() -> ImageSet:
    images, labels, test_images, test_labels = (idx_array(_file(one.name, "fashion-mnist"), one) for one in FASHION)
    return _joined((images, labels), (test_images, test_labels))


def _joined(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> ImageSet:
    images, labels = (np.concatenate(pair) for pair in zip(train, test, strict=True))
    return ImageSet(images, labels, np.arange(len(labels)) >= len(train[1]))


def idx_array(path: Path, one: IdxFile) -> np.ndarray:
    """The bytes of a packed IDX file in their shape; StoreError if it holds anything but what is registered."""
    try:
        with gzip.open(path) as file:
            content = file.read(IDX_HEADER[len(one.shape)] + int(np.prod(one.shape)) + 1)
    except (OSError, EOFError) as error:
        raise StoreError(f"{path} cannot be unpacked ({error}): remove it and get the file anew") from error
    if hashlib.sha256(content).hexdigest() != one.checksum:
        raise StoreError(f"{path} differs from the registered {one.name}: results would not compare; get the file anew")
    return np.frombuffer(content, np.uint8, offset=IDX_HEADER[len(one.shape)]).reshape(one.shape)


def _file(name: str, packaged: str = "") -> Path:
    """The path of a file in the user's folder of data, or in that of a system package."""
    folder = os.environ.get(DATA_VARIABLE)
    places = [Path(folder, sub, packaged, name) for sub in (FOLDER, "")] if folder else []
    places += [PACKAGED / packaged / name] if packaged else []
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        package = f", or install the Debian package dataset-{packaged}" if packaged else ""
        own = Path(FOLDER, packaged)
        raise StoreError(f"{name} is not at hand: put it into {own} under a folder that {DATA_VARIABLE} names{package}")
    return found


IMAGE_SETS: dict[str, Callable[[], ImageSet]] = {
    "usps": _usps,
    "cifar10": _cifar10,
    "fashion_mnist": _fashion_mnist,
}
