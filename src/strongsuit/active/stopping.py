"""When to stop labelling: budget, target, plateau, worth, settled predictions, and their combinations.

A rule is a frozen value that maps a `Progress` to a `Stop` with its numbers and a sentence. Rules remember nothing:
what must hold twice is read off two successive checks. Stopping is advice; only a budget is hard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, isfinite
from typing import Protocol

from strongsuit.active.progress import Law, Progress, fit_law, upper_mean
from strongsuit.errors import InputError

FIRST_BATCHES = 3  # after the start; earlier than that no rule but a budget fires
FEWEST_AUDITS = 30  # below, no bound of a skewed mean is worth its name
METRICS = ("mse", "rmse", "r2")
GAIN_CONFIDENCE = 0.9  # of the one-sided bounds of a predicted gain


@dataclass(frozen=True)
class Stop:
    """Whether to stop, by which rule, on which numbers, and why in a sentence."""

    yes: bool
    rule: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    sentence: str = ""


class Rule(Protocol):
    """A frozen value that judges progress."""

    def __call__(self, progress: Progress) -> Stop: ...


@dataclass(frozen=True)
class Budget:
    """At most so many labels, or so much cost at a price per row; rows asked for and not yet answered count."""

    labels: int | None = None
    cost: float | None = None
    price_per_row: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError without a limit or with a price that is not positive."""
        if self.labels is None and self.cost is None:
            raise InputError("a budget needs labels=, cost= or both")
        if not self.price_per_row > 0:
            raise InputError(f"price_per_row must be positive, got {self.price_per_row!r}")

    def room(self, progress: Progress) -> int:
        """How many rows may still be asked for."""
        left = []
        if self.labels is not None:
            left.append(self.labels - progress.labels - progress.pending)
        if self.cost is not None:
            free = self.cost - progress.cost - progress.pending * self.price_per_row
            left.append(floor(free / self.price_per_row + 1e-9))  # 0.3 / 0.1 is a hair below 3
        return max(0, min(left))

    def cut(self, progress: Progress) -> int:
        """The size of the next batch: cut to fit, 0 when the budget is spent."""
        return min(progress.batch, self.room(progress))

    def __call__(self, progress: Progress) -> Stop:
        """Yes when not one more row fits."""
        room = self.room(progress)
        numbers = {"labels": float(progress.labels), "cost": float(progress.cost), "room": float(room)}
        words = f"room for {room} more labels" if room else f"the budget is spent on {progress.labels} labels"
        return Stop(room == 0, "budget", numbers, words)


@dataclass(frozen=True)
class Target:
    """The audit error is surely good enough: its upper bound meets `value` ("r2": the lower bound) at two checks.

    The error level 1 - confidence is shared out over the planned checks. Needs 30 audit rows.
    """

    value: float
    metric: str = "mse"
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Raises InputError for an unknown metric or a confidence outside (0.5, 1)."""
        if self.metric not in METRICS:
            raise InputError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r}")
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence must lie between 0.5 and 1, got {self.confidence!r}")

    def __call__(self, progress: Progress) -> Stop:
        """Yes when two successive checks have bounds that meet the target."""
        if early(progress):
            return _too_early("target", progress)
        rows = progress.checks[-1].rows if progress.checks else 0
        if rows < FEWEST_AUDITS:
            words = f"a target needs {FEWEST_AUDITS} audit rows, there are {rows}"
            return Stop(False, "target", {"audit_rows": float(rows)}, words)
        bounds = [self._bound(progress, check) for check in (-2, -1)[-len(progress.checks) :]]
        yes = len(bounds) == 2 and all(self._meets(bound) for bound in bounds)
        side, word = ("at least", "≥") if self.metric == "r2" else ("at most", "≤")
        words = f"{self.metric} is {side} {bounds[-1]:.4g} (target {word} {self.value:.4g})"
        return Stop(yes, "target", {"bound": bounds[-1], "value": self.value, "audit_rows": float(rows)}, words)

    def _bound(self, progress: Progress, at: int) -> float:
        looks = max(progress.planned_checks, len(progress.checks))
        check = progress.checks[at]
        if check.rows < FEWEST_AUDITS:
            return float("nan")
        mse = upper_mean(check.errors, 1 - (1 - self.confidence) / looks)
        if self.metric == "r2":
            return 1 - mse / progress.variance if progress.variance > 0 else float("nan")
        return mse**0.5 if self.metric == "rmse" else mse

    def _meets(self, bound: float) -> bool:
        """False for NaN: constant labels or no error at all decide nothing."""
        return bound >= self.value if self.metric == "r2" else bound <= self.value


@dataclass(frozen=True)
class Plateau:
    """More labels surely bring little: the predicted gain of `horizon` more is below `gain` at two checks.

    Gains come from a power law through the last `window` checks (or all since a quarter of the labels) and are judged
    by their upper 90 % bound. A noisy curve has a wide bound and therefore does not stop.
    """

    gain: float = 0.02
    horizon: float = 0.2
    window: int = 5

    def __post_init__(self) -> None:
        """Raises InputError for a window too short for a slope with an error."""
        if self.window < 3:
            raise InputError(f"window must be at least 3 checks, got {self.window!r}")

    def __call__(self, progress: Progress) -> Stop:
        """Yes when the upper bound of the gain is below `gain` at two successive checks."""
        if early(progress):
            return _too_early("plateau", progress)
        now = _law(progress, self.window)
        if now is None:
            return _no_law("plateau", progress, self.window)
        gain, low, high = now.gains(self.horizon)
        yes = high < self.gain and self._little(_law(progress, self.window, back=1))
        more = f"{100 * self.horizon:.0f} % more labels"
        words = f"{more} should lower the error by {_percent(gain, low, high)}; the limit is {100 * self.gain:.2g} %"
        return Stop(yes, "plateau", {"gain": gain, "low": low, "high": high}, words)

    def _little(self, law: Law | None) -> bool:
        return law is not None and law.gains(self.horizon)[2] < self.gain


@dataclass(frozen=True)
class Worth:
    """The next batch surely costs more than it brings: even the upper bound of its gain, at two checks.

    `value_of_one_percent` is what a fall of the error by 1 % is worth, in the money of `price_per_row`.
    """

    value_of_one_percent: float
    price_per_row: float
    window: int = 5

    def __post_init__(self) -> None:
        """Raises InputError for values or prices that are not positive."""
        for name in ("value_of_one_percent", "price_per_row"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)!r}")

    def __call__(self, progress: Progress) -> Stop:
        """Yes when 100 x gain x value is below the price of the next batch at two successive checks."""
        if early(progress):
            return _too_early("worth", progress)
        now = _law(progress, self.window)
        if now is None:
            return _no_law("worth", progress, self.window)
        gain, low, high = now.gains(progress.batch / progress.labels)
        price, worth = progress.batch * self.price_per_row, self._worth(progress, now)
        before = _law(progress, self.window, back=1) if worth < price else None
        yes = before is not None and self._worth(progress, before) < price
        words = f"the next {progress.batch} labels should lower the error by {_percent(gain, low, high)}"
        words += f", worth at most {worth:.4g}, for a price of {price:.4g}"
        return Stop(yes, "worth", {"gain": gain, "low": low, "high": high, "worth": worth, "price": price}, words)

    def _worth(self, progress: Progress, law: Law) -> float:
        return 100 * law.gains(progress.batch / progress.labels)[2] * self.value_of_one_percent


@dataclass(frozen=True)
class Settled:
    """Predictions no longer move: mean squared changes below `tol` x the labels' variance for `rounds` rounds.

    Needs no audit rows and proves nothing (a model may have settled on a mistake): a hint to combine with others.
    """

    tol: float = 0.01
    rounds: int = 3

    def __call__(self, progress: Progress) -> Stop:
        """Yes when the last `rounds` changes are all small."""
        if early(progress):
            return _too_early("settled", progress)
        last = progress.changes[-self.rounds :]
        if len(last) < self.rounds or not progress.variance > 0:
            why = "the labels do not vary" if progress.variance == 0 else f"fewer than {self.rounds} rounds are known"
            return Stop(False, "settled", {}, f"whether predictions settled cannot be told: {why}")
        largest = max(last) / progress.variance if all(map(isfinite, last)) else float("nan")
        words = f"in the last {self.rounds} rounds predictions moved by {100 * largest:.2g} % of the labels' variance"
        words += f" at most (limit {100 * self.tol:.2g} %)"
        return Stop(largest < self.tol, "settled", {"change": largest, "tol": self.tol}, words)


@dataclass(frozen=True)
class Combined:
    """Several rules as one: "any_of" them or "all_of" them; made by the functions of these names."""

    how: str
    rules: tuple[Rule, ...]

    def __call__(self, progress: Progress) -> Stop:
        """The combined answer: numbers of all rules, sentences of those that decided."""
        stops = [rule(progress) for rule in self.rules]
        yes = any(stop.yes for stop in stops) if self.how == "any_of" else all(stop.yes for stop in stops)
        decisive = [stop.sentence for stop in stops if stop.yes == yes]
        numbers = {f"{stop.rule.split('(')[0]}.{name}": value for stop in stops for name, value in stop.numbers.items()}
        return Stop(yes, f"{self.how}({', '.join(stop.rule for stop in stops)})", numbers, "; ".join(decisive))


def any_of(*rules: Rule) -> Combined:
    """The rule that stops when one of the rules does; InputError for none."""
    return _combined("any_of", rules)


def all_of(*rules: Rule) -> Combined:
    """The rule that stops when all of the rules do; InputError for none."""
    return _combined("all_of", rules)


def default_rule(budget: Budget) -> Combined:
    """Stops when the budget is spent, or when the error has a plateau and the predictions have settled."""
    return any_of(budget, all_of(Plateau(), Settled()))


def early(progress: Progress) -> bool:
    """True before three batches after the start are labelled."""
    return progress.labels < progress.start + FIRST_BATCHES * progress.batch


def _combined(how: str, rules: tuple[Rule, ...]) -> Combined:
    if not rules:
        raise InputError(f"{how} needs at least one rule")
    return Combined(how, rules)


def _law(progress: Progress, window: int, *, back: int = 0) -> Law | None:
    """The law at the last check, or so many checks before it."""
    return fit_law(progress.checks[: len(progress.checks) - back], window=window, confidence=GAIN_CONFIDENCE)


def _too_early(rule: str, progress: Progress) -> Stop:
    first = progress.start + FIRST_BATCHES * progress.batch
    return Stop(False, rule, {}, f"too early: judged from {first} labels on")


def _no_law(rule: str, progress: Progress, window: int) -> Stop:
    few = len(progress.checks) < window
    why = f"{len(progress.checks)} of {window} checks are done" if few else "its audit errors are not positive numbers"
    return Stop(False, rule, {"checks": float(len(progress.checks))}, f"no law fits the error yet: {why}")


def _percent(gain: float, low: float, high: float) -> str:
    return f"{100 * gain:.1f} % ({100 * low:.1f}–{100 * high:.1f} %)"
