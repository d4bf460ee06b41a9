"""A row as people see it: its columns by what they are, why it was chosen, numbers with their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from strongsuit.campaign.events import Chosen
from strongsuit.campaign.rules import CLASS, NUMBERS
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State, proposal_of
from strongsuit.datasets.pictures import SUFFIXES

IMAGE, LINK, NUMBER, TEXT, MISSING = "image", "link", "number", "text", "missing"
TAKEN = set("sfnu?")  # keys with a meaning of their own
LIKELY = 0.25  # classes of this probability are named beside the likeliest
NEVER = "never"  # `show.model`: what the model expects is not shown, not even after the answer


@dataclass(frozen=True)
class Cell:
    """One cell: the name of its column, what it is, its text, its unit, and where its image or link leads."""

    name: str
    kind: str
    text: str
    unit: str = ""
    href: str = ""


def cells_of(campaign: Campaign, row: int, image_hosts: Sequence[str] = ()) -> list[Cell]:
    """The cells of a row, without the key; none where the pool is not at hand.

    `show.columns` of the settings says what a column is, `{"photo": {"as": "image"}, "copper": {"unit": "%"}}`; else
    its values do: pictures by their names where the pool has a folder of media, addresses as links.
    """
    if campaign.pool is None:
        return []
    settings = campaign.desk.state.settings
    frame = campaign.pool.features([row])
    shown = settings["show"].get("columns", {})
    media = bool(settings["pool"].get("media"))
    return [
        _cell(campaign.name, row, str(name), frame[name].iloc[0], shown.get(name, {}), media, image_hosts)
        for name in frame.columns
        if name != settings["pool"].get("key")
    ]


def _cell(
    campaign: str, row: int, name: str, value: Any, about: Mapping[str, Any], media: bool, hosts: Sequence[str]
) -> Cell:
    unit, wanted = str(about.get("unit", "")), about.get("as")
    if value is None or value != value or value == "":
        return Cell(name, MISSING, "no value")
    if not isinstance(value, str):
        return Cell(name, NUMBER if hasattr(value, "__float__") else TEXT, shown_value(value), unit)
    if wanted != TEXT and value.startswith(("https://", "http://")) and (origin := _origin(value)):
        if wanted == IMAGE and origin in hosts:
            return Cell(name, IMAGE, value, href=value)
        return Cell(name, LINK, value, href=value)
    if media and (wanted == IMAGE or (wanted is None and value.lower().endswith(SUFFIXES))):
        return Cell(name, IMAGE, value, href=f"/media/{campaign}/{row}/{quote(name, safe='')}")
    return Cell(name, TEXT, value, unit)


def _origin(address: str) -> str:
    """Scheme and host of an address, '' for what is none."""
    try:
        parts = urlsplit(address)
    except ValueError:  # http://[
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def shown_value(value: Any) -> str:
    """A value in words: numbers as short as they can be without loss, several joined, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return " · ".join(shown_value(one) for one in value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return str(value)
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def rounded(value: Any, digits: int = 4) -> str:
    """A number to so many digits, for what was computed and not measured; text as it is."""
    return f"{value:.{digits}g}" if isinstance(value, int | float) else shown_value(value)


def with_unit(target: Mapping[str, Any], value: Any) -> str:
    """A label with the unit of the target."""
    unit = str(target.get("unit") or "")
    return f"{shown_value(value)} {unit}".strip()


def key_of(campaign: Campaign, row: int) -> str:
    """What users call the row."""
    if campaign.pool is not None:
        return str(campaign.pool.keys_of([row])[0])
    said = proposal_of(campaign.desk.state, row)
    return str(said.key) if said and said.key is not None else str(row)


def reason(state: State, row: int) -> str:
    """Why the row is asked for, in one sentence."""
    said = proposal_of(state, row)
    if said is None:
        return "Queued by hand." if state.asked.get(row) is None else "Asked for again."
    return sentence(said, len(state.slate))


def sentence(said: Chosen, size: int) -> str:
    """What a proposal said of a row, in one sentence."""
    if said.source == "random":
        return "Drawn at random, to compare the model's choice with."
    if said.source == "test":
        return "Drawn at random for the running test."
    if said.source == "warmup":
        return "One of the first rows, before there is a model."
    parts = [said.why or "chosen by the model", f"rank {said.rank + 1} of {max(size, said.rank + 1)}"]
    if said.stands_for:
        parts.append(f"stands for {said.stands_for} similar rows")
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def expected(state: State, row: int) -> str:
    """What the model expected of a row, for after the answer; '' where it must not be shown or is not known.

    Rows of the running test stay silent unless `show.test` says otherwise, all do where `show.model` is 'never'.
    """
    said, show = proposal_of(state, row), state.settings["show"]
    if said is None or said.mean is None or show.get("model") == NEVER:
        return ""
    if said.source == "test" and show.get("test") is not True:
        return ""
    spread = f" ± {rounded(said.spread)}" if said.spread is not None else ""
    unit = str(state.settings["target"].get("unit") or "")
    return f"The model expected {predicted(said.mean)}{spread} {unit}".rstrip() + "."


def predicted(mean: Any) -> str:
    """A prediction in words: numbers, or the likeliest class and any other that is likely too."""
    if isinstance(mean, Mapping):
        first, *others = sorted(mean.items(), key=lambda one: -one[1])
        likely = [first, *(one for one in others if one[1] >= LIKELY)]
        return " or ".join(f"{name} ({100 * share:.0f} %)" for name, share in likely)
    if isinstance(mean, list | tuple):
        return " · ".join(rounded(one) for one in mean)
    return rounded(mean)


def bounds(target: Mapping[str, Any]) -> str:
    """What may be entered, in words: '0 to 2500 MPa', 'one of 3 classes'."""
    if target["kind"] == CLASS:
        return f"one of {len(target['classes'])} classes"
    low, high, unit = target.get("low"), target.get("high"), str(target.get("unit") or "")
    if target["kind"] == NUMBERS or isinstance(low, list) or isinstance(high, list):
        return unit
    if low is None and high is None:
        return unit
    if low is None or high is None:
        return f"{'at most' if low is None else 'at least'} {shown_value(high if low is None else low)} {unit}".rstrip()
    return f"{shown_value(low)} to {shown_value(high)} {unit}".rstrip()


def class_keys(classes: Sequence[str]) -> list[str]:
    """The key that chooses each class: its own name where all are single characters, else 1 to 9, '' for the rest.

    Letters that mean something else on the page are no names of classes to it.
    """
    names = [one.lower() for one in classes]
    if all(len(one) == 1 and one.isprintable() and not one.isspace() for one in names) and not TAKEN & set(names):
        if len(set(names)) == len(names):
            return names
    return [str(place + 1) if place < 9 else "" for place in range(len(classes))]
