"""Sentences: verdict, diagnosis, reasons and warnings, each from the numbers it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from strongsuit.partition.describe_values import LossLine, PathPoint, RegimeLine

SEPARABLE = 1.25  # gated loss up to so much above the oracle's: x tells the regimes apart
USUAL_P = 0.05
STABLE = 0.5  # adjusted Rand index of restarts below which a partition is one of several
TELLING = 0.02  # a gate must beat the majority share by more
FAITHFUL = 0.9  # rules that repeat the gate on a smaller share of rows are no portrait of it
FAR_SHARE = 0.05

REASON_WORDS = {
    "proven": "proven better on rows left out",
    "not_proven": "not proven better",
    "too_few": "too few distinct rows to prove anything",
    "unmatched": "not found again when rows are left out",
    "shrunk_away": "its expert adds nothing to the single model",
    "degraded": "its expert failed or gave no finite answer",
    "unguarded": "not tested: the guard is off",
    "one_model": "there is one model",
}


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, as a person would write it."""
    value = float(value)
    if not np.isfinite(value):
        return "–"
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        text = f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
        return text.replace("-", "−")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def percent(share: float) -> str:
    """A share in percent with two digits; never "0 %" for what is not nothing, nor "100 %" for less than all."""
    if not np.isfinite(share):
        return "–"
    value = 100 * float(share)
    text = f"{value:.0f}" if abs(value) >= 9.95 or value == 0 else f"{value:.2g}"
    if abs(value) < 1e-3 and value:
        text = f"{value:.0e}".replace("e-0", "e-")
    if text == "100" and value < 100:
        text = f"{min(value, 99.9):.1f}"
    return f"{text.replace('-', '−')} %"


def probability(p: float) -> str:
    """A p-value: `= 0.021`, or `< 0.0001`."""
    if not np.isfinite(p):
        return "–"
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"


def counted(count: int, word: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}".replace(",", " ")


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def verdict_sentence(
    table: Sequence[RegimeLine],
    *,
    found: int,
    deployed: bool,
    reason: str,
    gain: float,
    min_gain: float,
    mode: str,
) -> str:
    """The run in one sentence."""
    if found == 1:
        return f"One model for all rows: {_why_one(reason, mode)}."
    if not deployed:
        return f"One model for all rows: {_why_refused(table, found, reason, gain, min_gain)}."
    speaking = [line for line in table if line.speaks]
    silent = [line for line in table if not line.speaks]
    if reason == "unguarded":
        return (
            f"{found} regimes, each with its own expert, and no guard: on rows left out their loss is "
            f"{_change(gain)} that of one model."
        )
    on = listed([f"{line.regime} ({counted(line.rows, 'row')})" for line in speaking])
    whose = "expert on for regime" if len(speaking) == 1 else "experts on for regimes"
    said = f"{found} regimes; {whose} {on}: on rows left out the loss is {_change(gain)} that of one model"
    if not silent:
        return f"{said}."
    off = listed([f"{line.regime}" for line in silent])
    verb, plural = ("uses", "") if len(silent) == 1 else ("use", "s")
    return f"{said}; regime{plural} {off} {verb} the single model: {_because(silent)}."


def opinion_sentence(deployed: bool, other_deployed: bool, other: str) -> str:
    """What the guard would say of the same evidence under the other caution, where that differs."""
    if deployed == other_deployed:
        return ""
    return f" With caution={other} " + ("the experts would speak." if other_deployed else "one model would answer.")


def _change(gain: float) -> str:
    return f"{percent(abs(gain))} {'below' if gain >= 0 else 'above'}"


def _because(lines: Sequence[RegimeLine]) -> str:
    """Why regimes are off, each reason once."""
    reasons = []
    for line in lines:
        words = REASON_WORDS.get(line.reason, line.reason)
        if line.reason == "not_proven":
            words = f"{words} ({_against(line.p, line.threshold)})"
        if words not in reasons:
            reasons.append(words)
    return "; ".join(reasons)


def _why_one(reason: str, mode: str) -> str:
    if reason == "constant_target":
        return "the target never varies"
    if reason == "few_rows":
        return "too few distinct rows to look for regimes"
    if mode == "paper":
        return "the competition ended with a single model"
    return "no partition predicts held-out rows better than a single model"


def _why_refused(table, found: int, reason: str, gain: float, min_gain: float) -> str:
    if reason == "gain_too_small":
        return f"{found} regimes found, but their gain {percent(gain)} is below {percent(min_gain)}"
    if reason == "not_proven":
        tested = [line for line in table if line.reason == "not_proven" and np.isfinite(line.p)]
        best = min(tested, key=lambda line: line.p, default=None)
        least = f" (smallest {_against(best.p, best.threshold)})" if best else ""
        return f"{found} regimes found, but no expert is proven better{least}"
    return f"{found} regimes found, but no expert may speak: {REASON_WORDS.get(reason, reason)}"


def diagnosis_sentence(
    losses: Sequence[LossLine], path: Sequence[PathPoint], *, found: int, deployed: bool, min_gain: float
) -> str:
    """What single, gated and oracle losses say together; with one regime, what the best partition met was worth."""
    value = {line.name: line.relative.value for line in losses}
    single, gated, oracle = value["single"], value["gated"], value["oracle"]
    if not np.isfinite(single):
        return "No rows could be left out, so no loss on unseen rows is known."
    if found == 1:
        return _best_met(path)
    if gated < (1 - min_gain) * single:
        beat = (
            "the experts beat one model"
            if deployed
            else "the experts seem to beat one model, but too few rows prove it"
        )
        if gated <= SEPARABLE * oracle:
            return f"Separable: {beat}; choosing them by the features is nearly as good as choosing in hindsight."
        return (
            f"Usable: {beat}; choosing them in hindsight would do better still "
            f"({percent(1 - oracle / gated)} less loss than gated). Near the boundary the features do not settle "
            "which expert is right, or the choice in hindsight is luck."
        )
    harm = gated > (1 + min_gain) * single
    if oracle < 0.5 * single:
        return (
            "Hidden: in hindsight some expert is far better for each row, but the features do not tell which"
            f"{', and sending rows by them does harm' if harm else ''}. "
            "A feature that names the regime may be missing, or the choice in hindsight is luck."
        )
    if harm:
        return "Harmful: sending rows to experts by their features loses more than one model."
    return "No usable regimes: sending rows to experts by their features is no better than one model."


def _best_met(path: Sequence[PathPoint]) -> str:
    """How near the best partition came to being chosen."""
    alone = [point for point in path if point.regimes == 1]
    others = [point for point in path if point.regimes > 1]
    if not alone or not others:
        return "No partition was found to compare with."
    best = min(others, key=lambda point: point.loss)
    if best.loss >= alone[0].loss:
        return "Every partition met loses more on the judge rows than one model does."
    return (
        f"The best partition met ({best.regimes} regimes) brings the loss on the judge rows from "
        f"{percent(alone[0].loss)} to {percent(best.loss)} of the variance, which may well be chance."
    )


def regime_words(line_reason: str, *, proven: bool, deployed: bool, p: float, needed: float) -> str:
    """Why a regime's expert is on or off."""
    if proven and not deployed:
        return "better on its own, but the whole partition gains too little"
    words = REASON_WORDS.get(line_reason, line_reason)
    return f"{words} ({_against(p, needed)})" if line_reason == "not_proven" else words


def _against(p: float, needed: float) -> str:
    """`p = 0.21`, and the threshold where p alone would look small enough."""
    return f"p {probability(p)}" + (f", {number(needed, 2)} needed" if p <= USUAL_P else "")


def warnings_of(
    *,
    found: int,
    stability: float,
    accuracy: float,
    majority: float,
    fidelity: float,
    far_share: float,
    copies: str,
    design: str,
    unguarded: bool,
) -> tuple[str, ...]:
    """What a careful reader should know before trusting the rest."""
    said = []
    if unguarded:
        said.append("The guard is off: experts answer although nothing shows that they help.")
    if found > 1 and stability < STABLE:
        said.append(
            f"Restarts agree little on the regimes (adjusted Rand index {stability:.2f}, below {STABLE}): "
            "other partitions predict as well as this one."
        )
    if found > 1 and accuracy <= majority + TELLING:
        said.append(
            f"The boundary names the regime of {percent(accuracy)} of unseen rows; always guessing the largest "
            f"regime would reach {percent(majority)}."
        )
    if found > 1 and fidelity < FAITHFUL:
        said.append(
            f"The rules below repeat the boundary for only {percent(fidelity)} of the rows: read them as a hint."
        )
    if far_share > FAR_SHARE:
        said.append(f"{percent(far_share)} of the rows lie far from all others, so the single model answers for them.")
    if copies:
        said.append(copies)
    if design:
        said.append(design)
    return tuple(said)
