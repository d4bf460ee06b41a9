"""What a learner predicts, and the strategy that suits it where none is named."""

from __future__ import annotations

from typing import Any

from strongsuit.active.choice import Choice, has_kernel
from strongsuit.active.strategies import CLASSIFICATION, REGRESSION

DEFAULT, START_STRATEGY = "qbc_gsxy", "lcmd_x"
CLASS_DEFAULT = "wide_herding"


def default_strategy(learner: Any) -> str:
    """The strategy that suits what the learner shows: gradients or the kernel of a process, or nothing but answers.

    Gradient features of forests, boosting and ridge are there for whoever names a strategy; LCMD on the inputs was as
    good or better (three made problems, 20 to 160 labels). Rows beyond the labelled ones share the outermost leaves
    and so look alike to trees.
    """
    if task_of(learner) == CLASSIFICATION:
        return CLASS_DEFAULT
    if isinstance(learner, Choice) or has_kernel(learner) or (learner.traceable and hasattr(learner, "sketch")):
        return DEFAULT
    return START_STRATEGY


def task_of(learner: Any) -> str:
    """Whether a learner, or a choice of them, predicts numbers or classes."""
    one = learner.learners[0] if isinstance(learner, Choice) else learner
    return CLASSIFICATION if getattr(one, "classifies", False) else REGRESSION
