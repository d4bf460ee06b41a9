"""Fills the marked places of the pages from the package's own tables, so that no page falls behind.

A page says `<!-- table: NAME -->`; `FILLED` says what stands there.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from strongsuit import cli
from strongsuit.bench.methods import METHODS
from strongsuit.bench.tasks import DEFAULT_TASKS, TASKS
from strongsuit.cli.campaign import VERBS
from strongsuit.datasets import GENERATORS, PUBLIC_SETS

RESULTS = Path(__file__).parent / "results"
_MARK = re.compile(r"<!-- table: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with every marked place filled (a hook of mkdocs)."""
    return _MARK.sub(lambda mark: FILLED[mark.group(1)](), markdown)


def generators() -> str:
    """The laws of `strongsuit generate`."""
    lines = ["| name | regimes | least error | law |", "|---|---:|---:|---|"]
    lines += [f"| `{g.name}` | {g.regimes} | {g.noise_floor:g} | {g.law} |" for g in GENERATORS.values()]
    return "\n".join(lines)


def public_sets() -> str:
    """The sets of `strongsuit datasets`."""
    lines = [
        "| name | rows | targets | rows that stay together | download | source |",
        "|---|---:|---|---|---|---|",
    ]
    for one in PUBLIC_SETS.values():
        cells = [f"`{one.name}`", f"{one.rows:,}", ", ".join(one.targets), ", ".join(one.groups) or "-"]
        cells += ["yes" if one.original else "needs the folder", one.source]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def class_strategies() -> str:
    """The table of strategies for classes."""
    from strongsuit.active.class_strategies import CLASS_STRATEGIES

    lines = ["| name | chooses | source |", "|---|---|---|"]
    lines += [f"| `{s.name}` | {s.words} | {s.source} |" for s in CLASS_STRATEGIES.values()]
    return "\n".join(lines)


def bench_tasks() -> str:
    """The tables of `strongsuit bench run partition`."""
    lines = ["| table | set, target | groups | what it is |", "|---|---|---|---|"]
    for name in DEFAULT_TASKS:
        task = TASKS[name]
        groups = ", ".join(PUBLIC_SETS[task.source].groups) or "-"
        lines.append(f"| `{name}` | {task.source}, {task.target} | {groups} | {task.words} |")
    return "\n".join(lines)


def bench_methods() -> str:
    """The methods of `strongsuit bench run partition`."""
    lines = ["| method | results | what it is |", "|---|---|---|"]
    lines += [f"| `{m.name}` | {', '.join(m.results)} | {m.words} |" for m in METHODS.values()]
    return "\n".join(lines)


def commands() -> str:
    """The help page of every command there is."""
    pages = []
    for name, (module, _) in cli.COMMANDS.items():
        if find_spec(module) is not None:
            pages.append(f"### strongsuit {name}\n\n```text\n{_help(name)}\n```\n")
        for verb in VERBS if name == "campaign" else ():
            pages.append(f"#### strongsuit campaign {verb}\n\n```text\n{_help(name, verb)}\n```\n")
    return "\n".join(pages)


def _help(*words: str) -> str:
    os.environ |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        cli.main([*words, "--help"])
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).strip("\n")


def measured(name: str, key: str = "rows") -> str:
    """The rows of a benchmark's stored result, `docs/results/NAME.json`, as a table."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return "*(not measured yet)*"
    rows = json.loads(path.read_text())[key]
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    lines += ["| " + " | ".join(_cell(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines)


def public() -> str:
    """The report of `strongsuit bench report --json`, stored as `docs/results/public.json`, as two tables."""
    report = _report("public")
    if report is None:
        return "*(not measured yet)*"
    names = list(dict.fromkeys(m for table in report["tables"].values() for m in table["methods"]))
    errors = ["| table | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for name, table in report["tables"].items():
        errors.append(f"| {name} | " + " | ".join(_error(table["methods"].get(m, {}), table) for m in names) + " |")
    said = (
        "Mean test error over the variance of the training targets; * better, ° worse than the deployed model (paired,"
    )
    said += " Holm-adjusted p < 0.05); in brackets the seeds where they differ from the deployed model's."
    return "\n".join([*_verdicts(report), "", *_changes(report), "", said, "", *errors])


def public_other() -> str:
    """The same report of another processor: verdicts and the deployed model alone."""
    report = _report("public_other")
    return "\n".join([*_verdicts(report), "", *_changes(report)]) if report else "*(not measured yet)*"


def _report(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _verdicts(report: dict[str, Any]) -> list[str]:
    return [f"- {'kept' if v['kept'] else '**missed**'}: {v['words']}" for v in report["verdicts"]] + [
        f"- {name}, run by run: better than the single model in {one['better']}, worse in {one['worse']} of "
        f"{one['runs']}; at most {one['most']:+.1%}"
        for name, one in report.get("single_runs", {}).items()
    ]


def _changes(report: dict[str, Any]) -> list[str]:
    lines = [
        "| table | deployed against single | 95 % interval | worst seed | deployed | regimes found | seeds |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for name, table in report["tables"].items():
        c = table["change"]
        lines.append(
            f"| {name} | {c['change']:+.1%} | {c['low']:+.1%} to {c['high']:+.1%} | {c['worst']:+.1%} "
            f"| {c['deployed']:.0%} | {c['found']:.1f} | {c['seeds']} |"
        )
    return lines


def _error(entry: dict[str, Any], table: dict[str, Any]) -> str:
    """One cell: the mean error, its mark, and the seeds if they are not all."""
    if "mean" not in entry:
        return "fails" if entry else "-"
    ours = table["methods"]["strongsuit"]
    mark = "" if entry["p"] >= 0.05 else "*" if entry["mean"] < ours["mean"] else "°"
    seeds = "" if entry["seeds"] == ours["seeds"] else f" ({entry['seeds']})"
    return f"{entry['mean']:.3g}{mark}{seeds}"


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def stored(pages: str, pictures: tuple[tuple[str, str], ...] = ()) -> str:
    """The pages below `docs/results` that reports have written, with those of their pictures (name, words) that
    exist."""
    parts = []
    for path in sorted(RESULTS.glob(pages)):
        there = [(name, words) for name, words in pictures if (path.parent / f"{name}.png").exists()]
        shown = [f"![{words}](results/{path.parent.name}/{name}.png)" for name, words in there]
        parts.append("\n\n".join([path.read_text(), *shown]))
    return "\n\n".join(parts) or "*(not measured yet)*"


_DAL_PICTURES = (("dal_curves", "Test error over labels"), ("dal_pools", "nAUC by strategy and pool size"))
_WEIGHTS = (("autoal", "The weight of each rule over the labels"),)


def campaigns() -> str:
    """The results of `benchmarks/campaign.py` on SQLite and PostgreSQL, side by side."""
    sides = {}
    for name, words in (("sqlite", "SQLite"), ("postgres", "PostgreSQL")):
        path = RESULTS / f"campaign_{name}.json"
        sides[words] = json.loads(path.read_text()) if path.exists() else {}
    lines = ["| what | " + " | ".join(sides) + " |", "|---|" + "---|" * len(sides)]
    for part, words, said in _CAMPAIGNS:
        found = [{key.replace(" ", "_"): value for key, value in one.get(part, {}).items()} for one in sides.values()]
        cells = [said.format(**one) if one else "*(not measured yet)*" for one in found]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


_CAMPAIGNS = (
    ("kills", "processes that ask and tell, killed", "{kills} kills of {processes}: each of {rows:,} rows told once"),
    ("resumed", "one process, killed", "{kills} kills: {rows:,} rows, those of a process that nobody killed"),
    ("writers", "writers without a pause", "{processes} for {seconds:.0f} s: {tells:,} tells, none refused; "
     "half in {p50_ms:.1f} ms, 99 % in {p99_ms:.0f} ms, all in {longest_ms:.0f} ms"),
    ("paced", "a steady rate", "{tells_a_second:.0f} tells a second: half in {p50_ms:.1f} ms, 99 % in {p99_ms:.1f} ms"),
    ("opening", "opening", "{rows:,} rows, {labelled:,} labelled: {open_s:.2f} s, and {status_s:.2f} s for the status"),
    ("replay", "a whole replay", "{events:,} events: {CPU_s:.1f} CPU s"),
)  # fmt: skip

FILLED = {
    "campaigns": campaigns,
    "dal": partial(stored, "dal_*/dal.md", _DAL_PICTURES),
    "classes": partial(stored, "classes_*/classification.md"),
    "searches": partial(stored, "classes_*/autoal.md", _WEIGHTS),
    "public": public,
    "public_other": public_other,
    "recovery": partial(measured, "recovery"),
    "trainer": partial(measured, "trainer"),
    "trainer_wide": partial(measured, "trainer_wide"),
    "contest": partial(measured, "contest"),
    "boundary": partial(measured, "boundary"),
    "whole": partial(measured, "whole"),
    "selection": partial(measured, "selection"),
    "bmdal": partial(measured, "bmdal"),
    "pools": partial(measured, "pools"),
    "search": partial(measured, "search"),
    "queries": partial(measured, "queries", "large"),
    "mixing": partial(measured, "queries", "mixing"),
    "resume": partial(measured, "resume"),
    "generators": generators,
    "class_strategies": class_strategies,
    "public_sets": public_sets,
    "commands": commands,
    "bench_tasks": bench_tasks,
    "bench_methods": bench_methods,
}
