"""Which models a classifier offers to be trained beside it, and with which settings."""

from __future__ import annotations

from typing import Any

from strongsuit.errors import InputError
from strongsuit.learners.graph import GraphNetwork
from strongsuit.learners.vaal import VAAL
from strongsuit.learners.waal import WAAL

INPUTS, FEATURES = "inputs", "features"  # what such a model is shown of a row: its own, or the committee's


def offered(name: str, loss: Any, widths: tuple[int, ...], *, sees: str = INPUTS, signed: bool = False) -> Any:
    """The learner called `name`: "loss", which is given; "vaal", an autoencoder and a discriminator of the inputs;
    "waal", a network of these hidden widths with a critic, on inputs or on the features of the committee's first member
    (`sees`); "gcn", a graph network on these features, which may be `signed`.

    Raises InputError for any other name.
    """
    offers = {"loss": loss, "vaal": VAAL(), "waal": WAAL(widths, sees=sees), "gcn": GraphNetwork(signed=signed)}
    if name not in offers:
        raise InputError(f"an auxiliary learner of a classifier is {', '.join(map(repr, offers))}, got {name!r}")
    return offers[name]
