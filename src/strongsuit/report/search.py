"""How the regimes were found, what that cost, and the settings of the run."""

from __future__ import annotations

from typing import Any

import numpy as np

from strongsuit.partition.describe_values import Contest, Description
from strongsuit.partition.describe_words import counted, number, percent
from strongsuit.partition.discover import Partitioned
from strongsuit.plots.search import draw_history, draw_path
from strongsuit.report.page import Section, figure_number, folded, paragraph, picture, table, text

STARTS = {
    "kmeans_xy": "clusters of features and target",
    "kmeans_x": "clusters of features",
    "residual": "clusters of the single model's errors",
    "random": "at random",
}


def search_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """The number of regimes, the competitions, and one of them step by step."""
    parts = [_path(description), _history(model, description), _contests(description)]
    body = "".join(part for part in parts if part)
    return Section("search", "Competition and number of regimes", body) if body else None


def _path(description: Description) -> str:
    if len(description.path) < 2:
        return ""
    alt = "Judge loss by number of regimes: " + ", ".join(
        f"{point.regimes}: {percent(point.loss)}" for point in description.path
    )
    caption = (
        "The best partition met for each number of regimes, on judge rows that trained no model; band: one standard "
        "error. The simplest partition within one (paired) standard error of the best is chosen."
    )
    return picture(draw_path(description), "path", alt=f"{alt}.", caption=caption)


def _history(model: Partitioned, description: Description) -> str:
    shown = shown_competition(model)
    if shown is None:
        return ""
    first, last = shown.trace[0], shown.trace[-1]
    events = [step.event for step in shown.trace]
    whose = _told(shown.competitor.name, shown.recipe.start, shown.recipe.gate, shown.recipe.sigma)
    chosen = "The competition the chosen partition comes from" if _origin(model) is not None else "The best competition"
    caption = (
        f"{chosen} ({whose}). Top: share of rows each model won; pale: a trial that the judge rows refused. After a "
        "drop the models are numbered anew, so colours name models here, not regimes. Bottom: loss on the judge rows."
    )
    alt = (
        f"Competition from {counted(first.models, 'model')} to {last.models}: {events.count('add')} added, "
        f"{events.count('drop')} dropped, {sum(e.startswith('refused') for e in events)} trials refused."
    )
    return picture(draw_history(shown), "history", alt=alt, caption=text(caption))


def _origin(model: Partitioned) -> Any:
    return None if model.search is None else getattr(model.search.chosen, "origin", None)


def shown_competition(model: Partitioned) -> Any:
    """The competition the chosen partition comes from, else the one of least judged loss, else None."""
    if model.search is None:
        return None
    raced = [one for one in model.search.competitions if one.trace]
    origin = _origin(model)
    if origin is not None:
        own = [one for one in raced if (one.competitor.name, one.recipe) == (origin.competitor.name, origin.recipe)]
        if own:
            return own[0]
    return min(raced, key=lambda one: min(step.loss for step in one.trace), default=None)


def _told(competitor: str, start: str, gate: str, sigma: float) -> str:
    return f"{competitor} models, started by {STARTS.get(start, start)}, {gate} gate, sigma {number(sigma, 2)}"


def _contests(description: Description) -> str:
    if not description.contests:
        return ""
    ordered = sorted(description.contests, key=lambda one: one.loss)
    rows = [_contest_row(one) for one in ordered]
    head = ("Competitors", "start", "gate", "sigma", "models", "judge loss", "added", "dropped", "refused", "")
    caption = "All competitions, best first. Models and loss are those of its best state."
    body = table(head, rows, caption=caption, words=(0, 1, 2, 9))
    return folded(f"All {len(rows)} competitions", body) if len(rows) > 1 else body


def _contest_row(one: Contest) -> tuple[str, ...]:
    return (
        text(one.competitor), text(STARTS.get(one.start, one.start)), text(one.gate), number(one.sigma, 2),
        f"{one.models}", percent(one.loss), f"{one.added}", f"{one.dropped}", f"{one.refused}",
        "chosen" if one.chosen else "",
    )  # fmt: skip


def run_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section:
    """Cost, stability, settings and notes."""
    cost, stable = description.cost, description.stability
    facts = [("processor time", f"{figure_number(cost['seconds'], 3)} s"), ("fits", f"{cost['fits']}")]
    if cost["ratio"] == cost["ratio"]:
        facts.append(("of that, the single model", f"1 / {figure_number(cost['ratio'], 2)}"))
    facts.append(("single model's family", text(description.fallback)))
    if stable["mean"] == stable["mean"]:
        said = f"{number(stable['mean'], 2)} in the mean, {number(stable['min'], 2)} at least"
        facts.append(("agreement of restarts (adjusted Rand index)", said))
    settings = [(text(name), text(value)) for name, value in description.settings.items()]
    body = table(("What", "Value"), facts, caption="", words=(0, 1))
    body += folded("Settings", table(("Setting", "Value"), settings, caption="", words=(0, 1)))
    if description.notes:
        items = "".join(f"<li>{text(note)}</li>" for note in description.notes)
        body += f'{paragraph("Notes:")}<ul class="notes">{items}</ul>'
    return Section("run", "Cost and settings", body)
