"""The guard's evidence row by row, laid out for losses, residuals and the reliability of the gate.

Every number here comes from a pipeline that was trained without the row it speaks of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strongsuit.partition.guard import Evidence
from strongsuit.partition.pipeline import EXPERT, ONE_MODEL, combine
from strongsuit.partition.values import Rows


@dataclass(frozen=True)
class CrossFitted:
    """What the fold pipelines said of the m evidence rows; answers (m, q) are standardised.

    single, gated, oracle and deployed are the four ways to answer; `expert` is the fold's own expert.
    `regime` (m,) is the final regime that stands for the one the fold named, -1 where none does or where the
    fallback had to answer; `named` (m,) is what the final boundary says. `probability` (m,) is the fold
    gate's for the regime it named, `agrees` (m,) whether that is the final boundary's regime, `judged` (m,)
    whether the fold had a gate at all, `brier` (m,) its squared error over all regimes, `reason` (m,) a code.
    """

    Y: np.ndarray
    w: np.ndarray
    units: np.ndarray
    single: np.ndarray
    gated: np.ndarray
    oracle: np.ndarray
    deployed: np.ndarray
    expert: np.ndarray
    regime: np.ndarray
    named: np.ndarray
    probability: np.ndarray
    agrees: np.ndarray
    judged: np.ndarray
    brier: np.ndarray
    reason: np.ndarray

    def __len__(self) -> int:
        return len(self.Y)


def cross_fitted(
    evidence: Evidence,
    rows: Rows,
    named: np.ndarray,
    decisions: Sequence[np.ndarray] | None,
    omega: np.ndarray,
    *,
    regimes: int,
) -> CrossFitted | None:
    """The evidence of `rows` row by row; None without folds.

    named (m,) are the final boundary's regimes; decisions holds for each fold the final regimes (r,) whose
    experts may speak there, best decided without that fold's rows. None: no guard, every expert speaks.
    """
    if not evidence.parts:
        return None
    index = np.concatenate([part[0] for part in evidence.parts])
    blocks = [
        _fold(part, rows, named, None if decisions is None else decisions[f], omega, regimes)
        for f, part in enumerate(evidence.parts)
    ]
    back = np.argsort(index, kind="stable")
    columns = {name: np.concatenate([block[name] for block in blocks])[back] for name in blocks[0]}
    return CrossFitted(rows.Y, rows.w, rows.units, named=named, **columns)


def _fold(part, rows: Rows, named, on: np.ndarray | None, omega, regimes: int) -> dict[str, np.ndarray]:
    index, said, names, soft = part
    every = np.arange(len(index))
    everyone = np.ones(said.experts.shape[1], bool)
    allowed = everyone if on is None else np.array([k >= 0 and bool(on[k]) for k in names], bool)
    loss = np.nan_to_num(((rows.Y[index][:, None] - said.experts) ** 2) @ omega, nan=np.inf)
    final = names[said.regime]
    probabilities = np.zeros((len(index), regimes))
    for own, name in enumerate(names):
        if name >= 0:
            probabilities[:, name] += said.probabilities[:, own]
    truth = np.eye(regimes)[named[index]]
    return {
        "single": said.fallback,
        "gated": combine(said, everyone, soft=soft)[0],
        "oracle": said.experts[every, loss.argmin(1)],
        "deployed": combine(said, allowed, soft=soft)[0],
        "expert": said.experts[every, said.regime],
        "regime": np.where(said.reason == EXPERT, final, -1),
        "probability": said.probabilities[every, said.regime],
        "agrees": final == named[index],
        "judged": said.reason != ONE_MODEL,
        "brier": ((probabilities - truth) ** 2).sum(1),
        "reason": said.reason,
    }
