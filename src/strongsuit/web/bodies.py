"""What the interface over HTTP takes and gives: the shapes that its OpenAPI page shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Row = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=2_000)]
Number = Annotated[float, Field(strict=True)]  # true is no number
Value = Number | str | None | Annotated[list[Number | None], Field(max_length=1_000)]


class Body(BaseModel):
    """A body without fields that are not known: a misspelt one is told, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Ask(Body):
    """Rows wanted: `n` (default: a batch), with `more` besides those already held."""

    n: Annotated[int, Field(ge=1, le=10_000)] | None = None
    more: bool = False


class Handed(BaseModel):
    """Rows leased until a time; `short` says why there are fewer than wanted."""

    rows: list[int]
    keys: list[str | int | None]
    rank: list[int | None]
    source: list[str]
    why: list[str]
    features: list[dict[str, Any]] | None
    until: str
    short: str | None


class Answer(Body):
    """One answer, of a row named by its number or by its key."""

    row: Row | None = None
    key: str | int | None = None
    value: Value
    cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    note: Text = ""


class Tell(Body):
    """Answers: all are written or none, unless `partial`."""

    answers: Annotated[list[Answer], Field(min_length=1, max_length=10_000)]
    partial: bool = False


class Lost(BaseModel):
    """An answer that was not written, and why."""

    row: Any
    type: str
    detail: str


class Written(BaseModel):
    """The journal's position afterwards; rows written, rows that changed nothing, answers refused."""

    position: int
    rows: list[int]
    repeated: list[int]
    rejected: list[Lost] = []


class HandedIn(BaseModel):
    """What became of the lines of a table: how many are written as what, say nothing new, or are blank, and what is
    wrong with the others."""

    told: int
    revised: int
    skipped: int
    failed: int
    repeated: int
    blank: int
    position: int
    rejected: list[str] = []


class Rows(Body):
    """Rows by number, with a reason or note."""

    rows: Annotated[list[Row], Field(min_length=1, max_length=10_000)]
    reason: Text = ""


class Fail(Body):
    """A run without a result; `final` ones are not asked for again."""

    row: Row
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    final: bool = False
    cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Revise(Body):
    """Another value for an answer, null withdraws it; `of` names whose, for owners."""

    row: Row
    value: Value
    note: Text = ""
    of: str | None = None


class Renew(Body):
    """Leases that should end later: of some rows, or of all that are held."""

    rows: Annotated[list[Row], Field(max_length=10_000)] | None = None


class Change(Body):
    """Other settings from now on, whole fields of the campaign; the pool is the command line's."""

    batch: Annotated[int, Field(ge=1, le=100_000)] | None = None
    lease_s: Annotated[float, Field(ge=60, le=1e9)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    target: dict[str, Any] | None = None
    recipe: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None
    annotation: dict[str, Any] | None = None
    stopping: dict[str, Any] | None = None
    show: dict[str, Any] | None = None
    reason: Text = ""


class Reason(Body):
    """Why."""

    reason: Text = ""


class Target(Body):
    """The column that is asked for."""

    name: str | list[str]
    kind: Literal["number", "class", "numbers"] = "number"
    classes: list[str] | None = None
    low: float | list[float | None] | None = None
    high: float | list[float | None] | None = None
    unit: str | list[str] | None = None


class Create(Body):
    """A new campaign over a table of a listed folder."""

    name: Annotated[str, Field(pattern=NAME)]
    pool: str
    key: str | None = None
    target: Target
    ignore: list[str] = []
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    recipe: dict[str, Any] = {}
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    batch: Annotated[int, Field(ge=1, le=100_000)] = 10
    lease_s: Annotated[float, Field(ge=60, le=1e9)] = 1800.0
    cost: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None
    annotation: dict[str, Any] | None = None
    stopping: dict[str, Any] | None = None
    show: dict[str, Any] | None = None


class Trouble(BaseModel):
    """An error: `type` is its name, `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str
