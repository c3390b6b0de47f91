"""What checkpoints and longer trainings say of the short one, in sentences."""

from __future__ import annotations

import math

from reports.analysis.fidelity import Agreement
from reports.fidelity.judging import Checkpoint, Judged
from reports.numbers.units import TIE, Scale, percent

ALIKE = 0.9  # of the agreement of two seeds: as good a judge as another seed, nearly
CAVEAT = (
    "A checkpoint lies inside a schedule whose learning rate has not fallen yet, so it is a "
    "harsher judge than a training planned to be as short. What a longer training would say, "
    "only a longer training shows: ablate fidelity RUN."
)


def said(judged: Judged, scale: Scale) -> tuple[str, ...]:
    """The sentences above the table of checkpoints."""
    lines = [_at_half(judged, scale), _best_few(judged), _seeds(judged)]
    if judged.paired < judged.mixes:
        lines.append(
            f"Taus are of {judged.paired} mixes of each band, drawn evenly from {judged.mixes:,}."
        )
    return tuple(line for line in lines if line)


def number(value: float) -> str:
    """Tau with its sign, and a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def interval(found: Agreement) -> str:
    """Its ends; empty where there are none."""
    if math.isnan(found.low):
        return ""
    return f"{number(found.low)} to {number(found.high)}"


def tau(found: Agreement) -> str:
    """Tau with its interval: 0.91 (0.85 to 0.95)."""
    ends = interval(found)
    return f"{number(found.tau)} ({ends})" if ends else number(found.tau)


def place(checkpoint: Checkpoint) -> str:
    """Where it is: step 200, or 50 % of the training."""
    if checkpoint.step:
        return f"step{TIE}{checkpoint.step:,}"
    return f"{percent(checkpoint.part)} of the training"


def _at_half(judged: Judged, scale: Scale) -> str:
    half, end = judged.half, judged.checkpoints[-1]
    if "all" not in half.bands:
        return ""
    of = f" of {end.step:,}" if half.step and end.step else ""
    text = (
        f"At {place(half)}{of} the {judged.mixes:,} mixes stood much as in the end: "
        if half.bands["all"].tau > 0.8
        else f"At {place(half)}{of} the order of the {judged.mixes:,} mixes was another: "
        if half.bands["all"].tau < 0.4
        else f"At {place(half)}{of} the {judged.mixes:,} mixes stood roughly as in the end: "
    )
    text += f"Kendall's tau {tau(half.bands['all'])}"
    for name in list(half.bands)[1:]:
        text += f", among the {name} {tau(half.bands[name])}"
    if not round(half.lost / scale.factor, scale.decimals):
        return f"{text}. Whoever had taken the best mix there would have lost nothing."
    return f"{text}. Whoever had taken the best mix there would have lost {scale.text(half.lost)}."


def _best_few(judged: Judged) -> str:
    at, last = judged.settled, len(judged.checkpoints) - 1
    before = judged.checkpoints[last - 1]
    if at == last:
        text = f"The best three still changed after {place(before)}"
        shown = before
    else:
        shown = judged.checkpoints[at]
        text = f"From {place(shown)} on the best three stayed the same"
    if math.isnan(shown.settled):
        return f"{text}."
    often = percent(shown.settled)
    return f"{text}; when the seeds are drawn again, they had settled by then in {often} of cases."


def _seeds(judged: Judged) -> str:
    if math.isnan(judged.seeds_agree) or math.isnan(judged.half.other_seed):
        return ""
    text = (
        f"Two seeds order the mixes with tau {number(judged.seeds_agree)} in the end, one seed at "
        f"{place(judged.half)} and another in the end with {number(judged.half.other_seed)}: "
    )
    if judged.half.other_seed >= ALIKE * judged.seeds_agree:
        return f"{text}what the checkpoint got wrong is little more than the seeds' doing."
    return f"{text}seeds alone do not explain what the checkpoint got wrong."
