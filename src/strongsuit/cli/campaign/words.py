"""A campaign in words: what was asked, what came back, where it stands, the whole story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from strongsuit.cli.campaign.options import same

_CURVES = {"audit": "on random rows that nobody trained on", "cross_validated": "cross-validated on the labelled rows"}


def clock(stamp: str) -> str:
    """A time of the journal as a clock here shows it; with its date if that is not today."""
    here = datetime.fromisoformat(stamp).astimezone()
    today = here.date() == datetime.now().astimezone().date()
    return here.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def target_words(settings: Mapping[str, Any]) -> str:
    """The column to fill in, with what may stand there."""
    target = settings["target"]
    names = [target["name"]] if isinstance(target["name"], str) else target["name"]
    said = " and ".join(f'"{name}"' for name in names)
    if target["kind"] == "class":
        return f"{said} ({', '.join(target['classes'])})"
    low, high, unit = target.get("low"), target.get("high"), target.get("unit")
    ends = ["" if end is None else f"{end:g}" for end in (low, high)] if _plain(low, high) else ["", ""]
    span = f"{ends[0]}–{ends[1]}" if all(ends) else f"from {ends[0]}" if ends[0] else f"to {ends[1]}" if ends[1] else ""
    about = ", ".join(one for one in (unit, span) if one)
    return f"{said} ({about})" if about else said


def _plain(*ends: Any) -> bool:
    return all(end is None or isinstance(end, int | float) for end in ends)


def asked(campaign: Any, query: Any, who: str, out: Path | None) -> str:
    """What was handed out to whom, and what to do with it."""
    state, count = campaign.state, len(query)
    strategy = state.rounds[-1]["strategy"] if state.rounds else ""
    by = Counter(query.source)
    parts = [f"{number} {_SOURCES.get(source, source).format(strategy)}" for source, number in by.most_common()]
    head = f"Round {state.round} · {_rows(count)} leased to {who} until {clock(query.until)} · {', '.join(parts)}"
    short = {
        "pool": "No more rows are left.",
        "budget": "The budget allows no more rows.",
        "slate": "The slate has no more rows.",
    }
    lines, more = [head, *([short[query.short]] if query.short else [])], same(campaign.desk.store)
    if out is not None:
        column = f"Fill column {target_words(state.settings)} in {out}, then: "
        return "\n".join([*lines, f"{column}strongsuit campaign tell {campaign.name} {out}{more}"])
    return "\n".join(
        [*lines, f"Answer with: strongsuit campaign tell {campaign.name} KEY=VALUE{more}, or ask with --out"]
    )


_SOURCES = {"model": "by {}", "random": "random", "test": "test", "warmup": "to begin with", "queued": "queued"}


def handed(campaign: Any, done: Any, filled: Any, rejected: Sequence[str]) -> str:
    """What was taken from filled tables."""
    names = ("told", "revised", "skipped", "failed", "repeated")
    counts = [f"{getattr(done, name)} {name}" for name in names if getattr(done, name)]
    blank = [f"{filled.blank} blank still"] if filled.blank else []
    bad = [f"{len(filled.problems)} rejected, see {', '.join(rejected)}"] if filled.problems else []
    said = " · ".join([", ".join([*(counts or ["nothing new"]), *blank, *bad]), f"journal position {done.position}"])
    return f"{said}\nNext: strongsuit campaign ask {campaign.name} --out suggested.csv{same(campaign.desk.store)}"


def about_row(key: str, facts: Mapping[str, Any]) -> str:
    """The history of a row."""
    label = facts["label"]
    head = f"{key} · row {facts['row']} · {facts['state']}{' (revised)' if facts['revised'] else ''}"
    lines = [head + (f" · {_value(label['value'])}" if label else "")]
    lines += [f"Why: {facts['why']}"] if facts["why"] else []
    for one in facts["history"]:
        more = {name: value for name, value in one.items() if name not in ("position", "at", "by", "kind", "chosen")}
        words = ", ".join(f"{name} {_value(value)}" for name, value in more.items() if value not in (None, "", False))
        lines.append(
            f"  {one['position']:>6}  {one['at'][:16].replace('T', ' ')}  {one['by']:<12} {one['kind']:<9} {words}"
        )
    return "\n".join(lines)


def status_lines(facts: Mapping[str, Any], state: Any) -> list[str]:
    """Where the campaign stands, in a few lines."""
    target = facts["target"]["name"]
    names = target if isinstance(target, str) else " and ".join(target)
    opened = "open" if facts["open"] else "closed"
    pool = f"pool {facts['rows']:,} rows ({facts['pool']})"
    head = f'{facts["name"]} · {facts["task"]} "{names}" · {opened} · {pool} · journal position {facts["position"]}'
    return [head, _states(facts), _money(facts, state), *_curve(facts), *_disputes(facts)]


def _states(facts: Mapping[str, Any]) -> str:
    counts, revised = facts["states"], facts["revised"]
    said = [f"labelled {counts['labelled']}" + (f" ({revised} revised)" if revised else "")]
    said.append(f"pending {counts['pending']}{_holders(facts['leases'])}")
    said += [f"{name} {counts[name]:,}" for name in ("skipped", "failed", "excluded", "unlabelled")]
    return "  ".join(said)


def _holders(leases: Sequence[Mapping[str, Any]]) -> str:
    if not leases:
        return ""
    people = Counter(one["to"] for one in leases)
    said = []
    for who, count in people.items():
        until = max(one["until"] for one in leases if one["to"] == who)
        over = all(one["over"] for one in leases if one["to"] == who)
        said.append(f"{who} {count}, {'ran out' if over else 'until ' + clock(until)}")
    return f" ({'; '.join(said)})"


def _money(facts: Mapping[str, Any], state: Any) -> str:
    cost = facts["cost"]
    limit = "" if cost["limit"] is None else f" of {cost['limit']:g}"
    said = f"cost {cost['spent']:g}{limit} {cost['unit']} spent, {cost['committed']:g} committed"
    strategy = state.rounds[-1]["strategy"] if state.rounds else state.settings["recipe"].get("strategy", "none")
    return f"{said}     strategy {strategy}{_guard(facts['guard'])}"


def _guard(guard: Mapping[str, Any] | None) -> str:
    """The guard's state, and its last verdict if it has looked."""
    if not guard or not guard.get("state"):
        return ""
    words = {"trial": "on trial beside random rows", "trusted": "trusted by its guard",
             "random": "given up for random rows, which did better", "off": "unguarded"}  # fmt: skip
    verdict = guard.get("verdict")
    return f", {words.get(guard['state'], guard['state'])}" + (f": {verdict['text']}" if verdict else "")


def _curve(facts: Mapping[str, Any]) -> list[str]:
    curve = facts["curve"]
    if not curve:
        return ["No learning curve yet: it needs 20 labels and a round after them."]
    now = curve[-1]
    line = f"{now['metric']} {_point(now)}"
    if len(curve) > 1:
        line += f"; was {_point(curve[-2])}"
    coming = (now["advice"] or {}).get("next")
    if coming:
        fall = [f"{-coming[name]:+.3g}".replace("-", "−") for name in ("gain", "high", "low")]
        line += f"      next {coming['labels']} labels: about {fall[0]} [{fall[1]}, {fall[2]}]"
    return [line, f"Advice: {(now['advice'] or {}).get('text', 'none')}"]


def _point(one: Mapping[str, Any]) -> str:
    span = "" if one["low"] is None else f" [{one['low']:.3g}, {one['high']:.3g}]"
    return f"{one['value']:.3g}{span} at {one['labels']} labels"


def _disputes(facts: Mapping[str, Any]) -> list[str]:
    rows = facts["disputed"]
    return [f"Disputed: rows {', '.join(map(str, rows[:10]))}; an owner's answer settles them."] if rows else []


def report_of(facts: Mapping[str, Any], state: Any) -> str:
    """The campaign as a page of Markdown."""
    page = [f"# {facts['title']}", "", *("    " + line for line in status_lines(facts, state)), "", "## Rounds", ""]
    page += _grid(("round", "rows", "strategy", "model", "guard", "seconds", "dropped"), [
        (one["round"], one["size"], one["strategy"], one["model"], one["guard"].get("state", ""),
         f"{one['seconds']:.1f}", len(one["dropped"])) for one in facts["rounds"]
    ])  # fmt: skip
    page += ["", "## Learning curve", ""]
    page += _grid(("labels", "error", "interval", "test rows", "how"), [
        (one["labels"], f"{one['value']:.4g}", "" if one["low"] is None else f"{one['low']:.4g} to {one['high']:.4g}",
         one["n_test"], _CURVES.get(one["method"], one["method"])) for one in facts["curve"]
    ])  # fmt: skip
    page += ["", "## People", ""]
    page += _grid(("who", "answers", "gold rows", "agreement", "error"), [
        (who, one["answers"], one["gold"], _number(one["agreement"]), _number(one["error"]))
        for who, one in facts["annotators"].items()
    ])  # fmt: skip
    failed = [
        (row, one.attempt, "yes" if one.final else one.retry_at, one.reason) for row, one in state.failures.items()
    ]
    return "\n".join([*page, "", "## Failures", "", *_grid(("row", "attempts", "final", "reason"), failed)])


def _grid(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return ["None."]
    lines = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names), *(f"| {' | '.join(line)} |" for line in lines)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rows(count: int) -> str:
    return f"{count} {'row' if count == 1 else 'rows'}"
