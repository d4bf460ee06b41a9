"""How good the answers are and who may give them: losses, the guard, residuals, the gate."""

from __future__ import annotations

import numpy as np

from strongsuit.partition.describe_values import Description, LossLine, RegimeLine
from strongsuit.partition.describe_words import number, percent, probability
from strongsuit.partition.discover import Partitioned
from strongsuit.plots.checks import TARGETS_SHOWN, draw_reliability, draw_residuals
from strongsuit.plots.losses import draw_gains, draw_losses
from strongsuit.report.page import Section, figure_number, paragraph, picture, reach, regime_name, table, text

PANELS = ". Left: against the prediction of the deployed model. Right: median, middle half and middle 90 % by regime."
UNGUARDED = "The guard is off. Every expert answers in its regime, whether or not rows left out speak for it."
VERDICT_WORDS = {
    "proven": "the partition is deployed",
    "gain_too_small": "the whole gain is below the margin, so the partition is not deployed",
}


def losses_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """The ways to answer side by side, with 95 % intervals."""
    single = description.losses[2].relative.value
    if not np.isfinite(single):
        return Section("losses", "Losses side by side", paragraph("Too few rows to leave any out: no loss is known."))
    lines = description.losses if description.found > 1 else (description.losses[2],)
    units = [f"{text(name)}²" for name in description.targets]
    head = ("Answer", "What it is", "share of the variance", *(f"error, {unit}" for unit in units))
    rows = [_loss_row(line) for line in lines]
    caption = "Mean squared errors on rows left out, with 95 % intervals that take rows of a unit together."
    body = paragraph(text(description.diagnosis))
    if description.found > 1:
        alt = "Losses: " + ", ".join(f"{one.name} {percent(one.relative.value)}" for one in description.losses) + "."
        body += picture(draw_losses(description), "losses", alt=alt, caption="Held-out losses with 95 % intervals.")
    body += table(head, rows, caption=caption, words=(0, 1))
    if description.found > 1:
        body += paragraph(
            "The oracle's loss falls with every regime, even on pure noise, so a gap between it and gated proves "
            "nothing by itself.",
            "small",
        )
    return Section("losses", "Losses side by side" if description.found > 1 else "Loss", body)


def _loss_row(line: LossLine) -> tuple[str, ...]:
    per_target = tuple(reach(value) for value in line.per_target)
    return (line.name, text(line.words), reach(line.relative, share=True), *per_target)


def guard_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """The guard's decisions with the numbers they rest on."""
    if description.found == 1:
        return None
    settings = description.settings
    margin, alpha = percent(float(settings["min_gain"])), percent(float(settings["alpha"]))
    lead = (
        f"An expert may speak only where rows it never saw prove, at {alpha} over all regimes (Holm), that it beats "
        f"the single model by more than {margin}. With the decision itself cross-fitted, the deployed model's loss "
        f"is {percent(abs(description.gain))} {'below' if description.gain >= 0 else 'above'} the single model's: "
        f"{VERDICT_WORDS.get(description.reason, 'no expert may speak, so one model answers everywhere')}."
    )
    if description.reason == "unguarded":
        lead = UNGUARDED
    elif description.reason in ("not_proven", "too_few", "unmatched", "shrunk_away", "degraded"):
        lead = lead.partition(" With the decision")[0] + " No expert passed, so one model answers everywhere."
    told = [line for line in description.table if np.isfinite(line.gain.value)]
    body = paragraph(lead)
    if told:
        alt = "Gains: " + ", ".join(
            f"regime {line.regime} {percent(_gain(line).value)} ({'on' if line.speaks else 'off'})" for line in told
        )
        caption = (
            "Gain of each expert with a 95 % interval that allows for the overlap of training sets. Right of the "
            "dashed line the expert beats the margin; the test is one-sided, so the interval of an expert that is on "
            "may just reach across. Filled: on. Hollow: off."
        )
        body += picture(draw_gains(description), "gains", alt=alt + ".", caption=caption)
    return Section("guard", "Decisions of the guard", body + _guard_table(description))


def _gain(line: RegimeLine):
    return line.relative_gain if np.isfinite(line.relative_gain.value) else line.gain


def _guard_table(description: Description) -> str:
    head = (
        "Regime", "Expert", "rows", "units", "family", "loss expert", "loss single", "gain", "p", "p needed",
        "shrinkage",
    )  # fmt: skip
    rows = [_guard_row(line) for line in description.table]
    caption = (
        "Losses are means over the regime's rows left out, as a share of the target's variance; units are distinct "
        "rows or groups whose regime was found again without them, discounted for unequal weights; the gain is beyond "
        "the margin, relative to the single model's loss in the regime; p is one-sided; p needed is Holm's threshold; "
        "shrinkage is how far the expert may move from the single model (0 to 1)."
    )
    return table(head, rows, caption=caption, words=(0, 1, 4))


def _guard_row(line: RegimeLine) -> tuple[str, ...]:
    why = f'<span class="why small">{text(line.words.partition(" (p ")[0])}</span>'
    state = '<span class="state on">on</span>' if line.speaks else '<span class="state off">off</span>'
    p = probability(line.p).removeprefix("= ") if np.isfinite(line.gain.value) else "–"
    needed = number(line.threshold, 2) if np.isfinite(line.gain.value) else "–"
    return (
        regime_name(line.regime), f"{state} {why}", f"{line.rows}", number(line.units, 4), text(line.family),
        percent(line.expert_loss), percent(line.fallback_loss), reach(_gain(line), share=True), p, needed,
        number(line.shrink, 2),
    )  # fmt: skip


def residuals_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """Residuals by regime of the deployed model, beside the single model's."""
    drawn = draw_residuals(model, description, X, Y)
    whose = "rows left out" if description.held_out else "rows the model was trained on, so they flatter it"
    caption = f"Residuals (observed minus predicted) on {whose}" + (
        PANELS if description.found > 1 else ", against the prediction."
    )
    hidden = len(description.targets) - TARGETS_SHOWN
    if hidden > 0:
        caption += f" {hidden} more target{'s' if hidden > 1 else ''} not drawn."
    alt = f"Residuals of {', '.join(description.targets[:TARGETS_SHOWN])} by regime."
    heading = "Residuals by regime" if description.found > 1 else "Residuals"
    return Section("residuals", heading, picture(drawn, "residuals", alt=alt, caption=text(caption)))


def gate_section(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Section | None:
    """How well the boundary knows the regimes, and whether its probabilities mean what they say."""
    gate = description.gate
    if gate is None:
        return None
    columns = ", ".join(text(name) for name in gate.columns[:12]) + (" and more" if len(gate.columns) > 12 else "")
    facts = [
        ("kind", text(gate.kind or "support vector machine")),
        ("features it sees", columns),
        ("accuracy on rows left out", percent(gate.accuracy)),
        ("always guessing the largest regime", percent(gate.majority)),
        ("rows named alike without them", percent(gate.recovered)),
        ("Brier score (0 is perfect)", figure_number(gate.brier, 3)),
        ("gating", "soft: experts are mixed by probability" if gate.soft else "hard: one expert answers"),
        ("rows too far from all others", percent(description.far_share)),
    ]
    whose = "on rows left out" if gate.held_out else "on rows the boundary was trained on"
    body = table(
        ("The boundary", "Value"),
        facts,
        caption="What stores the partition and names the regime of a row.",
        words=(0, 1),
    )
    if len(gate.bins) == 1:
        only = gate.bins[0]
        body += paragraph(
            f"All probabilities are alike: {percent(only.stated)} stated, {percent(only.observed)} observed {whose}."
        )
    elif gate.bins:
        low, high = gate.bins[0], gate.bins[-1]
        alt = (
            f"Reliability diagram: stated {percent(low.stated)} to {percent(high.stated)}, observed "
            f"{percent(low.observed)} to {percent(high.observed)}."
        )
        caption = (
            f"Reliability {whose}: on the dashed line the gate's probabilities mean what they say. Below it, regimes "
            "move when rows are left out."
        )
        body += picture(draw_reliability(description), "gate", alt=alt, caption=caption, wide=False)
    return Section("gate", "Reliability of the gate", body)
