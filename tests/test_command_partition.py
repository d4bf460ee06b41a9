"""`strongsuit partition` and `predict`, run as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from strongsuit import model_files
from strongsuit.cli import main
from strongsuit.datasets.generators import generate
from strongsuit.errors import InputError


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    path = tmp_path_factory.mktemp("waves") / "waves.csv"
    generate("wave_climb", rows=400, seed=1).to_frame().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def model(waves):
    folder = waves.parent / "model"
    code = main(
        ["partition", str(waves), "--target", "y", "--exclude", "regime", "--learner", "ridge", "--restarts", "2",
         "--test", str(waves), "--out", str(folder), "--json"]
    )  # fmt: skip
    assert code == 0
    return folder


def test_the_json_holds_the_contract(model):
    facts = json.loads((model / "manifest.json").read_text())["facts"]
    assert facts["rows"] == 400
    assert facts["found"] >= facts["regimes"] >= 1
    assert facts["deployed"] in ("partitioned", "single")
    assert set(facts["loss"]) == {"single", "gated", "oracle", "deployed"}
    assert facts["loss"]["oracle"] <= facts["loss"]["gated"]
    for name in ("gate_accuracy", "stability", "seconds", "fits", "relative_loss", "test"):
        assert name in facts
    assert (model / "report.html").read_text().lower().startswith("<!doctype html>")


def test_predict_adds_its_columns_and_keeps_the_rows(model, waves, tmp_path, capsys):
    out = tmp_path / "predicted.csv"
    assert main(["predict", str(model), str(waves), "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    given, found = pd.read_csv(waves), pd.read_csv(out)
    assert len(found) == len(given) == facts["rows"] == facts["experts"] + facts["fallback"]
    for name in ("prediction", "spread", "regime", "regime_probability", "answered_by", "reason"):
        assert name in found
    assert found["regime"].between(1, 8).all()
    assert np.isfinite(found["prediction"]).all()
    assert np.corrcoef(found["prediction"], given["y"])[0, 1] > 0.5
    with_reason = found["reason"].notna()
    assert (with_reason == (found["answered_by"] == "fallback")).all()


def test_a_column_missing_at_prediction_is_named(model, tmp_path, capsys):
    pd.DataFrame({"z": [1.0, 2.0]}).to_csv(tmp_path / "other.csv", index=False)
    assert main(["predict", str(model), str(tmp_path / "other.csv"), "--out", str(tmp_path / "p.csv")]) == 3
    assert "x" in capsys.readouterr().err
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--target", "price"], "price"),
        (["--target", "y", "--learner", "magic"], "learner"),
        (["--target", "y", "--mode", "fast"], "mode"),
        (["--target", "y", "--caution", "none"], "caution"),
        (["--target", "y", "--groups", "batch"], "batch"),
    ],
)
def test_wrong_choices_are_rejected_in_a_sentence(waves, options, word, capsys):
    assert main(["partition", str(waves), *options]) == 3
    said = capsys.readouterr().err
    assert word in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, np.nan, 2.0]}), "y"),
        (pd.DataFrame({"x": [1.0], "y": [1.0]}), "row"),
        (pd.DataFrame({"y": [1.0, 2.0, 3.0]}), "feature"),
    ],
)
def test_unusable_tables_are_rejected_in_a_sentence(frame, word, tmp_path, capsys):
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert main(["partition", str(tmp_path / "table.csv"), "--target", "y", "--learner", "ridge"]) == 3
    said = capsys.readouterr().err
    assert word in said
    assert "Traceback" not in said


def test_a_constant_target_gives_one_model(tmp_path, capsys):
    pd.DataFrame({"x": np.arange(30.0), "y": 2.0}).to_csv(tmp_path / "flat.csv", index=False)
    assert main(["partition", str(tmp_path / "flat.csv"), "--target", "y", "--learner", "ridge", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["regimes"] == 1


def test_weights_count(tmp_path, capsys):
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0), "w": 1.0})
    frame.loc[39, ["y", "w"]] = 1e6, 0.0
    frame.to_csv(tmp_path / "w.csv", index=False)
    arguments = ["partition", str(tmp_path / "w.csv"), "--target", "y", "--weight", "w", "--learner", "ridge", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["loss"]["single"] < 1.0


def test_interrupting_leaves_no_half_written_model(tmp_path):
    table, out = tmp_path / "waves.csv", tmp_path / "model"
    generate("wave_climb", rows=4000, seed=1).to_frame().to_csv(table, index=False)  # far longer than the pause
    start = "import sys; from strongsuit.cli import main; print('ready', file=sys.stderr, flush=True); sys.exit(main())"
    arguments = ["partition", str(table), "--target", "y", "--exclude", "regime", "--out", str(out)]
    run = subprocess.Popen([sys.executable, "-c", start, *arguments], env=os.environ, stderr=subprocess.PIPE)
    assert run.stderr.readline() == b"ready\n"
    time.sleep(4.0)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert b"Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["waves.csv"]


def test_a_damaged_model_is_refused(model, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="format"):
        model_files.load(tmp_path / "bad")
    with pytest.raises(InputError, match="no model"):
        model_files.load(tmp_path / "nothing")


@pytest.mark.parametrize("learner", ["ridge", "hgb", "gp", "mlp"])
def test_a_stored_model_answers_bit_for_bit_the_same(learner, tmp_path):
    from strongsuit.partition.discover import route
    from strongsuit.workflow import Settings, partition_table

    frame = generate("wave_climb", rows=150, seed=2).to_frame()
    settings = Settings(learner=learner, restarts=1)
    result = partition_table(frame, targets=["y"], exclude=["regime"], settings=settings, out=tmp_path / "m")
    again = model_files.load(tmp_path / "m").model
    grid = np.linspace(-1, 3, 60)[:, None]
    for name, value in vars(route(result.model, grid)).items():
        assert np.array_equal(value, getattr(route(again, grid), name)), name


def test_numbers_that_are_codes_may_be_declared(tmp_path, capsys):
    rng = np.random.default_rng(0)
    code = rng.integers(0, 5, 150)
    frame = pd.DataFrame({"code": code, "x": rng.normal(size=150)})
    frame["y"] = np.array([3.0, -1.0, 4.0, -2.0, 0.5])[code] + 0.1 * frame["x"]
    frame.to_csv(tmp_path / "codes.csv", index=False)
    shared = ["partition", str(tmp_path / "codes.csv"), "--target", "y", "--learner", "ridge", "--max-regimes", "1"]
    shared += ["--test", str(tmp_path / "codes.csv"), "--json"]
    errors = []
    for more in ([], ["--categorical", "code"]):
        assert main([*shared, *more]) == 0
        errors.append(json.loads(capsys.readouterr().out)["test"]["deployed_relative"])
    assert errors[0] > 0.5 and errors[1] < 1e-3
