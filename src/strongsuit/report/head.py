"""The top of the page: the verdict in a sentence, the figures behind it, and what to be wary of."""

from __future__ import annotations

from strongsuit.partition.describe_values import Description
from strongsuit.partition.describe_words import counted, percent
from strongsuit.report.page import text


def head_section(description: Description, title: str) -> str:
    """Verdict, diagnosis, key figures and warnings."""
    return (
        f"<h1>{text(title)}: active partitioning</h1>"
        f'<p class="verdict">{text(description.verdict)}</p>'
        f'<p class="diagnosis">{text(description.diagnosis)}</p>{_facts(description)}{_warnings(description)}'
    )


def _facts(description: Description) -> str:
    loss = {line.name: line.relative.value for line in description.losses}
    targets = ", ".join(description.targets)
    plural = "" if len(description.targets) == 1 else "s"
    facts = [
        ("Rows", f"{description.rows}", f"{counted(len(description.names), 'feature')}; target{plural} {targets}"),
        ("Regimes", f"{description.regimes}", f"of {description.found} found"),
        ("Loss of the model", percent(loss["deployed"]), f"of the variance; one model {percent(loss['single'])}"),
    ]
    if description.deployed or description.reason == "gain_too_small":
        change = ("+" if description.gain < 0 else "") + percent(-description.gain)
        facts.append(("Change of loss", change, "against one model, decision cross-fitted"))
    if description.gate is not None:
        gate = description.gate
        facts.append(("Gate accuracy", percent(gate.accuracy), f"largest regime {percent(gate.majority)}"))
        mean = description.stability["mean"]
        if mean == mean:
            facts.append(("Stability", f"{mean:.2f}", "adjusted Rand index of restarts"))
    cells = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}<small>{text(more)}</small></dd></div>"
        for name, value, more in facts
    )
    return f'<dl class="facts">{cells}</dl>'


def _warnings(description: Description) -> str:
    if not description.warnings:
        return ""
    items = "".join(f"<li>{text(one)}</li>" for one in description.warnings)
    return f'<aside class="warnings" aria-label="Warnings"><h2>Before you trust it</h2><ul>{items}</ul></aside>'
