"""Digests: what a report needs of a benchmark's runs, small enough to keep where the records are not.

A digest is made of records, or read from the JSON that an earlier report wrote. So a grid can be measured part by
part, on several machines or days, and be reported as one. What a digest holds is its suite's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from strongsuit.bench.records import Record, read_records
from strongsuit.errors import InputError, StoreError


class Digest(Protocol):
    """What every suite's digest can do. `name` says what it is of: two of one name are of the same runs."""

    @property
    def name(self) -> str: ...


Of = TypeVar("Of", bound=Digest)


def gathered(
    folders: Iterable[Path],
    suite: str,
    *,
    made: Callable[[list[Record]], Sequence[Of]],
    parsed: Callable[[dict[str, Any]], Of],
    merged: Callable[[Of, Of], Of],
) -> list[Of]:
    """All digests of these folders, one a name; runs of later folders, and of records before stored digests, replace
    the same runs of earlier ones. Raises InputError for a folder that has neither."""
    found: dict[str, Of] = {}
    for folder in folders:
        own = [*(_read(path, parsed) for path in digest_files(folder, suite)), *made(read_records(folder))]
        if not own:
            raise InputError(
                f"{folder} holds no runs of {suite}: strongsuit bench run {suite} --out {folder} makes some"
            )
        for one in own:
            found[one.name] = merged(found[one.name], one) if one.name in found else one
    return list(found.values())


def digest_files(folder: Path, suite: str) -> list[Path]:
    """The files of a folder that an earlier report of the suite wrote."""
    return sorted(folder.glob(f"{suite}_*.json"))


def write_digest(folder: Path, name: str, head: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> Path:
    """The file: `head` and, under "runs", a line each of `lines`, so that new runs of one change one line."""
    path = folder / f"{name}.json"
    runs = ",\n".join(json.dumps(line, allow_nan=False) for line in lines)
    path.write_text(f'{json.dumps(head, allow_nan=False)[:-1]}, "runs": [\n{runs}\n]}}\n', encoding="utf-8")
    return path


def _read(path: Path, parsed: Callable[[dict[str, Any]], Of]) -> Of:
    try:
        return parsed(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} holds no digest of runs: remove it, or report its records anew") from error


def rounded(values: np.ndarray | None, digits: int) -> Any:
    """The values as lists, null for what is not finite."""
    if values is None:
        return None
    if values.ndim > 1:
        return [rounded(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values]


def array(values: Sequence[float | None], missing: float = np.nan) -> np.ndarray:
    """The numbers that `rounded` wrote, `missing` where there is none."""
    return np.array([missing if value is None else value for value in values], float)


def joined(*parts: Iterable[str]) -> tuple[str, ...]:
    """All that any part says, once and in order."""
    return tuple(sorted({line for part in parts for line in part}))


def joined_versions(versions: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The versions of every package that took part."""
    found: dict[str, dict[str, None]] = {}
    for one in versions:
        for name, version in one.items():
            found.setdefault(name, {}).update(dict.fromkeys(version.split(" and ")))
    return {name: " and ".join(own) for name, own in found.items()}
