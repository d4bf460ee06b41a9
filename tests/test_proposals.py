"""The real proposer: all it needs stands in the journal, so nothing but the journal decides what it says."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np
import pytest
from tests.proposal_examples import campaign, classes, pool, slates, tell

from strongsuit.active.pool import ACTIVE, AUDIT, AVAILABLE, EXCLUDED, LABELLED, PENDING, START
from strongsuit.campaign import MemoryStore, View, load_campaign
from strongsuit.campaign.service import Campaign
from strongsuit.errors import InputError
from strongsuit.proposals import ActiveProposer, Recipe, recipe_of
from strongsuit.proposals.replay import known_of, plain

ROUNDS = 4


def lived(one: Campaign, rounds: int = ROUNDS) -> Campaign:
    """The campaign after some rounds, in this process and with this proposer."""
    for _ in range(rounds):
        tell(one, one.ask(by="anna").rows)
    return one


def view(**given: Any) -> View:
    settings = {"target": {"name": "y", "kind": "number"}}
    empty = dict.fromkeys(
        ("labelled", "values", "weights", "pending", "unavailable", "queued", "sources", "guards"), ()
    )
    more = {"spent": 0.0, "committed": 0.0, "left": None, "unit": "labels"}
    return View(**{"settings": settings, "seed": 0, "round": 3, **empty, **more, **given})


def test_the_view_becomes_states_roles_and_order() -> None:
    found = known_of(
        view(
            labelled=(0, 1, 2, 3), values=(1.0, 2.0, 3.0, 4.0), pending=(4,), queued=(5,), unavailable=(6,),
            sources=((0, "warmup", 1), (1, "model", 2), (2, "test", 2), (4, "random", 2), (7, "test", 2)),
            guards=({"state": "trial"}, {"state": "random"}),
        ), 8, "lcmd",
    )  # fmt: skip
    assert found.state.tolist() == [*[LABELLED] * 4, PENDING, PENDING, EXCLUDED, AVAILABLE]
    assert found.role.tolist() == [START, ACTIVE, AUDIT, START, AUDIT, START, START, START]
    assert found.order.tolist() == [1, 2, 2, 0, 2, 0, -1, -1]
    assert found.y[:4, 0].tolist() == [1.0, 2.0, 3.0, 4.0] and np.isnan(found.y[4:]).all()


def test_random_rows_of_the_random_strategy_train_and_those_of_a_fall_back_watch() -> None:
    told = {"labelled": (0,), "values": (1.0,), "sources": ((0, "random", 1),)}
    assert known_of(view(**told, guards=({"state": "off"},)), 2, "random").role[0] == ACTIVE
    assert known_of(view(**told, guards=({"state": "off"},)), 2, "lcmd").role[0] == START
    assert known_of(view(**told, guards=({"state": "random"},)), 2, "lcmd").role[0] == AUDIT


def test_a_row_that_lacks_an_output_neither_trains_nor_is_asked_for() -> None:
    settings = {"target": {"name": ["a", "b"], "kind": "numbers"}}
    found = known_of(view(settings=settings, labelled=(0, 1), values=((1.0, None), (1.0, 2.0))), 3, "lcmd")
    assert found.state.tolist() == [EXCLUDED, LABELLED, AVAILABLE] and found.y[1].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("given", "part"),
    [({"model": "gp"}, "recipe.model"), ({"guard": "yes"}, "true or false"), ({"learner": 3}, "a name")],
)
def test_recipes_are_checked(given: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError, match=re.escape(part)):
        recipe_of({"recipe": given})
    assert recipe_of({}) == Recipe()
    assert recipe_of({"recipe": {"categorical": ["u"]}}).categorical == ("u",)


def test_numbers_are_written_as_json_has_them() -> None:
    assert plain({1: np.float64(2), "n": np.nan, "a": np.arange(2), "t": (np.int64(3), None)}) == {
        "1": 2.0, "n": None, "a": [0, 1], "t": [3, None],
    }  # fmt: skip


def test_a_campaign_resumed_after_every_step_proposes_as_one_unbroken() -> None:
    whole = lived(campaign())
    store = MemoryStore()
    campaign(store)
    for _ in range(ROUNDS):
        query = load_campaign("alloys", store=store, pool=pool(), proposer=ActiveProposer(pool())).ask(by="anna")
        tell(load_campaign("alloys", store=store, pool=pool()), query.rows)
    again = load_campaign("alloys", store=store, pool=pool(), proposer=ActiveProposer(pool()))
    assert slates(again) == slates(whole) and len(slates(whole)) == ROUNDS
    assert [verdict.verdict for verdict in again.verify()] == ["equal"] * ROUNDS


def test_any_order_of_tells_in_any_split_gives_the_same_next_slate() -> None:
    found = []
    for seed in range(3):
        one, shuffle = campaign(), random.Random(seed).shuffle
        for _ in range(2):
            rows = list(one.ask(by="anna").rows)
            shuffle(rows)
            cut = seed * len(rows) // 2
            tell(one, rows[:cut])
            tell(one, rows[cut:])
        one.ask(by="anna")
        found.append(slates(one))
    assert found[0] == found[1] == found[2]


def test_a_slate_says_where_its_rows_come_from_and_what_is_expected() -> None:
    one = lived(campaign(recipe={"learner": "ridge", "strategy": "qbc"}), 3)
    first, *later = [event.body for event in one.journal() if event.kind == "Proposed"]
    assert {row.source for row in first.rows} == {"warmup"} and first.model == "none"
    for body in later:
        assert sorted({row.source for row in body.rows}) == ["model", "test"]
        assert body.guard["state"] == "trial" and body.guard["test"] == 4
        assert sorted(row.rank for row in body.rows) == list(range(8))
        assert all(row.key == f"A{row.row}" and row.why for row in body.rows)
    assert 0 < sum(row.stands_for for row in body.rows) <= 90 - 24


def test_a_point_of_the_learning_curve_comes_with_advice() -> None:
    one = lived(campaign(stopping={"target_error": 0.1, "labels": 50}), 4)
    (point,) = one.state.curve
    assert point["metric"] == "RMSE" and point["low"] < point["value"] < point["high"] and point["n_test"] == 24
    advice = point["advice"]
    assert [rule["name"] for rule in advice["rules"]] == ["plateau", "target_error", "labels"]
    assert advice["stop"] is False and advice["text"] and advice["next"]["labels"] == 8
    with pytest.raises(InputError, match="stopping"):
        campaign(stopping={"patience": 3}).ask(by="anna")


def test_classes_keep_the_likeliest_of_a_row() -> None:
    one = lived(classes(), 2)
    one.ask(by="anna")
    body = [event.body for event in one.journal() if event.kind == "Proposed"][-1]
    means = [row.mean for row in body.rows]
    assert all(set(mean) == {"low", "high"} and sum(mean.values()) == pytest.approx(1.0) for mean in means)
    assert body.strategy == "margin" and all(row.score is not None for row in body.rows if row.source == "model")


def test_a_strategy_that_learns_from_its_own_picks_finds_them_in_the_journal() -> None:
    one = lived(classes(recipe={"strategy": "albl"}), 4)
    rounds = [event.body for event in one.journal() if event.kind == "Proposed"]
    assert [bool(body.guard["past"]) for body in rounds] == [False, True, True, True]
    assert "no_memory" not in str(rounds[-1].degraded)
    assert {verdict.verdict for verdict in one.verify()} == {"equal"}


def test_wrong_names_and_unusable_pools_are_said_before_anything_is_asked() -> None:
    one = campaign(recipe={"learner": "ridge", "strategy": "lcdm"})
    with pytest.raises(InputError, match="lcmd"):
        one.proposer.check(one.state.settings)
    holes = pool()
    with pytest.raises(InputError, match="no value"):
        from strongsuit.datasets import read_pool

        frame = holes.table.to_pandas()
        frame.loc[3, "u"] = np.nan
        ActiveProposer(read_pool(frame, key="id")).check(one.state.settings | {"recipe": {}})
