"""A suggestion in words: why each row was chosen, how the error fell so far, and whether to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from strongsuit.active.guard import FEWEST, RANDOM, TRIAL, TRUSTED, Verdict
from strongsuit.active.history import BY_AUDIT, BY_FOLDS, History
from strongsuit.active.session import Batch
from strongsuit.active.suspects import DISPUTED, IMPROBABLE_LABEL
from strongsuit.suggestions.tables import ROW

SHOWN = 5  # suspects that the text names
CURVES = {
    BY_AUDIT: "on {tested} random rows that no training and no choice saw: unbiased for the pool; a model "
    "trained on all labels should do better",
    BY_FOLDS: "cross-validated on the {tested} labelled rows: for rows like these, not for the whole pool",
}


def lines(facts: dict[str, Any], batch: Batch, history: History, verdicts: Sequence[Verdict], unit: str) -> list[str]:
    """The text of a suggestion: what was chosen, the guard, the learning curve, the advice, the notes."""
    found = [_chosen(facts, batch), *_models(facts), *_guard(facts, verdicts), *_money(facts), ""]
    found += [*_curve(history, unit), "", advice(history), *_suspects(facts)]
    notes = [f"Note: {note}." for note in facts["notes"]]
    return [*found, *([""] if notes else []), *notes]


def _chosen(facts: dict[str, Any], batch: Batch) -> str:
    count = facts["rows"]
    some = f"{count} {'row' if count == 1 else 'rows'} to label"
    if batch.strategy == "random":
        return f"{some} in round {facts['round']}, {batch.words}."
    active = count - facts["random"]
    words = f"{some} in round {facts['round']}: {active} by {batch.strategy} ({facts['chooses']})"
    return f"{words}, {facts['random']} at random." if facts["random"] else f"{words}."


def _models(facts: dict[str, Any]) -> list[str]:
    if not facts["model"]:
        return []
    (name, error), *others = facts["model"].items()
    beside = "".join(f", {other} {worse:.2g}" for other, worse in others)
    return [f"Model: {name}, by its cross-validated squared error over the variance ({error:.2g}{beside})."]


def _guard(facts: dict[str, Any], verdicts: Sequence[Verdict]) -> list[str]:
    said = [f"Guard: {verdict.sentence()}." for verdict in verdicts[-1:] if np.isfinite(verdict.theta)]
    if facts["state"] == TRIAL:
        share = "half of each batch is random until it has proved itself"
        return [*said, f"Guard: the strategy is on trial, {share}; {_judged(facts, TRIAL)}."]
    if facts["state"] == TRUSTED and facts["audits"] < FEWEST[TRUSTED]:
        share = "is trusted for its record in the benchmark; a tenth of each batch is random to watch it"
        return [f"Guard: the strategy {share}; {_judged(facts, TRUSTED)}."]
    words = {
        TRUSTED: "Guard: the strategy is trusted; a tenth of each batch stays random to watch it.",
        RANDOM: "Guard: active selection did harm here; all rows are drawn at random.",
    }
    return [*said, *([words[facts["state"]]] if facts["state"] in words else [])]


def _judged(facts: dict[str, Any], state: str) -> str:
    there = f"{facts['audits']} and {facts['actives']} are there"
    return f"it is judged every second round from {FEWEST[state]} random and {FEWEST[state]} chosen labels on, {there}"


def _money(facts: dict[str, Any]) -> list[str]:
    cost = facts["cost"]
    if cost is None:
        return []
    left = "" if cost["budget"] is None else f" of a budget of {cost['budget']:.6g}"
    return [f"Price: {cost['batch']:.6g} for this batch; {cost['spent']:.6g} spent before{left}."]


def _curve(history: History, unit: str) -> list[str]:
    if not history.points:
        return [f"Learning curve: none yet; {history.why}."]
    tested = history.progress.checks[-1].rows
    what = history.wrong or f"root mean squared error{unit}"
    head = f"Learning curve: {what}\n{CURVES[history.kind].format(tested=tested)}"
    rows = [f"{p.labels:>8}  {p.error:>9.4g}  {p.low:.4g} to {p.high:.4g}" for p in history.points]
    title = f"{'labels':>8}  {'error':>9}  95 % interval"
    if history.balanced:  # classes are far from alike in size
        title = f"{title:<40}  mean over classes"
        rows = [f"{row:<40}  {even:>9.4g}" for row, even in zip(rows, history.balanced, strict=True)]
    return [head, title, *rows]


def _suspects(facts: dict[str, Any]) -> list[str]:
    """The labelled rows to be looked at again, the worst by name."""
    found = facts.get("suspects")
    if not found:
        return []
    named = "; ".join(_suspect(one) for one in found[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ["", f"Labels to check ({len(found)}; none is left out for it): {named}{more}."]


def _suspect(one: dict[str, Any]) -> str:
    name = f"row {one[ROW]} of the pool" if one["id"] is None and one[ROW] else one["id"] or "a row outside the pool"
    said = [f"probability {one['probability']:.2g}"] if IMPROBABLE_LABEL in one["reasons"] else []
    said += [f"{one['agreement']:.0%} of its annotators agree"] if DISPUTED in one["reasons"] else []
    return f"{name} ({', '.join(said if one['label'] is None else [str(one['label']), *said])})"


def advice(history: History) -> str:
    """Whether to go on, with what the next labels should bring."""
    stop = history.stop
    reason = _sentence(stop.sentence, history.wrong)
    if stop.yes:
        return f"Advice: stop labelling. {reason}."
    if history.gain is None:
        return f"Advice: go on labelling. {reason}." if reason else "Advice: go on labelling."
    return f"Advice: go on labelling. {next_labels(history)}{_others(history)}"


def next_labels(history: History) -> str:
    """The sentence about the next batch."""
    gain, low, high = history.gain
    what = history.wrong or "squared error"
    words = f"The next {history.progress.batch} labels should lower the {what} by {100 * gain:.2g} %"
    law = f"80 % interval of a power law through the {len(history.points)} points"
    return f"{words} ({100 * low:.2g}–{100 * high:.2g} %, the {law})."


def _others(history: History) -> str:
    """What rules other than the plateau say, which the sentence about the next labels does not cover."""
    if history.stop.rule == "plateau":
        return ""
    parts = [part for part in history.stop.sentence.split("; ") if "should lower" not in part and "no law" not in part]
    return "".join(f" {_sentence(part, history.wrong)}." for part in parts if part)


def _sentence(text: str, wrong: str) -> str:
    """A rule's words with a capital, and with the error it means: gains are those of the squared error."""
    error = f"the {wrong or 'squared error'}"
    text = text.replace("the error", error).replace("mse is", f"{error} is" if wrong else "mse is")
    text = text.replace("rmse is", "the root mean squared error is")
    return text[:1].upper() + text[1:]
