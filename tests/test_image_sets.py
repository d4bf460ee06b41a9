"""Sets of images: read from the user's folder or a package, refused when they hold something else."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from strongsuit.bench.class_bench import class_plans
from strongsuit.datasets import image_sets
from strongsuit.datasets.image_sets import IdxFile, idx_array, load_images
from strongsuit.datasets.registry import DATA_VARIABLE
from strongsuit.errors import InputError, StoreError


def packed(path: Path, numbers: np.ndarray) -> IdxFile:
    """An IDX file of the numbers at the path, and how it would be registered."""
    head = bytes([0, 0, 8, numbers.ndim]) + b"".join(side.to_bytes(4, "big") for side in numbers.shape)
    content = head + numbers.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))
    return IdxFile(path.name, numbers.shape, hashlib.sha256(content).hexdigest())


@pytest.fixture
def small_fashion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray]:
    """A folder with a set of five training images and two test images in the place of the real one."""
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 6))
    parts = (images[:5], np.arange(5), images[5:], np.array([1, 0]))
    folder = tmp_path / "images" / "fashion-mnist"
    files = [packed(folder / one.name, part) for one, part in zip(image_sets.FASHION, parts, strict=True)]
    monkeypatch.setattr(image_sets, "FASHION", tuple(files))
    monkeypatch.setattr(image_sets, "PACKAGED", tmp_path / "none")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return folder, images


def test_idx_files_are_joined_with_their_test_rows_last(small_fashion: tuple[Path, np.ndarray]) -> None:
    found = load_images("fashion_mnist")
    np.testing.assert_array_equal(found.images, small_fashion[1])
    assert found.labels.tolist() == [0, 1, 2, 3, 4, 1, 0] and found.test.tolist() == [False] * 5 + [True] * 2
    assert found.pixels.shape == (7, 24) and found.pixels.max() <= 1.0


def test_a_system_package_serves_where_the_folder_has_none(
    small_fashion: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATA_VARIABLE)
    monkeypatch.setattr(image_sets, "PACKAGED", small_fashion[0].parent)
    assert len(load_images("fashion_mnist").images) == 7


def test_files_that_hold_something_else_are_refused(small_fashion: tuple[Path, np.ndarray]) -> None:
    folder, images = small_fashion
    first = image_sets.FASHION[0]
    packed(folder / first.name, images[:5] // 2)
    with pytest.raises(StoreError, match="differs from the registered train-images"):
        load_images("fashion_mnist")
    (folder / first.name).write_bytes(b"no gzip at all")
    with pytest.raises(StoreError, match="cannot be unpacked"):
        load_images("fashion_mnist")
    (folder / first.name).unlink()
    with pytest.raises(StoreError, match="or install the Debian package dataset-fashion-mnist"):
        load_images("fashion_mnist")
    with pytest.raises(InputError, match="no set of images is called 'cats'; there are usps, cifar10, fashion_mnist"):
        load_images("cats")


def test_more_bytes_than_registered_are_not_unpacked(tmp_path: Path) -> None:
    one = packed(tmp_path / "bomb.gz", np.zeros(1_000_000, int))
    with pytest.raises(StoreError, match="differs"):
        idx_array(tmp_path / "bomb.gz", IdxFile("bomb.gz", (10,), one.checksum))


@pytest.mark.parametrize(
    ("lane", "pictures", "expected", "absent"),
    [
        ("linear", False, {"letter", "usps"}, {"usps_pixels"}),
        ("linear", True, {"usps", "cifar10", "fashion_mnist"}, {"letter", "digits", "usps_pixels"}),
        ("cnn", False, {"usps_pixels", "fashion_mnist_pixels"}, {"usps", "letter"}),
    ],
)
def test_a_lane_is_compared_on_what_it_can_read(lane: str, pictures: bool, expected: set, absent: set) -> None:
    found = {plan.task for plan in class_plans(None, ["margin"], repeats=1, lane=lane, pictures=pictures)}
    assert expected <= found and not absent & found
