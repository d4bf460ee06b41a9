"""Which column is what: targets, features, groups; every wrong name is an InputError before a row is read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from strongsuit.datasets.columns import is_number
from strongsuit.errors import InputError


@dataclass(frozen=True)
class Roles:
    """The roles a caller asked for; `resolve` fits them to a header."""

    target: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None  # None: every column without another role
    exclude: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    group_features: bool = False  # True: group columns are features too

    def resolve(self, names: Sequence[str]) -> tuple[str, ...]:
        """The feature columns, in the order of the table; raises for unknown, repeated or clashing names."""
        for role in ("target", "features", "exclude", "groups", "categorical"):
            asked = getattr(self, role) or ()
            _require_known(role, asked, names)
            _require_once(role, asked)
        self._require_no_clash()
        apart = {"", *self.target, *self.exclude, *(() if self.group_features else self.groups)}
        chosen = [name for name in names if name not in apart and self._is_chosen(name)]
        if not chosen:
            raise InputError(f"no feature column is left; the table has {_listed(names)}")
        return tuple(chosen)

    def _is_chosen(self, name: str) -> bool:
        return self.features is None or name in self.features

    def _require_no_clash(self) -> None:
        for role in ("features", "exclude", "groups"):
            both = sorted(set(self.target) & set(getattr(self, role) or ()))
            if both:
                raise InputError(f"{both[0]!r} is the target and stands under {role} too: give it one role")
        lost = sorted(set(self.exclude) & (set(self.groups) | set(self.features or ())))
        if lost:
            raise InputError(f"{lost[0]!r} is excluded and needed at once: drop it from exclude")


def as_names(role: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names as a tuple; one name may be given bare."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    names = tuple(value)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise InputError(f"{role} must hold column names, got {wrong[0]!r} of type {type(wrong[0]).__name__}")
    return names


def _require_known(role: str, asked: Sequence[str], names: Sequence[str]) -> None:
    for name in asked:
        if name in names:
            continue
        close = [one for one in names if one.lower() == name.lower()]
        close = close or difflib.get_close_matches(name, names, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        headless = "; its first row looks like data: add a header row" if all(map(is_number, names)) else ""
        raise InputError(f"{role} names {name!r}, but the table has {_listed(names)}{guess}{headless}")


def _require_once(role: str, asked: Sequence[str]) -> None:
    repeated = sorted({name for name in asked if asked.count(name) > 1})
    if repeated:
        raise InputError(f"{role} names {repeated[0]!r} twice: name each column once")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return f"the columns {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
