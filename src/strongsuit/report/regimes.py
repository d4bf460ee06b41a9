"""The regimes in words and on a map."""

from __future__ import annotations

import numpy as np

from strongsuit.partition.describe_values import Description, Interval, Portrait, RangeLine, RegimeLine, TypicalRow
from strongsuit.partition.describe_words import number, percent
from strongsuit.partition.discover import Partitioned
from strongsuit.plots.maps import draw_map, shares_places
from strongsuit.report.page import Section, figure_number, folded, paragraph, picture, regime_name, table, text

RANGES_SHOWN = 6
DIFFERENCES_SHOWN = 4
TELLING_DIFFERENCE = 0.2  # standard deviations below which a difference is not worth words
MAPS = {
    "curve": "The rows by regime, the experts within their regimes (dotted where switched off), the single model "
    "(dashed) and the boundary (vertical lines). Grey ground: farther from all rows than an expert may speak.",
    "strip": "The feature that parts the regimes, against the target.",
    "plane": "The two features that part the regimes best.",
    "discriminant": "No two features part the regimes; these mixtures of standardised features do so best.",
}
SHADED = " Shaded: the regime the boundary names; grey: too far from all rows."


def regimes_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """A card for each regime: size, rules, ranges, how it differs, typical rows."""
    if description.found == 1:
        return None
    cards = [
        _card(line, portrait, description)
        for line, portrait in zip(description.table, description.portraits, strict=True)
    ]
    return Section("regimes", "Regimes in words", _about_rules(description) + "\n".join(cards))


def _about_rules(description: Description) -> str:
    rules = description.rules
    if rules is None:
        return ""
    said = (
        f"The rules are those of a decision tree of depth {rules.depth}; it repeats the boundary for "
        f"{percent(rules.fidelity)} of the rows."
    )
    if rules.straight:
        said += (
            f" A straight boundary repeats it better ({percent(rules.straight_fidelity)}): regime 2 where "
            f"<b>{text(rules.straight)}</b>."
        )
    return paragraph(said, "small")


def _card(line: RegimeLine, portrait: Portrait, description: Description) -> str:
    state = '<span class="state on">expert on</span>' if line.speaks else '<span class="state off">single model</span>'
    head = (
        f"<h3>{regime_name(line.regime)} <small>{line.rows} rows, {percent(line.share)}</small> {state} "
        f"<small>{text(line.family) if line.speaks else text(line.words)}</small></h3>"
    )
    parts = [head, _rules(portrait), _differences(portrait), _shift(portrait, line, description)]
    parts += [_ranges(portrait, description), _typical(portrait, description)]
    return f'<article class="card r{(line.regime - 1) % 8 + 1}">{"".join(parts)}</article>'


def _rules(portrait: Portrait) -> str:
    if not portrait.rules:
        return paragraph("No leaf of the rule tree names this regime.", "small")
    items = []
    for i, rule in enumerate(portrait.rules):
        joint = '<span class="or">or</span> ' if i else ""
        items.append(
            f"<li>{joint}<b>{text(rule.words)}</b> <span class=small>covers {percent(rule.covers)} of the regime, "
            f"right for {percent(rule.right)} of its rows</span></li>"
        )
    return f'<ul class="rules">{"".join(items)}</ul>'


def _differences(portrait: Portrait) -> str:
    told = [
        f"{text(name)} {'higher' if gap > 0 else 'lower'} by {number(abs(gap), 2)}"
        for name, gap in portrait.differences[:DIFFERENCES_SHOWN]
        if abs(gap) >= TELLING_DIFFERENCE
    ]
    if not told:
        return ""
    return paragraph(f"Against all other rows, in standard deviations: {'; '.join(told)}.", "small")


def _shift(portrait: Portrait, line: RegimeLine, description: Description) -> str:
    """How far the expert moves the prediction."""
    told = [
        f"{text(name)} by {_signed(gap.value, gap)} in the mean (90 % of rows: {_signed(gap.low, gap)} to "
        f"{_signed(gap.high, gap)})"
        for name, gap in zip(description.targets, portrait.shift, strict=False)
    ]
    if not told or line.shrink == 0:
        return ""
    whose = "The expert" if line.speaks else "The expert, were it on,"
    return paragraph(f"{whose} moves the single model's prediction of {'; '.join(told)}.", "small")


def _signed(value: float, gap: Interval) -> str:
    """A signed number, no finer than the spread of the whole needs."""
    size = max(abs(gap.low), abs(gap.high), 1e-300)
    if abs(value) < 0.005 * size:
        return "0"
    coarse = float(f"{value / size:.2f}") * size
    return ("+" if value > 0 else "") + figure_number(coarse, 3)


def _ranges(portrait: Portrait, description: Description) -> str:
    if not portrait.ranges:
        return ""
    spans = _spans(description)
    rows = [_range_row(line, spans.get(line.feature)) for line in portrait.ranges[:RANGES_SHOWN]]
    head = ("Feature", "", "5 %", "median", "95 %", "from", "to")
    return table(head, rows, caption="Where the features lie in this regime; the bar spans 5 to 95 % of its rows on "
                 "the range of all rows.", words=(0, 1))  # fmt: skip


def _spans(description: Description) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each feature over all regimes."""
    spans: dict[str, tuple[float, float]] = {}
    for portrait in description.portraits:
        for line in portrait.ranges:
            low, high = spans.get(line.feature, (np.inf, -np.inf))
            spans[line.feature] = (min(low, line.lowest), max(high, line.highest))
    return spans


def _range_row(line: RangeLine, span: tuple[float, float] | None) -> tuple[str, ...]:
    if line.levels:
        shares = ", ".join(f"{text(level)} {percent(share)}" for level, share in line.levels)
        return (text(line.feature), shares, "", "", "", "", "")
    cells = tuple(figure_number(v) for v in (line.low, line.middle, line.high, line.lowest, line.highest))
    return (text(line.feature), _strip(line, span), *cells)


def _strip(line: RangeLine, span: tuple[float, float] | None) -> str:
    if span is None or not span[1] > span[0]:
        return ""
    low, middle, high = (100 * (v - span[0]) / (span[1] - span[0]) for v in (line.low, line.middle, line.high))
    bar = (
        f'<i style="left:{low:.1f}%;width:{max(0.0, high - low):.1f}%"></i><b style="left:{min(middle, 99):.1f}%"></b>'
    )
    return f'<span class="strip" aria-hidden="true">{bar}</span>'


def _typical(portrait: Portrait, description: Description) -> str:
    if not portrait.typical:
        return ""
    features = [text(name) for name, _ in portrait.typical[0].cells]
    answers = [f"{text(t)}{what}" for t in description.targets for what in ("", ", expert", ", single")]
    rows = [_typical_row(row) for row in portrait.typical]
    told = table(("Row", *features, *answers), rows, caption="Row numbers count from 1. Five rows that stand for the "
                 "regime, along its main direction; the models have seen them.")  # fmt: skip
    return folded("Five typical rows", told)


def _typical_row(row: TypicalRow) -> tuple[str, ...]:
    cells = [figure_number(v) if isinstance(v, float) else text("missing" if v is None else v) for _, v in row.cells]
    answers = []
    for target, expert, fallback in zip(row.target, row.expert, row.fallback, strict=True):
        answers += [figure_number(target), figure_number(expert), figure_number(fallback)]
    return (str(row.row + 1), *cells, *answers)


def map_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """Where the regimes lie; with one regime only where one feature makes a curve."""
    drawn = draw_map(model, description, X, Y)
    view = description.map
    if drawn is None or view is None:
        return None
    caption = MAPS[view.kind]
    if view.kind == "plane" and len(model.pipeline.columns) <= 2:
        caption += SHADED
    if shares_places(view):
        caption += " Points that share a value are spread a little."
    if len(X) > len(view.rows):
        caption += f" {len(view.rows)} of {len(X)} rows are shown."
    many = f"{description.found} regimes" if description.found > 1 else "one regime"
    alt = f"Scatter plot of {len(view.rows)} rows in {many}: {view.x.label} against {view.y.label}."
    heading = "Map of the regimes" if description.found > 1 else "The data and the model"
    return Section("map", heading, picture(drawn, "map", alt=alt, caption=text(caption)))
