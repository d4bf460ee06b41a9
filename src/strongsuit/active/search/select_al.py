"""SelectAL: the budget's regime, told by which labelled rows the model would miss most, names the strategy.

Hacohen and Weinshall 2023 (NeurIPS). The models that miss rows are fitted beside the committee (`removals`).
"""

from __future__ import annotations

from dataclasses import replace

from strongsuit.active.evidence import Evidence
from strongsuit.active.removals import KINDS
from strongsuit.active.search.turns import flags_of
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core.keys import Key, key_for

TOO_FEW = "too_few_to_remove"
LOW = KINDS.index("typical")  # the regime of few labels


def select_al(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The batch of one part: of three, the one whose regime is that of the removal which hurts most.

    The parts are those for when models miss random rows most, typical ones (few labels), and odd ones (many). With too
    few labels to remove any, the one for few labels.
    """
    told = evidence.removed is not None
    losses = evidence.removed.mean(1) if told else []
    regime = int(losses.argmax()) if told else LOW
    part, reason = parts[regime], "" if told else TOO_FEW
    chosen = propose(key_for(key, part.name), part, evidence, b)
    facts = {
        "strategy": part.name, "regime": KINDS[regime],
        "losses": dict(zip(KINDS, map(float, losses), strict=told)), "reason": reason,
    }  # fmt: skip
    return replace(chosen, degraded=flags_of(reason, chosen.degraded), facts=facts)
