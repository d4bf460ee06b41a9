"""The report is one page that stands alone, is well formed, and says what the description says."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strongsuit import plots
from strongsuit.errors import StoreError
from strongsuit.partition.describe import describe
from strongsuit.partition.describe_values import Interval
from strongsuit.partition.values import Config, Step
from strongsuit.plots.style import PALETTE, VARIABLES, literal, new_figure, svg
from strongsuit.report import report_html, write_report
from strongsuit.report.page import figure_number, reach, table
from strongsuit.report.search import shown_competition

_spec = importlib.util.spec_from_file_location("examples", Path(__file__).with_name("partitioned_examples.py"))
examples = importlib.util.module_from_spec(_spec)
sys.modules["examples"] = examples
_spec.loader.exec_module(examples)

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Reads a page: balance of tags, ids, headings, texts and attributes."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.tags, self.links, self.text, self.labels = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).replace("\u00a0", " ").split())


def built(example, *, title="Steel", **changed):
    said = describe(example.model, example.X, example.Y, example.names, **({"evidence": example.evidence} | changed))
    return said, report_html(example.model, said, example.X, example.Y, title=title)


CASES = {
    "two": lambda: examples.example(),
    "curve": lambda: examples.example(d=1),
    "curve, outputs": lambda: examples.example(d=1, q=2),
    "three, outputs": lambda: examples.example(regimes=3, q=3, n=240),
    "one": lambda: examples.example(regimes=1, d=2),
    "one, curve": lambda: examples.example(regimes=1, d=1),
    "unguarded": lambda: examples.example(config=Config(folds=3, guard=False)),
    "paper": lambda: examples.example(config=Config(folds=3, mode="paper", guard=False)),
    "noise": lambda: examples.example(noise=20.0),
}


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def case(request):
    example = CASES[request.param]()
    return example, *built(example)


def test_the_page_is_well_formed_and_stands_alone(case):
    _, said, text = case
    page = Page(text)
    assert len(page.ids) == len(set(page.ids)), "ids are unique over all figures"
    outside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert not outside, outside
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not re.search(r"@import|url\((?!#)|<script|<link|https?://(?!www\.w3\.org)", text)
    assert all(f"url(#{found}" not in text or found in page.ids for found in re.findall(r"url\(#([^)]+)\)", text))
    assert said.verdict.replace("<", "&lt;") in text.replace("\u00a0", " ")


def test_the_verdict_comes_first(case):
    _, said, text = case
    page = Page(text)
    assert page.words.index(said.verdict) < page.words.index(said.diagnosis)
    assert [tag for tag, _ in page.tags if tag in ("h1", "h2", "p")][:2] == ["h1", "p"]


def test_the_page_serves_who_cannot_see_it_and_both_themes(case):
    _, _, text = case
    page = Page(text)
    assert dict(page.tags[0][1]) == {"lang": "en"} and page.tags[0][0] == "html"
    for tag, attrs in page.tags:
        if tag == "svg":
            assert attrs.get("role") == "img" and len(attrs["aria-label"]) > 20
        if tag == "th":
            assert attrs.get("scope") in ("row", "col")
    assert "prefers-color-scheme:dark" in text and "@media print" in text and 'name="viewport"' in text
    for block in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        assert not re.search("|".join(VARIABLES), block), "every colour follows the theme"
        assert not re.search(r"(stroke|fill): #000000", block)


def test_every_figure_is_xml(case):
    _, _, text = case
    blocks = re.findall(r"<svg.*?</svg>", text, flags=re.S)
    assert blocks
    for block in blocks:
        ET.fromstring(block.replace("<svg", '<svg xmlns:xlink="http://www.w3.org/1999/xlink"', 1))


def test_the_numbers_are_those_of_the_description(case):
    _, said, text = case
    words = Page(text).words
    for line in said.losses if said.found > 1 else said.losses[2:3]:
        assert line.words in words
    for line in said.table if said.found > 1 else ():
        assert f"Regime {line.regime} {line.rows} rows" in words
    for portrait in said.portraits:
        for rule in portrait.rules:
            assert rule.words in words
    for warning in said.warnings:
        assert warning in words
    for anchor in ("losses", "residuals", "search", "run"):
        assert f'id="{anchor}"' in text
    for anchor in ("regimes", "guard", "gate"):
        assert (f'id="{anchor}"' in text) == (said.found > 1)


def test_a_name_is_never_markup_or_mathematics():
    example = examples.example(d=2)
    names = ('<b>$x_1$</b> & "co"', "a" * 300)
    said = describe(
        example.model, example.X, example.Y, names, targets=("<script>alert(1)</script> $\\alpha",),
        evidence=example.evidence,
    )  # fmt: skip
    text = report_html(example.model, said, example.X, example.Y, title="<i>T</i> $")
    assert "<script" not in text and "<b>$x" not in text and "<i>T" not in text
    page = Page(text)
    assert '<b>$x_1$</b> & "co" ≤' in page.words


def test_missing_glyphs_do_not_warn():
    example = examples.example(d=1)
    said = describe(example.model, example.X, example.Y, ("温度",), evidence=example.evidence)
    assert "温度" in report_html(example.model, said, example.X, example.Y, title="表")


def test_the_same_run_gives_the_same_page():
    example = examples.example()
    assert built(example)[1] == built(example)[1]


def test_without_evidence_the_page_says_whose_residuals_it_shows():
    example = examples.example()
    said, text = built(example, evidence=None)
    assert not said.held_out
    assert "rows the model was trained on, so they flatter it" in Page(text).words
    assert "on rows the boundary was trained on" in Page(text).words


def test_a_model_read_back_from_disk_still_reports():
    example = examples.example()
    bare = replace(example, model=replace(example.model, search=None))
    _, text = built(bare, evidence=None)
    assert 'id="search"' not in text and 'id="guard"' in text


def test_too_few_rows_to_leave_out():
    example = examples.example(regimes=1)
    nothing = (float("nan"), float("nan"))
    losses = replace(example.model.losses, single=nothing, gated=nothing, oracle=nothing, deployed=nothing)
    losses = replace(losses, per_output=np.full((4, 1), np.nan))
    said, text = built(replace(example, model=replace(example.model, losses=losses)), evidence=None)
    assert "no loss is known" in Page(text).words and "no loss on unseen rows" in said.diagnosis


def test_many_rows_and_targets_stay_below_two_megabytes():
    example = examples.example(n=30_000, d=6, q=4, regimes=3)
    _, text = built(example)
    assert len(text.encode()) < 2_000_000
    assert "more target not drawn" in Page(text).words


def test_typical_rows_show_levels_and_missing_cells():
    example = examples.example()
    frame = pd.DataFrame(example.X, columns=["x1", "x2", "x3"])
    frame["x2"] = frame["x2"].where(frame["x2"] > 0)
    said = describe(example.model, example.X, example.Y, example.names, frame=frame, evidence=example.evidence)
    words = Page(report_html(example.model, said, example.X, example.Y, title="t")).words
    assert any(value is None for p in said.portraits for row in p.typical for _, value in row.cells)
    assert " missing " in words


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    example = examples.example(d=1)
    said, text = built(example)
    path = write_report(tmp_path / "new" / "report.html", example.model, said, example.X, example.Y, title="Steel")
    assert path.read_text(encoding="utf-8") == text
    assert [child.name for child in path.parent.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        write_report(tmp_path / "file" / "report.html", example.model, said, example.X, example.Y, title="Steel")


# figures


def test_no_figure_touches_pyplot():
    root = Path(plots.__file__).parent
    assert not [path.name for path in root.glob("*.py") if "matplotlib.pyplot" in path.read_text(encoding="utf-8")]


def test_forest_plot_shows_gain_margin_and_decision():
    example = examples.example()
    said = describe(example.model, example.X, example.Y, example.names, evidence=example.evidence)
    ax = plots.draw_gains(said).axes[0]
    points = [line for line in ax.lines if line.get_marker() == "D"]
    assert sorted(float(line.get_xdata()[0]) for line in points) == pytest.approx(
        sorted(100 * line.relative_gain.value for line in said.table)
    )
    assert any(list(line.get_xdata()) == [0.0, 0.0] for line in ax.lines), "the margin"


def test_history_shows_who_won_what():
    competition = examples.competition(2)
    top, bottom = plots.draw_history(competition).axes
    heights = sorted(round(bar.get_height(), 6) for bar in top.patches if bar.get_height() > 0)
    expected = sorted(round(s / sum(step.sizes), 6) for step in competition.trace for s in step.sizes)
    assert heights == expected
    assert [text.get_text() for text in bottom.get_legend().get_texts()] == ["added", "dropped", "tried, refused"]


def test_a_long_history_is_drawn_too():
    trace = tuple(Step(i, "pass", 2, 0.5 / (i + 1), 0.1, (100 + i, 300 - i)) for i in range(200))
    figure = plots.draw_history(replace(examples.competition(2), trace=trace))
    assert "<svg" in svg(figure, "h", "a history of two hundred epochs")


def test_the_competition_shown_is_the_one_that_was_chosen():
    example = examples.example()
    better = replace(
        examples.competition(2), competitor=replace(examples.competition(2).competitor, name="other"),
        trace=(Step(0, "start", 2, 0.01, 1.0, (10, 10)),),
    )  # fmt: skip
    search = replace(example.model.search, competitions=(examples.competition(2), better))
    assert shown_competition(replace(example.model, search=search)) is better
    assert shown_competition(replace(example.model, search=None)) is None


def test_curves_show_boundary_experts_and_far_ground():
    example = examples.example(d=1)
    said = describe(example.model, example.X, example.Y, example.names, evidence=example.evidence)
    figure = plots.draw_map(example.model, said, example.X, example.Y)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["regime 1", "regime 2", "single model", "expert 1", "expert 2", "far from all rows"]
    upright = [line.get_xdata()[0] for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1]
    assert upright == pytest.approx([0.0], abs=0.01)


def test_coordinates_are_shortened_but_numbers_in_texts_are_not():
    figure, axes = new_figure(3, 2)
    axes[0, 0].plot([0, 1], [0, 1], color=PALETTE[0])
    axes[0, 0].set_title("0.041259 %")
    text = svg(figure, "n", "a small line")
    assert "0.041259 %" in text and "var(--regime-1)" in text
    assert not re.search(r' d="[^"]*\d\.\d{3}', text)


def test_user_names_in_figures_are_literal():
    assert literal("a$b$") == r"a\$b\$"
    assert len(literal("x" * 99)) == 44


def test_numbers_in_html():
    assert figure_number(1.5e-7) == "1.5 × 10<sup>−7</sup>"
    assert reach(Interval(2e-4, 1e-4, 3e-4)) == ("2 <span class=reach>[1, 3]</span> × 10<sup>−4</sup>")
    assert reach(Interval(0.5)) == "0.5"
    assert '<th scope="row">a</th><td class="num">1</td>' in table(("k", "v"), [("a", "1")], caption="c")
