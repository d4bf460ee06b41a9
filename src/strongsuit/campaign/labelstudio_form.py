"""A row as a task of Label Studio, the target as its form, and what people fill in as a label.

Text columns and images have a place of their own; all other columns stand in one table. No prediction is shown, so
nobody is led. Label Studio checks nothing that is sent to it by a program: what comes back is checked here.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from strongsuit.campaign.rules import CLASS, NUMBERS, Rules
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.sheets import key_of, mark_of, targets_of
from strongsuit.errors import InputError, InvalidLabel

MARK, TABLE, ROW = "strongsuit_row", "strongsuit_table", "row"  # fields of a task, and the name of the table in a form
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
IMAGE, TEXT, HTML = "Image", "Text", "HyperText"
SAMPLE = 100  # rows whose values say what a text column is
HOTKEYS = "1234567890"
_SERVED = ("http://", "https://", "/data/")  # values that Label Studio can show as they are
_MARK = re.compile(r"r(\d{1,16})-[a-z]{5}")


def label_config(campaign: Campaign) -> str:
    """The form of a campaign: its columns, then a field a target."""
    settings, rules = campaign.state.settings, campaign.state.rules
    view = ET.Element("View")
    ET.SubElement(view, "Table", name=ROW, value=f"${TABLE}")
    fields = fields_of(campaign)
    for column, (kind, field) in fields.items():
        ET.SubElement(view, "Header", value=column, size="5")
        ET.SubElement(view, kind, name=f"column_{field}", value=f"${field}")
    for i, target in enumerate(targets_of(settings)):
        ET.SubElement(view, "Header", value=_asked(settings["target"], rules, target, i), size="4")
        _control(view, rules, i)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def controls_of(rules: Rules) -> list[str]:
    """The names of the fields that people fill in."""
    return [f"target_{i}" for i in range(max(1, len(rules.names)))]


def _control(view: ET.Element, rules: Rules, i: int) -> None:
    name = controls_of(rules)[i]
    if rules.kind == CLASS:
        choices = ET.SubElement(view, "Choices", name=name, toName=ROW, choice="single", required="true")
        for j, one in enumerate(rules.classes):
            key = {"hotkey": HOTKEYS[j]} if j < len(HOTKEYS) else {}
            ET.SubElement(choices, "Choice", {"value": one, **key})
        return
    span = {"min": _bound(rules.low, i), "max": _bound(rules.high, i)}
    limits = {end: f"{value:.15g}" for end, value in span.items() if value is not None}
    required = "false" if len(rules.names) > 1 else "true"  # of several numbers some may be missing
    field = {"name": name, "toName": ROW, "step": "any", "required": required, **limits}
    ET.SubElement(view, "Number", field)


def _asked(target: Mapping[str, Any], rules: Rules, name: str, i: int) -> str:
    """The target with its unit and range."""
    unit = target.get("unit")
    unit = unit[i] if isinstance(unit, list | tuple) else unit
    low, high = _bound(rules.low, i), _bound(rules.high, i)
    ends = [f"{end:.15g}" for end in (low, high) if end is not None]
    span = f"{ends[0]}–{ends[1]}" if len(ends) == 2 else f"from {ends[0]}" if low is not None else ""
    span = span or (f"to {ends[0]}" if high is not None else "")
    about = ", ".join(one for one in (unit, span) if one)
    return f"{name} ({about})" if about else name


def _bound(bound: Any, i: int) -> float | None:
    return bound[i] if isinstance(bound, list | tuple) else bound


def fields_of(campaign: Campaign) -> dict[str, tuple[str, str]]:
    """Columns that have a place of their own -> what they are, and the name of their field in a task.

    `show.columns` of the settings says it, `{"photo": {"as": "image"}, "report": {"as": "html"}}`; else a text column
    whose values are names of pictures is one of pictures.
    """
    settings, pool = campaign.state.settings, campaign.pool
    if pool is None:
        raise InputError("Label Studio is sent the rows themselves: load the campaign with its pool")
    said = settings["show"].get("columns", {})
    texts = [one["name"] for one in settings["pool"]["columns"] if (one["role"], one["type"]) == ("feature", "text")]
    sample = pool.features(range(min(SAMPLE, settings["pool"]["n"])))
    found: dict[str, tuple[str, str]] = {}
    for name in texts:
        wanted = said.get(name, {}).get("as")
        values = [value for value in sample[name] if isinstance(value, str) and value]
        pictures = bool(values) and all(value.lower().split("?")[0].endswith(PICTURES) for value in values)
        kind = {"image": IMAGE, "html": HTML}.get(wanted, TEXT) if wanted else IMAGE if pictures else TEXT
        found[name] = (kind, _field(name, {field for _, field in found.values()}))
    return found


def _field(column: str, taken: set[str]) -> str:
    """A name for a task's field that Label Studio's forms can refer to, and no other column has."""
    name = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_") or "column"
    name = f"column_{name}" if name[0].isdigit() or name.startswith("strongsuit_") else name
    count = 1
    while name + ("" if count == 1 else f"_{count}") in taken:
        count += 1
    return name if count == 1 else f"{name}_{count}"


def tasks_of(campaign: Campaign, rows: Sequence[int], media: str = "") -> list[dict[str, Any]]:
    """The data of a task a row. `media` is where Label Studio's people find the pool's files, `https://…/`.

    InputError for an image that is a file's name when no `media` is given.
    """
    assert campaign.pool is not None
    fields, key = fields_of(campaign), key_of(campaign.state.settings)
    frame, keys = campaign.pool.features(rows), campaign.pool.keys_of(rows)
    said = campaign.state.settings["show"].get("columns", {})
    tasks = []
    for i, row in enumerate(rows):
        cells = {str(name): _plain(frame[name].iloc[i]) for name in frame.columns}
        about = {key or "row": str(keys[i])}
        about |= {_named(name, said): value for name, value in cells.items() if name not in fields and name != key}
        task = {MARK: mark_of(campaign.name, row, keys[i]), TABLE: about}
        for name, (kind, field) in fields.items():
            task[field] = _served(name, cells[name], media) if kind == IMAGE else cells[name] or ""
        tasks.append(task)
    return tasks


def _named(column: str, said: Mapping[str, Any]) -> str:
    unit = said.get(column, {}).get("unit")
    return f"{column} ({unit})" if unit else column


def _served(column: str, value: Any, media: str) -> str:
    if not value or str(value).startswith(_SERVED):
        return str(value or "")
    if not media:
        raise InputError(
            f"column {column!r} has names of files, such as {value!r}: say with --media where Label Studio's people "
            "find them (https://HOST/FOLDER/), or name it text by show.columns"
        )
    return f"{media.rstrip('/')}/{quote(str(value))}"


def _plain(value: Any) -> Any:
    """The cell as JSON has it, None where there is nothing."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)


def row_of(campaign: Campaign, data: Mapping[str, Any]) -> int:
    """The row that a task is of; InputError for a task that is not of this campaign."""
    mark = str(data.get(MARK, ""))
    found = _MARK.fullmatch(mark)
    row = int(found[1]) if found else -1
    if not 0 <= row < campaign.desk.state.rules.rows:
        raise InputError(f"{MARK} is {mark!r}: this task was not made for campaign {campaign.name!r}")
    key = _key(campaign, row)
    if key is not None and mark_of(campaign.name, row, key) != mark:
        raise InputError(f"{MARK} is {mark!r}: this task was made for another campaign than {campaign.name!r}")
    return row


def _key(campaign: Campaign, row: int) -> Any:
    """The row's key; None where it is not known for lack of the pool."""
    if campaign.pool is not None:
        return campaign.pool.keys_of([row])[0]
    return row if key_of(campaign.desk.state.settings) is None else None


def value_of(result: Any, rules: Rules) -> Any:
    """What somebody filled in, as `tell` takes it; InvalidLabel for what is no answer to the form."""
    parts = [one for one in result if isinstance(one, Mapping)] if isinstance(result, list) else []
    said = {str(one.get("from_name")): one.get("value") for one in parts}
    names = controls_of(rules)
    if not any(name in said for name in names):
        raise InvalidLabel(f"the annotation has none of {', '.join(names)}; it has {', '.join(said) or 'nothing'}")
    if rules.kind == CLASS:
        choices = _filled(said, names[0], "choices")
        if not isinstance(choices, list) or len(choices) != 1:
            raise InvalidLabel(f"one class is wanted, got {choices!r}")
        return choices[0]
    numbers = tuple(_filled(said, name, "number") for name in names)
    return numbers if rules.kind == NUMBERS else numbers[0]


def _filled(said: Mapping[str, Any], name: str, kind: str) -> Any:
    """What a field says, None if it is not of its kind."""
    value = said.get(name)
    return value.get(kind) if isinstance(value, Mapping) else None
