"""The interface over HTTP against its own OpenAPI page: schemathesis makes requests up, right ones and wrong ones.

`STRONGSUIT_EXAMPLES` is the number of requests a route, role and manner (5); more is slower, and finds more.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks
from tests.campaign_examples import ANIMAL, RandomProposer
from tests.web_examples import House, frame, house

from strongsuit.web.options import Rates
from strongsuit.web.people import LABELLER, OWNER, VIEWER

EXAMPLES = int(os.environ.get("STRONGSUIT_EXAMPLES", "5"))
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
OPEN = Rates(10**9, 10**9, 10**9, 10**9)
# Of a campaign that is there and of one that is made up: with a name made up, hardly a request gets behind the door.
PLACES: tuple[dict[str, Any] | None, ...] = ({"campaign": "alloys"}, None)
# A label may be a number and out of range, a row one that is leased to nobody: the page cannot say what is right now.
EXCLUDED = [checks.positive_data_acceptance]


def served(target: Any, folder: Path) -> House:
    """A house whose campaign has labels, a lease and rounds, and which may make campaigns of a table in a folder."""
    frame(12).to_csv(folder / "steel.csv", index=False)
    made = house(
        target=target, rows=200, proposer=RandomProposer(advice={"stop": False, "text": "Go on."}),
        options={"rates": OPEN, "folders": (folder,), "hosts": ("localhost", "testserver")},
    )  # fmt: skip
    for row in made.campaign.ask(5, by="vera").rows[:4]:
        made.campaign.tell({row: 1.0 if target is None else "cat"}, by="vera", by_row=True)
    return made


@pytest.mark.parametrize("role", [OWNER, LABELLER, VIEWER, ""])
def test_no_request_breaks_the_interface_or_what_its_page_promises(role: str, tmp_path: Path) -> None:
    load_all_checks()
    made = served(ANIMAL if role == LABELLER else None, tmp_path)
    # Written so: schemathesis takes credentials under any other spelling for made up ones.
    headers = {"Authorization": made.program(role).headers["authorization"]} if role else {}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", made.app)
    troubles: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for place in PLACES if "{campaign}" in operation.path else PLACES[1:]:
            for mode in MODES:
                troubles += complaints(operation, mode, place, headers)
    assert not troubles, "\n\n".join(troubles)


def complaints(operation: Any, mode: Any, place: dict[str, Any] | None, headers: dict[str, str]) -> list[str]:
    """What is wrong with the answers of one route, by the seeded requests of one manner."""
    said: list[str] = []

    @seed(1)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(mode, path_parameters=place))
    def send(case: Any) -> None:
        try:
            case.call_and_validate(headers=headers, excluded_checks=EXCLUDED)
        except FailureGroup as error:  # all routes are walked before anything is told
            said.append(f"{operation.label}, {mode.value}, {error}: {list(map(str, error.exceptions))}")

    with suppress(Unsatisfiable):  # nothing of it can be wrong but the name that is given
        send()
    return said[:2]
