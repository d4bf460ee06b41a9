"""The picture of a campaign: every point, decision and round is drawn, and drawn without a warning."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from strongsuit.active.history import BY_AUDIT, History, Point, Round
from strongsuit.active.progress import Check, Law, Progress
from strongsuit.active.stopping import Stop
from strongsuit.plots import draw_progress

STATES = ["trial"] * 3 + ["trusted"] * 2 + ["random"] * 2


def history(scale: float = 1.0, states: list[str] = STATES) -> History:
    labels = np.array([40, 60, 90, 130, 160])
    error = scale * labels**-0.5
    points = tuple(Point(int(n), e, 0.9 * e, 1.1 * e) for n, e in zip(labels, error, strict=True))
    checks = tuple(Check(int(n), np.full(50, e**2)) for n, e in zip(labels, error, strict=True))
    random = {"trial": 10, "trusted": 2, "random": 20}
    rounds = tuple(Round(i + 1, 40 + 20 * i, 20, random[state], state) for i, state in enumerate(states))
    progress = Progress(40, 20, 160, checks=checks)
    return History(
        BY_AUDIT, "", points, rounds, progress, Law(1.0, 0.8, 1.2), (0.1, 0.08, 0.12), Stop(False, "plateau")
    )


def texts(figure) -> str:
    found = [one.get_text() for ax in figure.axes for one in [*ax.texts, *ax.get_legend().get_texts()]]
    return " | ".join([*found, *(ax.get_title(loc="left") for ax in figure.axes)])


def drawn(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_curve_law_decisions_and_shares_are_there() -> None:
    figure = draw_progress(history(), target="price in $", goal=0.09)
    top, bottom = figure.axes
    words = texts(figure)
    assert "trusted" in words and "random from here" in words and "back on trial" not in words
    assert "50 random rows that no choice saw" in words and "goal" in words and "power law" in words
    law = max(
        (line for line in top.get_lines() if line.get_label() == "power law"), key=lambda one: len(one.get_xdata())
    )
    np.testing.assert_allclose(law.get_ydata(), np.asarray(law.get_xdata()) ** -0.5, rtol=1e-9)
    heights = np.array([patch.get_height() for patch in bottom.patches])
    np.testing.assert_array_equal(heights.reshape(2, -1)[1], [10, 10, 10, 2, 2, 20, 20])
    np.testing.assert_array_equal(heights.reshape(2, -1).sum(0), 20)
    assert drawn(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_any_scale_is_drawn(scale: float) -> None:
    assert drawn(draw_progress(history(scale, ["trial"] * 4)))


def test_what_is_not_known_is_not_drawn() -> None:
    bare = replace(history(), rounds=(), law=None, gain=None)
    figure = draw_progress(bare)
    assert len(figure.axes) == 1 and "power law" not in texts(figure)
    empty = replace(
        bare, points=(), why="a learning curve needs 20 labelled rows, there are 6", rounds=history().rounds
    )
    figure = draw_progress(empty)
    assert any("needs 20 labelled rows" in one.get_text() for one in figure.axes[0].texts) and drawn(figure)
