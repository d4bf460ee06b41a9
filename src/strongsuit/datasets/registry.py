"""Public sets by name: from the folder `STRONGSUIT_DATA`, else from the cache, else downloaded and checked.

No set is shipped (several licences do not allow it). A set whose home offers only a spreadsheet, an archive
or values rounded otherwise cannot be downloaded here and needs the folder; the error says so.
"""

from __future__ import annotations

import difflib
import io
import logging
import os
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pandas as pd

from strongsuit.core.folders import cache_folder
from strongsuit.datasets.columns import MISSING
from strongsuit.datasets.public_sets import PUBLIC_SETS, Original, PublicSet
from strongsuit.datasets.table import Table, read_table
from strongsuit.datasets.writing import write_table
from strongsuit.errors import InputError, StoreError

__all__ = ["DATA_VARIABLE", "PUBLIC_SETS", "find", "load"]

DATA_VARIABLE = "STRONGSUIT_DATA"
TIMEOUT_SECONDS = 30
MAX_DOWNLOAD = 64 << 20  # bytes; the largest set of the table takes 4 MiB
_SUBFOLDERS = ("", "regression", "classification")
_log = logging.getLogger(__name__)


def load(name: str) -> Table:
    """The typed table of a public set, all its targets in place and its groups for the honest split.

    Raises InputError for an unknown name; StoreError when no copy can be had or a copy has other values.
    """
    public = find(name)
    return _checked(public, _local(public) or _cached(public))


def find(name: str) -> PublicSet:
    """The registered set of that name, or InputError with the names there are."""
    if name in PUBLIC_SETS:
        return PUBLIC_SETS[name]
    close = difflib.get_close_matches(name, PUBLIC_SETS, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(f"no public set is called {name!r}{guess}; there are {', '.join(PUBLIC_SETS)}")


def _checked(public: PublicSet, path: Path) -> Table:
    table = _read(public, path)
    if table.fingerprint != public.checksum:
        raise StoreError(
            f"{path} differs from the registered {public.name} ({public.source}): results would not compare; "
            "remove it, or read your own version by its path"
        )
    return table


def _read(public: PublicSet, path: Path) -> Table:
    """The table of a file; classes are a column of codes, which the reader of tables knows as a feature only."""
    if public.task == "regression":
        return read_table(path, target=public.targets, groups=public.groups or None, group_features=True)
    table = read_table(path, categorical=public.targets)
    names = tuple(name for name in table.names if name not in public.targets)
    return replace(table, names=names, targets=public.targets)


def _local(public: PublicSet) -> Path | None:
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        return None
    places = (Path(folder, sub, f"{public.name}.csv") for sub in _SUBFOLDERS)
    return next((path for path in places if path.is_file()), None)


def _cached(public: PublicSet) -> Path:
    """The path of the cached copy, downloaded and converted first if there is none."""
    path = cache_folder("datasets") / f"{public.name}.csv"
    if path.is_file():
        return path
    frame = _convert(public, public.original, _download(public))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the cache {path.parent} cannot be made: {error.strerror}") from error
    _require_registered(public, frame)
    return write_table(frame, path)


def _download(public: PublicSet) -> bytes:
    if public.original is None:
        raise StoreError(
            f"{public.name} cannot be fetched as the table registered here ({public.source}): put "
            f"{public.name}.csv (header, features, targets) into a folder and name it in {DATA_VARIABLE}"
        )
    url = public.original.url
    _log.info("downloading %s from %s", public.name, url)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read(MAX_DOWNLOAD + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or error
        raise StoreError(
            f"{public.name} could not be downloaded from {url} ({cause}): check the network and try again, "
            f"or put {public.name}.csv into a folder and name it in {DATA_VARIABLE}"
        ) from error
    if len(content) > MAX_DOWNLOAD:
        raise StoreError(f"{url} sent more than {MAX_DOWNLOAD >> 20} MiB, which is not {public.name}")
    return content


def _convert(public: PublicSet, original: Original | None, content: bytes) -> pd.DataFrame:
    """Our table of the original file: its own columns named, extra ones and incomplete rows left out."""
    assert original is not None  # `_download` has raised
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=original.separator,
            header=0 if original.header else None,
            names=list(original.names),
            na_values=sorted(MISSING),
        )
    except (ValueError, UnicodeError) as error:
        raise StoreError(f"{original.url} no longer holds the table {public.name}: {error}") from error
    features = [name for name in original.names if name not in (*public.targets, "car_name")]
    frame = frame[[*features, *public.targets]]
    return frame.dropna() if original.drop_incomplete else frame


def _require_registered(public: PublicSet, frame: pd.DataFrame) -> None:
    try:
        fingerprint = read_table(frame, target=public.targets).fingerprint
    except InputError as error:
        raise StoreError(f"the file at the home of {public.name} has changed: {error}") from error
    if fingerprint != public.checksum:
        raise StoreError(
            f"the file at the home of {public.name} ({public.source}) is not the one registered here: "
            f"put the registered {public.name}.csv into a folder and name it in {DATA_VARIABLE}"
        )
