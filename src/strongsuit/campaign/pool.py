"""What a campaign needs of its pool, when it needs it; `strongsuit.datasets.PoolTable` is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Pool(Protocol):
    """The rows that may be labelled. A row's number is its place, and never changes."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What the journal keeps: uri, format, n, key, columns, media, fingerprint, chunks."""
        ...

    def rows_of(self, keys: Sequence[Any]) -> list[int | None]:
        """The row of each key, None for one that is not there."""
        ...

    def keys_of(self, rows: Sequence[int]) -> list[Any]:
        """The key of each row: its number, where the pool has no key column."""
        ...

    def features(self, rows: Sequence[int]) -> Any:
        """The rows themselves, as a frame."""
        ...

    def costs(self, column: str, rows: Sequence[int]) -> list[float]:
        """What a column says of the rows."""
        ...

    def proof(self, n: int) -> tuple[str, ...]:
        """The chunk digests of the first n rows alone."""
        ...
