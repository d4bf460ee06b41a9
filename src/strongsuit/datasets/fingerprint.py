"""The fingerprint of a pool: of its content, not of its file, with a digest of every 65,536 rows.

The same rows give the same value from CSV and Parquet. So the type of a column is what its values are: floats that are
all whole are integers, text that is all dates is a time, NaN and empty text are missing. The digests of chunks name the
rows at fault when a pool was changed, and prove that an old pool is the beginning of a grown one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strongsuit.errors import InputError

CHUNK_ROWS = 65_536
EXACT = 2.0**53  # above it float64 skips whole numbers
EMPTY, BOOL, INT, FLOAT, TIME, TEXT = "empty", "bool", "int", "float", "time", "text"
_TIME = pa.timestamp("us")
_TRUTH = ("true", "false")


@dataclass(frozen=True)
class Fingerprint:
    """`value` of the whole, SHA-256 of every chunk, and the logical type of every column."""

    value: str
    chunks: tuple[str, ...]
    types: Mapping[str, str]


def fingerprint_table(columns: Mapping[str, pa.ChunkedArray], *, text: Sequence[str] = ()) -> Fingerprint:
    """The fingerprint of columns of equal length; those named in `text`, such as a key, are hashed as text.

    The order of columns does not matter. Memory is that of one chunk besides the columns. InputError for a column of a
    type that tables do not have.
    """
    names = sorted(columns)
    rows = len(columns[names[0]]) if names else 0
    types = {name: TEXT if name in text else logical_type(name, columns[name]) for name in names}
    chunks = tuple(_digest(columns, types, start) for start in range(0, rows, CHUNK_ROWS))
    head = json.dumps({"rows": rows, "types": types}, sort_keys=True, ensure_ascii=True)
    value = hashlib.sha256("\n".join([head, *chunks]).encode("ascii")).hexdigest()
    return Fingerprint(value, chunks, types)


def logical_type(name: str, column: pa.ChunkedArray) -> str:
    """What the values of a column are: empty, bool, int, float, time or text."""
    kinds = {_type_of(name, piece) for piece in _pieces(column)} - {EMPTY}
    if not kinds:
        return EMPTY
    if len(kinds) == 1:
        return kinds.pop()
    return FLOAT if kinds == {INT, FLOAT} else TEXT


def _type_of(name: str, piece: pa.Array) -> str:
    """The type of some rows."""
    piece = _without_blanks(_plain(piece)).drop_null()
    kind = piece.type
    if not len(piece) or pa.types.is_null(kind):
        return EMPTY
    if pa.types.is_boolean(kind):
        return BOOL
    if pa.types.is_integer(kind):
        return INT
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = piece.cast(pa.float64()).to_numpy(zero_copy_only=False)
        whole = np.isfinite(values).all() and (np.abs(values) < EXACT).all() and (values == np.floor(values)).all()
        return INT if whole else FLOAT
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return TIME
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _type_of_text(piece)
    raise InputError(f"column {name!r} of type {kind} cannot be hashed: turn it into text, numbers or dates")


def _type_of_text(piece: pa.Array) -> str:
    first = piece[0].as_py()
    if first.lower() in _TRUTH:
        return BOOL if pc.all(pc.is_in(pc.utf8_lower(piece), pa.array(_TRUTH, piece.type))).as_py() else TEXT
    if not first[:1].isdigit():
        return TEXT
    try:
        piece.cast(_TIME)
    except pa.ArrowInvalid:
        return TEXT
    return TIME


def _pieces(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    """The column by chunks of rows, whatever its own chunks are."""
    for start in range(0, len(column), CHUNK_ROWS):
        yield _array(column.slice(start, CHUNK_ROWS))


def _array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)


def _plain(piece: pa.Array) -> pa.Array:
    """The array without a dictionary."""
    return piece.dictionary_decode() if pa.types.is_dictionary(piece.type) else piece


def _without_blanks(piece: pa.Array) -> pa.Array:
    """The array with NaN and empty text as missing."""
    if pa.types.is_floating(piece.type):
        return pc.if_else(pc.is_nan(piece), pa.scalar(None, piece.type), piece)
    if pa.types.is_string(piece.type) or pa.types.is_large_string(piece.type):
        return pc.if_else(pc.equal(piece, ""), pa.scalar(None, piece.type), piece)
    return piece


def _digest(columns: Mapping[str, pa.ChunkedArray], types: Mapping[str, str], start: int) -> str:
    """SHA-256 of a chunk of rows, column by column in the order of names: validity bytes, then the values."""
    digest = hashlib.sha256()
    for name in sorted(columns):
        piece = _without_blanks(_plain(_array(columns[name].slice(start, CHUNK_ROWS))))
        valid = piece.is_valid().to_numpy(zero_copy_only=False)
        digest.update(valid.astype(np.uint8).tobytes())
        for part in _values(piece, types[name]):
            digest.update(part)
    return digest.hexdigest()


def _values(piece: pa.Array, kind: str) -> Iterator[bytes | memoryview]:
    """The bytes of the values, zero where they are missing; of text all lengths, then all characters."""
    if kind == EMPTY:
        return
    if kind == TEXT:
        words = pc.fill_null(as_text(piece), "")  # large_string: 64-bit offsets into one buffer
        yield pc.binary_length(words).to_numpy(zero_copy_only=False).astype("<i8").tobytes()
        yield _characters(words)
        return
    if kind == TIME:
        numbers = _times(piece).cast(pa.int64())
    elif kind == BOOL:
        truth = pc.equal(pc.utf8_lower(piece), "true") if not pa.types.is_boolean(piece.type) else piece
        numbers = truth.cast(pa.uint8())
    else:
        numbers = piece.cast(pa.float64() if kind == FLOAT else pa.int64(), safe=False)
    values = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False)
    if kind == FLOAT:
        values = values.astype("<f8") + 0.0  # zero has one sign
    elif kind != BOOL:
        values = values.astype("<i8")
    yield values.tobytes()


def _characters(words: pa.Array) -> bytes | memoryview:
    """The bytes of all words, one after the other, without a copy."""
    _, offsets, characters = words.buffers()
    if characters is None:
        return b""
    ends = np.frombuffer(offsets, "<i8")[words.offset : words.offset + len(words) + 1]
    return memoryview(characters)[ends[0] : ends[-1]]


def _times(piece: pa.Array) -> pa.Array:
    """Microseconds since 1970 in UTC; a time without a zone is UTC."""
    if pa.types.is_timestamp(piece.type):
        return piece.cast(pa.timestamp("us", tz=piece.type.tz), safe=False)
    return piece.cast(_TIME)


def as_text(piece: pa.Array) -> pa.Array:
    """The values as text: whole numbers without a point, so that 7 and 7.0 are one key."""
    piece = _plain(piece)
    if pa.types.is_floating(piece.type):
        blank = _without_blanks(piece)
        values = blank.drop_null().to_numpy(zero_copy_only=False)
        if (np.abs(values) < EXACT).all() and (values == np.floor(values)).all():
            piece = blank.cast(pa.int64())
    return piece.cast(pa.large_string())
