"""Pieces of HTML: text that is safe, numbers, tables, figures, and the page around them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from strongsuit.partition.describe_values import Interval
from strongsuit.partition.describe_words import number, percent
from strongsuit.plots.style import svg
from strongsuit.report.look import CSS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GLYPHS = ("●", "■", "▲", "◆", "▼", "✚", "✖", "★")  # the markers of the figures, in their order


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, its heading, its HTML."""

    anchor: str
    heading: str
    body: str


def text(value: object) -> str:
    """The value as text that HTML cannot mistake for markup."""
    return escape(str(value), quote=True)


def figure_number(value: float, digits: int = 4) -> str:
    """A number as HTML, powers of ten raised."""
    plain = number(value, digits)
    mantissa, found, exponent = plain.partition("e")
    return f"{mantissa} × 10<sup>{exponent}</sup>" if found else plain


def _scale_of(value: Interval) -> int:
    """The power of ten that small and large intervals are told in, 0 for the others."""
    largest = max(abs(v) for v in (value.value, value.low, value.high))
    if not math.isfinite(largest) or largest == 0 or 1e-2 <= largest < 1e5:
        return 0
    return math.floor(math.log10(largest))


def reach(value: Interval, *, share: bool = False, digits: int = 3) -> str:
    """A value with its interval in brackets, in percent if it is a share."""
    show = percent if share else lambda x: figure_number(x, digits)
    if value.low != value.low:
        return show(value.value)
    power = 0 if share else _scale_of(value)
    told = value.scaled(10.0**-power)
    ending = f" × 10<sup>{number(power)}</sup>" if power else ""
    return f"{show(told.value)} <span class=reach>[{show(told.low)}, {show(told.high)}]</span>{ending}"


def regime_name(k: int) -> str:
    """`Regime 2` with the colour and marker the figures use (k from 1)."""
    return f'<span class="regime r{(k - 1) % len(GLYPHS) + 1}">{mark(k)} Regime {k}</span>'


def mark(k: int) -> str:
    """The marker of regime k (from 1)."""
    return f'<span class="mark" aria-hidden="true">{GLYPHS[(k - 1) % len(GLYPHS)]}</span>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str, words: Sequence[int] = (0,)) -> str:
    """A table from cells that are HTML already; columns in `words` are text, all others numbers.

    The first cell of a row is its header. Wide tables scroll inside their frame, captions do not.
    """
    kinds = ["" if j in words else ' class="num"' for j in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{cell}</th>' for cell, kind in zip(head, kinds, strict=True))
    lines = []
    for row in rows:
        cells = [f'<th scope="row"{kinds[0]}>{row[0]}</th>']
        cells += [f"<td{kind}>{cell}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    told = f"<figcaption>{caption}</figcaption>" if caption else ""
    label = text(_bare(caption or head[0]))
    return (
        f'<figure class="table"><div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>{told}</figure>"
    )


def picture(drawn: Figure, name: str, *, alt: str, caption: str, wide: bool = True) -> str:
    """A figure with its caption; `alt` is what it shows, in words."""
    size = "" if wide else " narrow"
    return (
        f'<figure class="picture{size}"><div class="scroll" tabindex="0" role="region" aria-label="{text(alt)}">'
        f"{svg(drawn, name, alt)}</div><figcaption>{caption}</figcaption></figure>"
    )


def folded(summary: str, body: str) -> str:
    """A part that opens on a click and is printed open."""
    return f"<details><summary>{summary}</summary>{body}</details>"


def paragraph(content: str, kind: str = "") -> str:
    """A paragraph of HTML."""
    return f'<p class="{kind}">{content}</p>' if kind else f"<p>{content}</p>"


def page(title: str, head: str, sections: Sequence[Section]) -> str:
    """The whole page: no resource outside it, readable in light and dark, on paper and on a telephone."""
    links = "".join(f'<li><a href="#{one.anchor}">{text(one.heading)}</a></li>' for one in sections)
    body = "\n".join(
        f'<section id="{one.anchor}" aria-labelledby="{one.anchor}-h"><h2 id="{one.anchor}-h">{text(one.heading)}'
        f"</h2>\n{one.body}\n</section>"
        for one in sections
    )
    shown = f'<header>{head}</header>\n<nav aria-label="Contents"><ul>{links}</ul></nav>\n<main>\n{body}\n</main>\n'
    shown = shown.replace(" %", "\u00a0%")  # a percent sign never begins a line
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)} – active partitioning</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n"
        f"{shown}<footer>Strongsuit {text(_version())}. All losses are on rows that took no part in the training of "
        "the model they judge, unless said otherwise.</footer>\n</body>\n</html>\n"
    )


def _version() -> str:
    try:
        return version("strongsuit")
    except PackageNotFoundError:
        return ""


def _bare(markup: str) -> str:
    return re.sub(r"<[^>]+>", "", markup)
