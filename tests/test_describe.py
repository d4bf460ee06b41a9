"""A description says what the model is, in numbers that agree with plain NumPy and in words that agree with them."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from strongsuit.errors import InputError
from strongsuit.partition.describe import describe, summary_text
from strongsuit.partition.describe_design import design_warning
from strongsuit.partition.describe_evidence import cross_fitted
from strongsuit.partition.describe_portraits import evenly
from strongsuit.partition.describe_values import Interval, plain
from strongsuit.partition.describe_words import listed, number, opinion_sentence, percent, probability
from strongsuit.partition.guard import Evidence, RegimeVerdict, Verdict
from strongsuit.partition.pipeline import EXPERT, FAR, pieces
from strongsuit.partition.values import Config, Rows

_spec = importlib.util.spec_from_file_location("examples", Path(__file__).with_name("partitioned_examples.py"))
examples = importlib.util.module_from_spec(_spec)
sys.modules["examples"] = examples
_spec.loader.exec_module(examples)


@pytest.fixture(scope="module")
def two():
    return examples.example()


@pytest.fixture(scope="module")
def three():
    return examples.example(regimes=3, q=2)


def told(example, **changed):
    return describe(example.model, example.X, example.Y, example.names, **({"evidence": example.evidence} | changed))


def refused(example, *, reason: str, case: str, p: float = 0.2, gain: float = 0.0):
    """The example with every expert off for this reason."""
    cases = tuple(RegimeVerdict(0.01, 0.02, 100.0, p, 0.025, False, case) for _ in example.model.verdict.regimes)
    return replace(example, model=replace(example.model, verdict=Verdict(cases, gain, False, reason)))


# the verdict


def test_a_deployed_partition_is_told_in_one_sentence(two):
    said = told(two)
    assert said.deployed and said.regimes == 2
    sizes = np.bincount(two.model.labels)
    assert said.verdict.startswith(f"2 regimes; experts on for regimes 1 ({sizes[0]} rows) and 2 ({sizes[1]} rows)")
    assert f"{percent(said.gain)} below that of one model" in said.verdict
    assert said.verdict.count(".") - said.verdict.count("0.") <= 1


def test_a_regime_that_is_off_is_told_with_its_reason(two):
    on, off = two.model.verdict.regimes
    off = replace(off, enabled=False, reason="not_proven", p=0.21)
    model = replace(two.model, verdict=Verdict((on, off), 0.3, True, "proven"))
    said = told(replace(two, model=model))
    assert "regime 2 uses the single model: not proven better (p = 0.21)." in said.verdict
    assert said.table[0].speaks and not said.table[1].speaks


@pytest.mark.parametrize(
    ("reason", "case", "words"),
    [
        ("not_proven", "not_proven", "no expert is proven better (smallest p = 0.2)"),
        ("too_few", "too_few", "no expert may speak: too few distinct rows"),
        ("shrunk_away", "shrunk_away", "its expert adds nothing"),
        ("unmatched", "unmatched", "not found again"),
        ("degraded", "degraded", "failed or gave no finite answer"),
    ],
)
def test_a_refused_partition_says_why(two, reason, case, words):
    said = told(refused(two, reason=reason, case=case))
    assert said.verdict.startswith("One model for all rows: 2 regimes found, but")
    assert words in said.verdict
    assert not any(line.speaks for line in said.table)


def test_a_p_that_looks_small_is_told_with_what_was_needed(two):
    said = told(refused(two, reason="not_proven", case="not_proven", p=0.03))
    assert "(smallest p = 0.03, 0.025 needed)" in said.verdict


def test_a_gain_below_the_margin_is_told_with_the_margin(two):
    said = told(refused(two, reason="gain_too_small", case="proven", gain=0.004))
    assert said.verdict == "One model for all rows: 2 regimes found, but their gain 0.4 % is below 1 %."


def test_one_regime_is_one_model():
    one = examples.example(regimes=1)
    said = told(one)
    assert said.verdict == "One model for all rows: no partition predicts held-out rows better than a single model."
    assert said.portraits == () and said.rules is None and said.gate is None
    assert "brings the loss" not in said.diagnosis
    constant = replace(one.model, search=None, scale=replace(one.model.scale, constant=np.ones(1, bool)))
    assert told(replace(one, model=constant)).verdict == "One model for all rows: the target never varies."
    few = told(replace(one, model=replace(one.model, search=None)))
    assert few.verdict == "One model for all rows: too few distinct rows to look for regimes."


def test_an_unguarded_run_says_so_and_warns():
    said = told(examples.example(config=Config(folds=3, guard=False)))
    assert "no guard" in said.verdict
    assert any("guard is off" in text for text in said.warnings)
    losses = {line.name: line.relative.value for line in said.losses}
    assert losses["deployed"] == losses["gated"]
    assert said.gain == pytest.approx(1 - losses["gated"] / losses["single"])


def test_fold_regimes_without_a_match_speak_only_where_nobody_guards(two):
    Y = two.evidence.Y
    rows = Rows(two.X, Y, np.ones(len(Y)), np.arange(len(Y)))
    said = pieces(two.model.pipeline, two.X, np.zeros(len(Y), bool), two.model.config)
    strange = Evidence(np.zeros(len(Y), int), ((np.arange(len(Y)), said, np.array([-1, 0]), False),))
    omega, on = np.ones(1), np.ones(2, bool)
    guarded = cross_fitted(strange, rows, two.model.labels, [on], omega, regimes=2)
    free = cross_fitted(strange, rows, two.model.labels, None, omega, regimes=2)
    lost = (said.regime == 0) & (said.reason == EXPERT)
    assert np.array_equal(guarded.deployed[lost], said.fallback[lost])
    assert np.array_equal(free.deployed[lost], said.experts[lost, 0])
    assert (guarded.regime[lost] == -1).all() and not guarded.agrees.any()
    assert cross_fitted(Evidence(np.zeros(3, int), ()), rows, two.model.labels, None, omega, regimes=2) is None


# the numbers


@pytest.mark.parametrize("outputs", [1, 2])
def test_losses_agree_with_plain_numpy(outputs):
    example = examples.example(q=outputs)
    said, told_rows = told(example), example.evidence
    for line in said.losses:
        square = (told_rows.Y - getattr(told_rows, line.name)) ** 2
        loss = square.mean(1)
        error = loss.std(ddof=1) / np.sqrt(len(loss))
        assert line.relative.value == pytest.approx(loss.mean())
        assert line.relative.high - line.relative.value == pytest.approx(1.959964 * error, rel=1e-6)
        for j, in_units in enumerate(line.per_target):
            variance = example.Y[:, j].var()
            assert in_units.value == pytest.approx(square[:, j].mean() * variance)
            spread = square[:, j].std(ddof=1) / np.sqrt(len(loss)) * variance
            assert in_units.low == pytest.approx(in_units.value - 1.959964 * spread, rel=1e-6)


def test_losses_without_evidence_keep_the_value_and_drop_the_interval(three):
    said = told(three, evidence=None)
    assert not said.held_out
    assert said.losses[2].per_target[1].value == pytest.approx(three.model.losses.per_output[0, 1])
    assert np.isnan(said.losses[2].per_target[1].low)


def test_the_table_agrees_with_plain_numpy(three):
    said, held = told(three), three.evidence
    for k, line in enumerate(said.table):
        own = held.regime == k
        loss = ((held.Y[own] - held.expert[own]) ** 2).mean(1)
        base = ((held.Y[own] - held.single[own]) ** 2).mean(1)
        assert line.rows == np.sum(three.model.labels == k)
        assert line.expert_loss == pytest.approx(loss.mean())
        assert line.fallback_loss == pytest.approx(base.mean())
        assert line.gain.value == pytest.approx((0.99 * base - loss).mean())
        assert line.relative_gain.value == pytest.approx(line.gain.value / base.mean())
        case = three.model.verdict.regimes[k]
        reach = student.ppf(0.975, case.units - 1) * case.error
        assert line.gain.high - line.gain.value == pytest.approx(reach)


def test_evidence_rows_stand_in_the_order_of_the_rows(two):
    held = two.evidence
    Y = (two.Y - two.model.scale.center) / two.model.scale.spread
    assert np.array_equal(held.Y, Y)
    assert held.agrees.mean() > 0.99 and held.judged.all()
    far = np.abs(two.X[:, 0]) > 0.999
    assert np.array_equal(held.reason == FAR, far)
    assert (held.regime[far] == -1).all() and (held.regime[~far] == held.named[~far]).all()
    assert np.array_equal(held.deployed[far], held.single[far])
    best = np.minimum(((held.Y - held.single) ** 2).sum(1) + 1e9, ((held.Y - held.expert) ** 2).sum(1))
    assert (((held.Y - held.oracle) ** 2).sum(1) <= best + 1e-12).all()


def test_gate_quality_is_counted(two):
    gate, held = told(two).gate, two.evidence
    assert gate.accuracy == 0.97
    assert gate.majority == pytest.approx(np.bincount(two.model.labels).max() / len(two.X))
    assert gate.recovered == pytest.approx(held.agrees.mean())
    assert gate.brier == pytest.approx(held.brier.mean())
    assert sum(one.rows for one in gate.bins) <= len(two.X)
    for one in gate.bins:
        own = np.isclose(np.minimum(np.floor(held.probability * 10), 9), np.floor(min(one.stated * 10, 9.0)))
        assert one.observed == pytest.approx(held.agrees[own].mean())


def test_a_description_is_json_without_nan(three):
    for example in (three, examples.example(regimes=1)):
        text = json.dumps(told(example).to_dict(), allow_nan=False)
        back = json.loads(text)
        assert back["found"] == example.model.found
        assert "evidence" not in back and "map" not in back


def test_what_does_not_belong_together_is_refused(two):
    with pytest.raises(InputError, match="do not belong to a model of 300 rows"):
        describe(two.model, two.X[:-1], two.Y[:-1], two.names)
    with pytest.raises(InputError, match="a name for each"):
        describe(two.model, two.X, two.Y, two.names, targets=("a", "b"))


# the words


def test_the_diagnosis_reads_the_losses(two, three):
    assert told(two).diagnosis.startswith("Separable: the experts beat one model")
    assert "too few rows prove it" in told(refused(two, reason="not_proven", case="not_proven")).diagnosis

    def with_losses(single, gated, oracle):
        losses = replace(two.model.losses, single=(single, 0.1), gated=(gated, 0.1), oracle=(oracle, 0.1))
        return told(replace(two, model=replace(two.model, losses=losses))).diagnosis

    assert with_losses(1.0, 1.0, 0.1).startswith("Hidden")
    assert with_losses(1.0, 1.0, 0.9).startswith("No usable regimes")
    assert with_losses(1.0, 0.8, 0.2).startswith("Usable")
    assert with_losses(1.0, 1.5, 0.9).startswith("Harmful")
    assert "does harm" in with_losses(1.0, 1.5, 0.1)


# warnings


def test_each_warning_has_its_cause(two):
    assert told(two).warnings == ()
    model = two.model
    shaky = replace(model, search=replace(model.search, stability={"mean": 0.3, "min": 0.1, "restarts": 4}))
    assert "adjusted Rand index 0.30" in told(replace(two, model=shaky)).warnings[0]
    blind = replace(model, pipeline=replace(model.pipeline, boundary=replace(model.pipeline.boundary, accuracy=0.5)))
    assert "always guessing the largest" in told(replace(two, model=blind)).warnings[0]
    copies = replace(model, notes=("repeated_rows: 7 rows share their features (or group) with another row",))
    assert told(replace(two, model=copies)).warnings[0].startswith("Repeated rows: 7 rows share")
    far = replace(two.evidence, reason=np.where(np.arange(300) < 30, FAR, two.evidence.reason))
    assert told(two, evidence=far).warnings[0].startswith("10 % of the rows lie far")


def test_rules_that_do_not_fit_are_warned_of(two):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 300)
    said = told(replace(two, model=replace(two.model, labels=labels)))
    assert any("read them as a hint" in text for text in said.warnings)


def test_sweeps_are_suspected_and_plain_tables_are_not():
    rng = np.random.default_rng(0)
    hulls, speeds = rng.normal(size=(22, 3)), np.linspace(0.1, 0.5, 14)
    X = np.array([[*hull, speed] for hull in hulls for speed in speeds])
    names = ("a", "b", "c", "speed")
    assert "without speed only 22 of 308" in design_warning(X, names)
    assert design_warning(rng.normal(size=(300, 4)), names) == ""
    levels = np.column_stack([rng.integers(0, 6, 300), rng.normal(size=300)])
    assert design_warning(levels, ("kind", "x")) == ""
    assert design_warning(X[:, :1], ("a",)) == ""


def test_a_named_group_silences_the_suspicion():
    example = examples.example()
    X = np.column_stack([np.repeat(np.linspace(-1, 1, 30), 10), np.tile(np.arange(10.0), 30), np.zeros(300)])
    model = replace(example.model, labels=example.model.pipeline.boundary.labels(X))
    moved = replace(example, X=X, model=model)
    assert any("Rows may belong together" in text for text in told(moved).warnings)
    assert not any("may belong" in text for text in told(moved, grouped=True).warnings)


# text


def test_the_summary_is_short_plain_text(two, three):
    many = replace(three, model=replace(three.model, notes=("repeated_rows: 9 rows share a lot",)))
    for example in (two, many, examples.example(regimes=1), refused(two, reason="not_proven", case="not_proven")):
        text = summary_text(told(example))
        assert 3 <= len(text.splitlines()) <= 25
        assert text.isascii() and max(map(len, text.splitlines())) <= 120
    assert "Regime 1: x1 <= " in summary_text(told(two))
    assert "oracle" in summary_text(told(two)) and "oracle" not in summary_text(told(examples.example(regimes=1)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (0.021, "2.1 %"), (0.43, "43 %"), (0.9997, "99.9 %"), (1.0, "100 %"), (0.00041, "0.041 %"),
     (-0.031, "−3.1 %"), (float("nan"), "–"), (2.5, "250 %")],
)  # fmt: skip
def test_shares_in_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.00012345, "0.0001234"), (1.5e-7, "1.5e−7"), (123456.0, "123456"), (-2.5, "−2.5"), (0.0, "0")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_small_words():
    assert probability(1e-9) == "< 0.0001" and probability(0.0213) == "= 0.021"
    assert listed(["a", "b", "c"]) == "a, b and c" and listed([]) == ""
    assert Interval(1.0, 0.5, 2.0).scaled(2.0) == Interval(2.0, 1.0, 4.0)
    assert plain({"a": np.float64("nan"), "b": (np.int64(3), np.array([1.0]))}) == {"a": None, "b": [3, [1.0]]}
    assert np.array_equal(evenly(np.arange(10), 3), [0, 4, 9])


def test_a_second_opinion_is_told_where_it_differs() -> None:
    assert opinion_sentence(True, True, "strict") == ""
    assert opinion_sentence(True, False, "strict") == " With caution=strict one model would answer."
    assert opinion_sentence(False, True, "balanced") == " With caution=balanced the experts would speak."
