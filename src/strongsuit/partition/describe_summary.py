"""The description as plain text for a terminal: at most 25 lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from strongsuit.partition.describe_values import Description, LossLine, RegimeLine, Rule
from strongsuit.partition.describe_words import number, percent

LINES = 25
WIDTH = 100
REGIMES_SHOWN = 5
WARNINGS_SHOWN = 3
RULES_SHOWN = 2
# Terminals and logs with a narrow character set must not make a finished run fail.
ASCII = str.maketrans({"≤": "<=", "²": "^2", "−": "-", "–": "-", "…": "...", "×": "x"})


def summary_text(description: Description) -> str:
    """Verdict, losses, regimes and warnings in at most 25 plain lines."""
    lines = [*_wrapped(description.verdict), ""]
    shown = description.losses if description.found > 1 else [description.losses[2]]
    lines += [_loss_line(line, description) for line in shown]
    if description.found > 1:
        lines += ["", *_wrapped(description.diagnosis), "", *_regimes(description)]
    warnings = [line for text in description.warnings[:WARNINGS_SHOWN] for line in _wrapped(f"! {text}")]
    room = LINES - 1 - len(lines)
    lines += warnings if len(warnings) <= room else [*warnings[: max(0, room - 1)], "! more in the report"]
    lines.append(_cost(description))
    return "\n".join(lines[:LINES]).translate(ASCII)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def _loss_line(line: LossLine, description: Description) -> str:
    relative = line.relative
    reach = f"{percent(relative.value)} of the variance [{percent(relative.low)}, {percent(relative.high)}]"
    units = ""
    if len(line.per_target) == 1:
        units = f"  = {number(line.per_target[0].value)} {description.targets[0]}²"
    return f"  {line.name:<9}{reach}{units}"


def _regimes(description: Description) -> list[str]:
    lines = []
    for case, portrait in list(zip(description.table, description.portraits, strict=True))[:REGIMES_SHOWN]:
        text = f"Regime {case.regime}: {_rule_words(portrait.rules)}"
        lines.append(textwrap.shorten(text, WIDTH, placeholder=" ..."))
        lines.append(f"  {case.rows} rows ({percent(case.share)}), {_speaker(case)}")
    hidden = description.found - REGIMES_SHOWN
    return [*lines, f"... and {hidden} more in the report"] if hidden > 0 else lines


def _rule_words(rules: Sequence[Rule]) -> str:
    if not rules:
        return "no simple rule"
    rest = len(rules) - RULES_SHOWN
    told = [f"({one.words})" if len(rules) > 1 and " and " in one.words else one.words for one in rules[:RULES_SHOWN]]
    return " or ".join(told) + (f" or {rest} more" if rest > 0 else "")


def _speaker(case: RegimeLine) -> str:
    return f"expert on ({case.family})" if case.speaks else f"single model: {case.words}"


def _cost(description: Description) -> str:
    cost = description.cost
    ratio = f", {number(cost['ratio'], 2)} times the single model" if cost["ratio"] == cost["ratio"] else ""
    return f"{number(cost['seconds'], 3)} s of processor time, {cost['fits']} fits{ratio}"
