"""Files of pictures as rows of a table, and as features: what a pool with a folder of media is chosen by."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from strongsuit.core.folders import cache_folder
from strongsuit.datasets.fingerprint import as_text
from strongsuit.datasets.images import CELL, gradient_histograms
from strongsuit.datasets.writing import atomic_path
from strongsuit.errors import InputError, StoreError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
FILE, PICTURE = "file", "picture"  # the columns of a folder of pictures: its key, and what people see
SIDE = 32  # pixels to which pictures are brought for their features
CELLS = (SIDE // CELL) ** 2
COLOUR = 2  # a spread of red, green and blue up to which a pixel is grey: JPEG rounds
CHUNK = 4096  # pictures held in pixels at once
_log = logging.getLogger(__name__)
_KIND = b"gradient histograms of 32 x 32 pixels, 1"  # part of the cache's key: change it with the features


def picture_table(folder: Path) -> pa.Table | None:
    """The pictures in a folder and the folders in it as a table of their paths, sorted; None if there are none."""
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    return pa.table({FILE: found, PICTURE: found}) if found else None


def picture_columns(table: pa.Table, names: Sequence[str]) -> list[str]:
    """Those of the columns whose every value names a picture."""
    return [name for name in names if _is_text(table.column(name).type) and _name_pictures(table.column(name))]


def picture_features(folder: Path, names: Sequence[str]) -> np.ndarray:
    """Features (n, p) of the pictures that are so called in the folder: histograms of gradients of 32 x 32 pixels, of
    grey ones 576, of others 704 (Dalal and Triggs, 2005). They are kept in the cache as long as the files are the same.

    Raises InputError for a file that is not there, lies outside the folder or is no picture.
    """
    paths = _paths(folder, names)
    kept = cache_folder("pictures") / f"{_digest(paths)}.npy"
    if kept.is_file():
        return np.load(kept, allow_pickle=False)
    parts = [_described(paths[first : first + CHUNK]) for first in range(0, len(paths), CHUNK)]
    features = np.concatenate([found for found, _ in parts])
    if not any(coloured for _, coloured in parts):  # three equal means a cell: one will do
        features = np.delete(features, np.flatnonzero(np.arange(3 * CELLS) % 3) - 3 * CELLS, axis=1)
    _keep(features, kept)
    return features


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _name_pictures(column: pa.ChunkedArray) -> bool:
    texts = as_text(column.combine_chunks()).to_pylist()
    return all(text is not None and text.lower().endswith(SUFFIXES) for text in texts)


def _paths(folder: Path, names: Sequence[str]) -> list[Path]:
    root = folder.resolve()
    paths = [(root / name).resolve() for name in names]
    lost = [row for row, path in enumerate(paths) if not (path.is_relative_to(root) and path.is_file())]
    if lost:
        raise InputError(
            f"{len(lost)} of {len(paths)} pictures are not in {folder} (first: row {lost[0]}, {names[lost[0]]!r}): "
            "name the folder that their paths begin in by --media, or ignore the column"
        )
    return paths


def _digest(paths: Sequence[Path]) -> str:
    """What the features depend on: which files in which order, their sizes and times of change."""
    found = hashlib.sha256(_KIND)
    for path in paths:
        about = path.stat()
        found.update(f"{path}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _described(paths: Sequence[Path]) -> tuple[np.ndarray, bool]:
    """Features of pictures as if they were coloured, and whether any is."""
    pixels = np.stack([_pixels(path) for path in paths])
    return gradient_histograms(pixels).astype(np.float32), bool((np.ptp(pixels, axis=-1) > COLOUR).any())


def _pixels(path: Path) -> np.ndarray:
    """Bytes (SIDE, SIDE, 3) of the whole picture, whatever its proportions."""
    from PIL import Image

    try:
        picture = Image.open(path)
        picture.draft("RGB", (4 * SIDE, 4 * SIDE))  # a JPEG is decoded at a fraction of its size
        return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is no picture that can be read ({error}): mend or remove it") from error


def _keep(features: np.ndarray, path: Path) -> None:
    """Writes the cache; a disk that takes no more costs time and nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as draft, open(draft, "wb") as file:
            np.save(file, features, allow_pickle=False)
    except (OSError, StoreError) as error:
        _log.info("the features of the pictures are not kept: %s", error)
