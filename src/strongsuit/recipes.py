"""Names in a configuration -> objects: the composition root of models, and of what a campaign is handed.

The partition wing never imports `learners`; this page hands them in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongsuit.errors import InputError
from strongsuit.partition.values import Competitor

COMPETITORS = ("linear", "polynomial", "fourier")  # bases of the ridge models that bid for rows


def _ridge(basis: str = "linear") -> Any:
    from strongsuit.learners.ridge import Ridge

    return Ridge(basis)


def _mlp() -> Any:
    from strongsuit.learners.mlp import MLP

    return MLP()


def _paper_mlp(widths: tuple[int, ...]) -> Any:
    from strongsuit.learners.mlp import MLP

    return MLP(widths=widths, activation="tanh", learning_rate=5e-3, batch=64, epochs=300, early_stopping=False)


def _gp() -> Any:
    from strongsuit.learners.gp import GP

    return GP(variance=False)  # nobody downstream asks for it, and with many rows it costs more than the mean


def _hgb() -> Any:
    from strongsuit.learners.external import hgb

    return hgb()


def _forest() -> Any:
    from strongsuit.learners.external import random_forest

    return random_forest()


def _softmax() -> Any:
    """On inputs as they come: those of a pool are scaled over all its rows, of which labels are but a few."""
    from strongsuit.learners.softmax import Softmax

    return Softmax(standardise=False)


def _class_mlp() -> Any:
    """A hidden layer of 256 units, trained for at least 100 passes: a stop at 99 % of right training labels alone ends
    too soon with few labels."""
    from strongsuit.learners.mlp_classifier import MLPClassifier

    return MLPClassifier(least_epochs=100, standardise=False)


def _class_forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    from strongsuit.learners.external import External

    return External(RandomForestClassifier(n_estimators=200))


@dataclass(frozen=True)
class Family:
    """A row of the table of learners: how to make it, and what it is, for help texts."""

    make: Callable[[], Any]
    words: str


FAMILIES: dict[str, Family] = {
    "ridge": Family(_ridge, "linear ridge regression, penalty by marginal likelihood"),
    "basis": Family(lambda: _ridge("auto"), "ridge on a linear, polynomial or random Fourier basis"),
    "gp": Family(_gp, "Gaussian process regression"),
    "hgb": Family(_hgb, "histogram gradient boosting (scikit-learn)"),
    "mlp": Family(_mlp, "multi-layer perceptron"),
    "forest": Family(_forest, "random forest (scikit-learn)"),
}
CLASSIFIERS: dict[str, Family] = {
    "softmax": Family(_softmax, "multinomial logistic regression"),
    "mlp": Family(_class_mlp, "a hidden layer of 256 units"),
    "forest": Family(_class_forest, "random forest (scikit-learn)"),
}
AUTO = ("ridge", "basis", "gp", "hgb", "mlp")
LEARNERS = ("auto", *FAMILIES)


def families(name: str, *, mode: str = "held_out") -> tuple[Competitor, ...]:
    """The learners behind a name: those `auto` compares, or the one. In paper mode `auto` is the network
    the published scheme takes for the single model and the experts."""
    if name not in LEARNERS:
        raise InputError(f"learner must be one of {', '.join(LEARNERS)}, got {name!r}")
    if mode == "paper" and name == "auto":
        return (Competitor("mlp", _paper_mlp((32, 32))),)
    names = AUTO if name == "auto" else (name,)
    return tuple(Competitor(n, FAMILIES[n].make()) for n in names)


def active_learner(learner: Any) -> Any:
    """The learner whose committee chooses rows: "auto", a name, a scikit-learn estimator or a Learner.

    "auto" takes the better of a network and a Gaussian process by cross-validation, whenever training begins anew. The
    network is the default one in short training, which is resumed when labels come.
    """
    if not isinstance(learner, str):
        return custom_family(learner)[0].learner
    if learner == "auto":
        from strongsuit.active.choice import Choice

        return Choice((active_network(), _active_gp()), ("networks", "Gaussian process"))
    return _active_gp() if learner == "gp" else families(learner)[0].learner


def active_network() -> Any:
    """The network of a committee that chooses rows."""
    from strongsuit.learners.mlp import MLP

    return MLP(epochs=30, least_steps=2500, most_steps=20000, resume_steps=300, choose_scale=True)


def _active_gp() -> Any:
    """The Gaussian process that chooses rows: with variances, exact up to 3,000 labels, carefully searched."""
    from strongsuit.learners.gp import GP

    return GP(exact_rows=3000, search_rows=600, thorough=True)


def image_classifier(shape: tuple[int, int, int]) -> Any:
    """A small convolutional network for images of this shape; those of one colour, digits mostly, are not mirrored."""
    from strongsuit.learners.cnn import CNN

    return CNN(shape=shape, flip=shape[2] > 1)


def active_strategy(name: str, learner: Any) -> str:
    """The name of a strategy; "auto" is the one that suits what the learner shows."""
    from strongsuit.active.defaults import default_strategy

    return default_strategy(learner) if name == "auto" else name


def active_task(learner: Any, task: str) -> str:
    """The task, which a learner that is no name decides: "auto" stays only where the labels must tell."""
    if isinstance(learner, str):
        return task
    from strongsuit.active.defaults import task_of

    own = task_of(active_learner(learner))
    if task not in ("auto", own):
        raise InputError(f"{type(learner).__name__} is a learner for {own}, and the task is {task}: name another one")
    return own


def find_active(learner: Any, strategy: str, task: str, *, multi_label: bool = False) -> tuple[Any, str]:
    """The learner and the name of the strategy for a task, or InputError with the names there are; with `multi_label`
    the classifier answers for each label apart."""
    from strongsuit.active.strategies import CLASSIFICATION, find_strategy

    found = active_classifier(learner) if task == CLASSIFICATION else active_learner(learner)
    if multi_label and not getattr(found, "multi_label", False):
        from strongsuit.learners.binary_relevance import BinaryRelevance

        found = BinaryRelevance(found)
    name = active_strategy(strategy, found)
    return found, find_strategy(name, task).name


def custom_family(estimator: Any) -> tuple[Competitor, ...]:
    """A scikit-learn estimator, or a Learner of the user's own, as the only family."""
    from strongsuit.learners.external import External

    learner = estimator if hasattr(estimator, "traceable") else External(estimator)
    return (Competitor(type(estimator).__name__, learner),)


def competitors() -> tuple[Competitor, ...]:
    """The models that compete for rows by default."""
    return tuple(Competitor(basis, _ridge(basis)) for basis in COMPETITORS)


def paper_competitor() -> Competitor:
    """The small network that competes in paper mode (our choice of size; the papers print none)."""
    return Competitor("mlp", _paper_mlp((16, 16)))


def settler() -> Any:
    """The learner that stands for a regime while a partition comes to rest."""
    return _ridge("auto")


def active_classifier(learner: Any) -> Any:
    """The classifier that chooses rows: "auto", a name of CLASSIFIERS, a scikit-learn classifier or a Learner."""
    if not isinstance(learner, str):
        return custom_family(learner)[0].learner
    name = "softmax" if learner == "auto" else learner
    if name not in CLASSIFIERS:
        raise InputError(f"a classifier must be one of auto, {', '.join(CLASSIFIERS)}, got {learner!r}")
    return CLASSIFIERS[name].make()


def proposer(
    created: Any,
    *,
    pool: Any = None,
    source: str | Path | None = None,
    progress: Callable[[str, float], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Any:
    """What chooses rows for a campaign, by its `Created` event or its settings: a process of its own for each proposal.

    Strategy, learner, start and guard are those that the settings name when rows are wanted. `pool` is needed where it
    came as a frame, `source` where its file has moved. `progress` hears of stages; once `stopped` says yes the process
    is killed.
    """
    from strongsuit.campaign.child import ChildProposer

    settings = created if isinstance(created, Mapping) else {"pool": created.pool}
    given = {name: one for name, one in (("progress", progress), ("stopped", stopped)) if one is not None}
    handout = None
    if settings["pool"].get("format") == "frame":
        if pool is None:
            raise InputError("the campaign's pool came as a frame: give `pool`, or keep pools in files")
        handout = pool.write_to
    extra = {} if source is None else {"source": str(Path(source).resolve())}
    command = (sys.executable, "-m", "strongsuit.proposals")
    return ChildProposer(command, extra=extra, handout=handout, **given)


def campaign_pool(settings: Mapping[str, Any], source: str | Path | None = None, *, check: bool = False) -> Any:
    """The pool of a campaign's settings, from its own file or another `source` with the same rows.

    Of a file whose size and time of change are those of the journal the content is not hashed again, unless `check`.
    Raises PoolMismatch for other rows, InputError where there is no such file.
    """
    from strongsuit.campaign.steering import mismatch
    from strongsuit.datasets.pools import IGNORE, TARGET, read_pool
    from strongsuit.errors import PoolMismatch

    known = settings["pool"]
    place = known["uri"] if source is None else source
    if source is None and (known.get("format") == "frame" or not Path(place).exists()):
        raise InputError(f"the pool {place} is not there: say where it is now with --pool")
    roles = {one["name"]: one["role"] for one in known["columns"]}
    target = settings["target"]["name"]
    targets = [*([target] if isinstance(target, str) else target), *(n for n, r in roles.items() if r == TARGET)]
    ignored = [name for name, role in roles.items() if role == IGNORE]
    pool = read_pool(
        str(place), key=known.get("key"), target=targets, ignore=ignored, media=known.get("media"), known=known,
        check=check,
    )  # fmt: skip
    if pool.description["fingerprint"] != known["fingerprint"]:
        raise PoolMismatch(f"{mismatch(known, pool.description)}: {place} is not the campaign's pool")
    return pool
