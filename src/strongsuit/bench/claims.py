"""What a benchmark says of a published claim, and how a report shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

REPRODUCED, CONTRADICTED, UNDECIDED, UNTESTED = "reproduced", "contradicted", "undecided", "not run"


@dataclass(frozen=True)
class Tested:
    """A claim, what the records say of it, and the figures behind."""

    name: str
    words: str
    verdict: str
    evidence: str


def claims_table(head: str, found: Sequence[Tested]) -> str:
    """The claims as a Markdown table below a sentence."""
    rows = [f"| {c.name} | {c.words} | {c.verdict} | {c.evidence} |" for c in found]
    return "\n".join([head, "", "| claim | in words | verdict | evidence |", "|---|---|---|---|", *rows])


def plain_claims(found: Sequence[Tested]) -> list[dict[str, str]]:
    """The claims as plain values."""
    return [{"claim": c.name, "words": c.words, "verdict": c.verdict, "evidence": c.evidence} for c in found]
