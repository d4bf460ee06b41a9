"""Tables that do not fit: each is refused with a sentence that names the table, the column and the row."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strongsuit.cli import main
from strongsuit.errors import InputError

_spec = importlib.util.spec_from_file_location("suggest_tables", Path(__file__).with_name("suggest_tables.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
ask, tables = _shared.ask, _shared.tables


def gap(frame: pd.DataFrame, column: str, value) -> pd.DataFrame:
    frame = frame.astype({column: object})
    frame.loc[frame.index[4], column] = value
    return frame


BAD = {
    "identifier twice in the pool": (lambda p, t: (pd.concat([p, p.iloc[:1]]), t), {},
        "the pool: identifier '000' stands twice in column 'sample'"),
    "identifier twice in the labels": (lambda p, t: (p, pd.concat([t, t.iloc[:1]])), {},
        "the labelled table: identifier '000' stands twice"),
    "identifier empty": (lambda p, t: (gap(p, "sample", None), t), {},
        "the pool: identifier column 'sample' is empty in 1 rows (first in row 5)"),
    "identifier in one table only": (lambda p, t: (p, t.drop(columns="sample")), {},
        "id names 'sample', which the labelled table does not have"),
    "feature missing in the pool": (lambda p, t: (p.drop(columns="b"), t), {}, "the pool lacks the columns 'b'"),
    "target missing": (lambda p, t: (p, t), {"target": "Y"}, "did you mean 'y'?"),
    "target only in the pool": (lambda p, t: (p.assign(y=1.0), t.drop(columns="y")), {},
        "target 'y' is a column of the pool, but the labelled table does not have it"),
    "feature empty in the pool": (lambda p, t: (gap(p, "a", np.nan), t), {},
        "the pool: column 'a' has no value in 1 of 120 rows (first in row 5)"),
    "feature empty in the labels": (lambda p, t: (p, gap(t, "a", np.nan)), {},
        "the labelled table: column 'a' has no value in 1 of 30 rows (first in row 5)"),
    "feature infinite": (lambda p, t: (gap(p, "a", np.inf), t), {}, "the pool: column 'a' holds infinite values"),
    "text among numbers": (lambda p, t: (gap(p, "a", "wet"), t), {},
        "the pool: column 'a' holds numbers, but row 5 holds 'wet'"),
    "text for numbers": (lambda p, t: (p.assign(a="wet"), t), {},
        "column 'a' holds numbers in the labelled table and text in the pool"),
    "one word among labels": (lambda p, t: (p, gap(t, "y", "good")), {},
        "the labelled table: column 'y' holds numbers, but row 5 holds 'good'"),
    "text as label": (lambda p, t: (p, t.assign(y="good")), {"task": "regression"},
        "the labelled table: target 'y' holds text"),
    "one class": (lambda p, t: (p, t.assign(y="good")), {}, "the labelled table: a classification needs at least two"),
    "unknown task": (lambda p, t: (p, t), {"task": "ranking"}, "task must be one of auto, regression, classification"),
    "class of numbers with a fraction": (lambda p, t: (p, t),
        {"task": "classification", "learner": "auto", "strategy": "auto"},
        "the labelled table: class labels are strings, truth values or whole numbers"),
    "classes and regression": (lambda p, t: (p, t), {"task": "regression", "classes": ["a", "b"]},
        "classes are declared, and the task is regression"),
    "infinite label": (lambda p, t: (p, gap(t, "y", np.inf)), {}, "the labelled table: target 'y' has no finite value"),
    "no rows in the pool": (lambda p, t: (p.iloc[:0], t), {}, "the pool has no rows"),
    "no labels": (lambda p, t: (p, t.assign(y=np.nan)), {}, "the labelled table: DataFrame has a header and no rows"),
    "one label": (lambda p, t: (p, t.iloc[:1]), {}, "has a header and one row"),
    "prices of nothing": (lambda p, t: (p.assign(cost=0.0), t), {"cost": "cost"},
        "cost column 'cost' must hold a price above 0 in every row of the pool; row 1 does not"),
    "cost not in the pool": (lambda p, t: (p, t), {"cost": "euro"}, "cost names 'euro', which the pool does not have"),
    "order not in the labels": (lambda p, t: (p, t), {"order": "day"}, "order names 'day', which the labelled table"),
    "nothing to exclude": (lambda p, t: (p, t), {"exclude": ["c"]}, "exclude names 'c', which neither table has"),
    "no such strategy": (lambda p, t: (p, t), {"strategy": "best"}, "no strategy is called 'best'"),
    "strategy that sees labels": (lambda p, t: (p, t), {"strategy": "true_loss"}, "benchmarks only"),
    "no such learner": (lambda p, t: (p, t), {"learner": "oracle"}, "learner must be one of"),
    "no rows asked for": (lambda p, t: (p, t), {"n": 0}, "n must be at least 1, got 0"),
    "two kinds of price": (lambda p, t: (p.assign(c=1.0), t), {"cost": "c", "price": 1.0}, "not both"),
    "worth without a price": (lambda p, t: (p, t), {"worth": 3.0}, "give price, or cost"),
    "negative budget": (lambda p, t: (p, t), {"budget": -3.0}, "budget must be a number above 0, got -3.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_does_not_fit_is_refused(case: str) -> None:
    change, options, words = BAD[case]
    pool, labelled = change(*tables())
    with pytest.raises(InputError) as found:
        ask(pool, labelled, **options)
    assert words in str(found.value)


def test_the_command_answers_with_a_sentence_and_code_3(tmp_path: Path, capsys) -> None:
    pool, labelled = tables()
    gap(pool, "a", np.nan).to_csv(tmp_path / "pool.csv", index=False)
    labelled.to_csv(tmp_path / "known.csv", index=False)
    arguments = ["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--id", "sample"]
    out = tmp_path / "next.csv"
    assert main([*arguments, "--target", "y", "--learner", "ridge", "--out", str(out)]) == 3
    assert "column 'a' has no value in 1 of 120 rows" in capsys.readouterr().err and not out.exists()
    assert main([*arguments, "--target", "z", "--learner", "ridge"]) == 3
    assert main([arguments[0], str(tmp_path / "none.csv"), *arguments[2:], "--target", "y"]) == 3
    assert "the pool: " in capsys.readouterr().err


def test_a_folder_of_parquet_files_is_a_pool(tmp_path: Path) -> None:
    pool, labelled = tables()
    for part in range(3):
        pool.iloc[part::3].to_parquet(tmp_path / f"part{part}.parquet")
    found = ask(tmp_path, labelled, n=6)
    same = ask(pool, labelled, n=6)
    assert set(found.frame["sample"]) == set(same.frame["sample"])


def test_text_and_prices_are_no_trouble() -> None:
    pool, labelled = tables()
    kind = np.array(["wet", "dry", None], object)
    pool, labelled = pool.assign(kind=kind[np.arange(120) % 3]), labelled.assign(kind=kind[np.arange(30) % 3])
    found = ask(pool, labelled, n=6, strategy="qbc")
    assert found.facts["rows"] == 6 and set(found.frame["kind"].dropna()) <= {"wet", "dry"}
