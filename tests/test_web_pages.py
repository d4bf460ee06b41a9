"""The labeller's page and the owner's, as forms: what is shown, what is written, what is refused."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("fastapi")

from tests.campaign_examples import RandomProposer, kinds
from tests.web_examples import ANIMAL, House, house

from strongsuit.campaign import Proposal, View
from strongsuit.web.options import Rates
from strongsuit.web.people import LABELLER, OWNER, VIEWER
from strongsuit.web.showing import predicted

LABEL = "/campaigns/alloys/label"


class Expecting(RandomProposer):
    """A proposer that says what it expects, and draws every second row for the running test."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        plain = super().propose(view, b, round)
        rows = tuple(
            replace(one, source="test" if one.rank % 2 else "model", why="models disagree", mean=777.5, spread=12.25,
                    stands_for=212) for one in plain.rows
        )  # fmt: skip
        return Proposal(rows, "none", "lcmd")


def row_of(page: str) -> int:
    found = re.search(r'data-row="(\d+)"', page)
    assert found, page
    return int(found[1])


def test_a_labeller_sees_a_row_by_its_columns_and_why_it_was_chosen() -> None:
    made = house(proposer=Expecting(), show={"columns": {"copper": {"unit": "wt%"}}})
    page = made.browser(LABELLER).get(LABEL).text
    row = row_of(page)
    assert f"A-{row:03d}" in page and "wt%" in page and "0 to 2500 MPa" in page
    assert "Models disagree, rank 1 of 8, stands for 212 similar rows." in page
    assert "yours until" in page and "777" not in page, "what the model expects would lead the labeller"


def test_an_answer_is_written_and_the_next_row_comes_with_what_the_model_expected() -> None:
    made = house(proposer=Expecting())
    anna = made.browser(LABELLER)
    page = anna.get(LABEL).text
    row = row_of(page)
    answer = anna.form(page, LABEL, value="1287,5 mpa", note="by hand", seconds="42")
    assert answer.status_code == 303 and answer.headers["location"] == LABEL
    told = made.campaign.journal()[-1]
    assert (told.kind, told.by, told.body.row, told.body.value) == ("Told", "anna", row, 1287.5)
    assert (told.body.note, told.body.seconds, told.body.asked) == ("by hand", 42.0, True)
    after = anna.get(LABEL).text
    assert row_of(after) != row
    assert f"Last: A-{row:03d} = 1287.5 MPa. The model expected 777.5 ± 12.25 MPa." in after
    anna.form(after, LABEL, value="5")
    assert "The model expected" not in anna.get(LABEL).text, "rows of the running test stay silent"


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (777.46, "777.5"),
        ([1.0, 2.25], "1 · 2.25"),
        ({"dog": 0.03, "cat": 0.816}, "cat (82 %)"),
        ({"owl": 0.1, "dog": 0.4, "cat": 0.45}, "cat (45 %) or dog (40 %)"),
    ],
)
def test_predictions_are_told_in_words(mean: Any, words: str) -> None:
    assert predicted(mean) == words


def test_the_same_form_again_writes_nothing_and_another_value_asks_first() -> None:
    made = house()
    anna = made.browser(LABELLER)
    page = anna.get(LABEL).text
    for _ in range(2):
        assert anna.form(page, LABEL, value="12").status_code == 303
    position = made.campaign.state.position
    again = anna.form(page, LABEL, value="13")
    assert again.status_code == 409 and "You answered this row before, with 12" in again.text
    assert made.campaign.state.position == position
    assert anna.form(again.text, LABEL, value="13").status_code == 303
    assert made.campaign.journal()[-1].kind == "Revised"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("abc", "is not a number, with or without MPa"),
        ("1.287,5", "could be two numbers"),
        ("2501", "out of range"),
        ("nan", "not a number"),
        ("", "Enter a number"),
        ("1_000", "not a number"),
        ("1e999", "finite"),
        ("\u0663", "is not a number"),
    ],
)
def test_what_is_no_label_comes_back_with_what_was_typed(typed: str, said: str) -> None:
    made = house()
    anna = made.browser(LABELLER)
    page = anna.get(LABEL).text
    position = made.campaign.state.position
    answer = anna.form(page, LABEL, value=typed, note="mine")
    assert answer.status_code == 422 and said in answer.text and "mine</textarea>" in answer.text
    assert row_of(answer.text) == row_of(page) and made.campaign.state.position == position


@pytest.mark.parametrize("typed", ["1 287,5", "1287.5", "+1287,50", "1 287.5 MPa", "1.2875e3", "1287,5MPa"])
def test_numbers_are_taken_as_people_write_them(typed: str) -> None:
    made = house()
    anna = made.browser(LABELLER)
    anna.form(anna.get(LABEL).text, LABEL, value=typed)
    assert made.campaign.journal()[-1].body.value == 1287.5


def test_classes_are_buttons_and_several_numbers_are_fields() -> None:
    made = house(target=ANIMAL)
    anna = made.browser(LABELLER)
    page = anna.get(LABEL).text
    assert page.count('type="radio"') == 3
    assert anna.form(page, LABEL).status_code == 422
    anna.form(page, LABEL, value="owl")
    assert made.campaign.journal()[-1].body.value == "owl"
    two = house(target={"name": ["x", "y"], "kind": "numbers", "unit": ["mm", "s"]})
    bob = two.browser(LABELLER, "bob")
    bob.form(bob.get(LABEL).text, LABEL, value_0="1,5", value_1="")
    assert two.campaign.journal()[-1].body.value == (1.5, None)


def test_skip_fail_undo_and_withdraw() -> None:
    made = house()
    anna = made.browser(LABELLER)
    page = anna.get(LABEL).text
    anna.form(page, LABEL, action="skip", reason="blurred")
    assert made.campaign.journal()[-1].body.reason == "blurred"
    page = anna.get(LABEL).text
    anna.form(page, LABEL, action="fail", reason="no sample", final="1")
    assert made.campaign.journal()[-1].body.final
    page = anna.get(LABEL).text
    row = row_of(page)
    anna.form(page, LABEL, value="3")
    edit = anna.get(f"{LABEL}?row={row}").text
    assert 'value="3"' in edit
    anna.form(edit, LABEL, value="4")
    assert made.campaign.journal()[-1].body.value == 4
    anna.form(anna.get(f"{LABEL}?row={row}").text, LABEL, action="withdraw")
    assert made.campaign.journal()[-1].body.value is None
    assert anna.get(f"{LABEL}?row={row}").status_code == 404


def test_the_next_row_is_leased_ahead_and_rows_under_way_are_left_out() -> None:
    made = house()
    anna = made.browser(LABELLER)
    first = row_of(anna.get(LABEL).text)
    assert made.campaign.status()["states"]["pending"] == 2
    second = row_of(anna.get(f"{LABEL}?part=1&sent={first}").text)
    assert second != first and row_of(anna.get(LABEL).text) == first, "a page that is loaded again is the same"
    part = anna.get(f"{LABEL}?part=1").text
    assert "<html" not in part and part.lstrip().startswith('<div class="turn"')


def test_two_people_never_have_the_same_row() -> None:
    made = house()
    anna, bob = made.browser(LABELLER), made.browser(LABELLER, "bob")
    seen = []
    for _ in range(6):
        for one in (anna, bob):
            page = one.get(LABEL).text
            seen.append(row_of(page))
            one.form(page, LABEL, value="1")
    assert len(set(seen)) == 12


def test_nobody_waits_for_a_fit_and_rounds_follow_each_other() -> None:
    made = house(batch=4)
    anna = made.browser(LABELLER)
    for _ in range(40):
        page = anna.get(LABEL).text
        assert anna.form(page, LABEL, value="1").status_code == 303
    end = anna.get(LABEL).text
    assert "Nothing to label now" in end and "no row is left for anna" in end
    assert len(made.campaign.state.labels) == 40


def test_what_cells_say_is_text_and_never_markup() -> None:
    made = house()
    anna = made.browser(LABELLER)
    while True:
        page = anna.get(LABEL).text
        if "first line" in page:
            break
        anna.form(page, LABEL, value="1")
    assert "first line\nsecond &lt;b&gt;line" in page and "<b>line" not in page


def test_a_closed_campaign_hands_out_nothing_and_takes_what_is_under_way() -> None:
    made = house()
    anna = made.browser(LABELLER)
    page = anna.get(LABEL).text
    made.campaign.close(by="olga")
    assert anna.form(page, LABEL, value="1").status_code == 303
    anna.form(anna.get(LABEL).text, LABEL, value="2")
    assert "This campaign is closed" in anna.get(LABEL).text


def owner_with_history() -> House:
    two = {"overlap": 2, "overlap_max": 3, "aggregate": "majority", "roles": {"olga": "owner"}}
    proposer = RandomProposer(advice={"stop": False, "text": "Go on.", "rules": []})
    made = house(annotation=two, target=ANIMAL, proposer=proposer)
    anna, bob = made.browser(LABELLER), made.browser(LABELLER, "bob")
    page = anna.get(LABEL).text
    row = row_of(page)
    anna.form(page, LABEL, value="cat")
    made.campaign.tell({row: "dog"}, by="bob", by_row=True)
    page = bob.get(LABEL).text
    bob.form(page, LABEL, action="fail", reason="<broken>", final="1")
    return made


def test_an_owner_sees_where_it_stands_and_settles_and_releases() -> None:
    made = owner_with_history()
    olga = made.browser(OWNER)
    page = olga.get("/campaigns/alloys").text
    for part in ("Alloys of copper", "In dispute", "&lt;broken&gt;", "Release", '<svg class="curve"', "Go on.", "rmse"):
        assert part in page, part
    token = {"csrf": re.findall(r'name="csrf" value="(\w+)"', page)[0]}
    disputed = made.campaign.status()["disputed"][0]
    settled = olga.post("/campaigns/alloys/do/settle", data={**token, "row": disputed, "value": "owl", "back": "row"})
    assert settled.headers["location"] == f"/campaigns/alloys/rows/{disputed}"
    assert made.campaign.state.labels[disputed].value == "owl"
    assert made.campaign.status()["states"]["pending"] > 0
    for who in {one["to"] for one in made.campaign.status()["leases"]}:
        olga.post("/campaigns/alloys/do/release", data={**token, "to": who})
    assert made.campaign.status()["leases"] == [] and kinds(made.campaign)[-1] == "Expired"
    failed = next(row for row, one in made.campaign.state.failures.items() if one.final)
    olga.post("/campaigns/alloys/do/restore", data={**token, "row": failed})
    assert failed not in made.campaign.state.failures
    olga.post("/campaigns/alloys/do/amend", data={**token, "batch": "12", "limit": "30,5", "reason": "more people"})
    assert made.campaign.state.rules.batch == 12 and made.campaign.state.rules.limit == 30.5
    wrong = olga.post("/campaigns/alloys/do/amend", data={**token, "batch": "many"})
    assert wrong.status_code == 422 and "batch must be a whole number" in wrong.text
    olga.post("/campaigns/alloys/do/queue", data={**token, "rows": "A-039 A-038"})
    olga.post("/campaigns/alloys/do/exclude", data={**token, "rows": "A-000"})
    assert list(made.campaign.state.queued) == [39, 38] and 0 in made.campaign.state.excluded
    olga.post("/campaigns/alloys/do/close", data=token)
    assert made.campaign.state.closed


def test_a_viewer_reads_and_has_no_buttons() -> None:
    made = owner_with_history()
    vera = made.browser(VIEWER)
    page = vera.get("/campaigns/alloys").text
    assert "In dispute" in page and "/do/" not in page and "upload" not in page
    row = made.campaign.status()["disputed"][0]
    assert "/do/" not in vera.get(f"/campaigns/alloys/rows/{row}").text
    journal = vera.get("/campaigns/alloys/journal").text
    assert "Told" in journal and "Proposed" in journal
    labels = vera.get("/campaigns/alloys/export/csv")
    assert labels.headers["content-disposition"].startswith("attachment")


def test_uploaded_tables_are_told_and_wrong_lines_named() -> None:
    made = house(options={"rates": Rates(files=100)})
    olga = made.browser(OWNER)
    page = olga.get("/campaigns/alloys").text
    token = {"csrf": re.findall(r'name="csrf" value="(\w+)"', page)[0]}

    def sent(text: str, name: str = "filled.csv", **more: str) -> str:
        file = {"file": (name, io.BytesIO(text.encode()))}
        return olga.post("/campaigns/alloys/upload", data={**token, **more}, files=file).text

    assert "2 answers written" in sent('id,strength,note\nA-001,"12,5",x\nA-002,7,\nA-003,,\n')
    assert made.campaign.state.labels[1].value == 12.5
    assert "2 were there already" in sent('id,strength\nA-001,"12,5"\nA-002,7\n')
    assert "lacks the target column" in sent("id,other\nA-001,2\n")
    assert "is not in the pool" in sent("id,strength\nB-001,2\n")
    assert "out of range" in sent("id,strength\nA-004,2\nA-005,9999\n") and 4 not in made.campaign.state.labels
    assert "1 lines were not taken" in sent("id,strength\nA-004,2\nA-005,9999\n", partial="1")
    assert "not an archive" in sent("PK\x03\x04", "filled.csv")
    assert "Upload a table" in sent("x", "filled.zip")
    assert "is no Parquet file" in sent("PAR1 no parquet", "filled.parquet")


def test_labels_for_a_spreadsheet_hold_no_formulas() -> None:
    made = house()
    made.campaign.tell({1: 5.0}, by="=cmd()", by_row=True)
    text = made.browser(OWNER).get("/campaigns/alloys/export/csv").text
    assert "'=cmd()" in text and ",=cmd" not in text
