"""A longer training held against the short one: the order, the verdicts, and the choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.analysis.fidelity import Agreement, agreement
from reports.analysis.statistics import FEWEST_SEEDS, Summary, summarise
from reports.analysis.verdicts import Turned, turned
from reports.fidelity.checkpoints import mean_over_seeds
from reports.fidelity.longer import Longer, longer
from reports.fidelity.words import tau
from reports.numbers.finding import Finding
from reports.numbers.found import Found
from reports.numbers.units import Scale, count


@dataclass(frozen=True)
class Held:
    """What a longer training says of the short one.

    Args:
        order: How alike the two orders are.
        verdicts: What became of the verdicts on pairs.
        best: Position of the mix that is best in the long training.
        lost: The best of the long training less the best of the short one there, over seeds; 0
            where they are the same mix.
        gained: What the longer training added, over mixes and seeds, in the mean.
    """

    order: Agreement
    verdicts: Turned
    best: int
    lost: Summary
    gained: float


def held(one: Longer) -> Held:
    """Hold the long training against the short one; the first mix is the best of the short one."""
    short, long = mean_over_seeds(one.short), mean_over_seeds(one.long)
    best = int(np.argmax(long))
    return Held(
        order=agreement(short, long),
        verdicts=turned(one.short, one.long),
        best=best,
        lost=summarise((one.long[best] - one.long[0]).tolist()),
        gained=float((long - short).mean()),
    )


def heading(one: Longer) -> str:
    """What was done: trained 4 times as long, 1,600 steps."""
    steps = f", {one.steps:,} steps" if one.steps else ""
    return f"Trained {one.times:g} times as long{steps}"


def said(one: Longer, found: Held, scale: Scale) -> tuple[str, ...]:
    """The sentences above the table of a longer training."""
    number = len(one.mixes)
    order = (
        f"{count(number, 'mix')}, from the front and spread over the ranking, came out in an order "
        f"that agrees with that of the short training at Kendall's tau {tau(found.order)}."
    )
    return (order, _verdict_words(found.verdicts), _choice(found, scale))


def _verdict_words(found: Turned) -> str:
    """Which verdicts on pairs turned."""
    if not found.before:
        text = f"The short training told none of the {count(found.pairs, 'pair')} apart"
    else:
        text = f"Of {count(found.pairs, 'pair')}, the short training told {found.before} apart: "
        text += f"{found.kept} stand, {found.faded or 'none'} can no longer be told apart, "
        changed = len(found.reversed)
        text += f"{changed or 'none'} turned round"
    new = f"; {found.new} more can be told apart now" if found.new else ""
    return f"{text}{new} (95 % over all pairs, after Holm)."


def _choice(found: Held, scale: Scale) -> str:
    """What whoever chose by the short training lost."""
    gained = f"On average the longer training added {scale.text(found.gained)}."
    if found.best == 0:
        return f"The best of the short training is the best of the long one. {gained}"
    enough = found.lost.n >= FEWEST_SEEDS
    spread = scale.spread(found.lost.low, found.lost.high) if enough else ""
    ends = f" ({spread} at 95 %)" if spread else ""
    return f"Choosing by the short training loses {scale.text(found.lost.mean)}{ends}. {gained}"


def unfair_judge(found: Found) -> list[Finding]:
    """Verdicts of the short training that a longer one turned round."""
    checks = ((one, held(one).verdicts.reversed) for one in longer(found))
    return [
        Finding(
            "bad",
            f"{heading(one)}, {count(len(sides), 'pair')} of mixes changed sides: the short "
            "training was no fair judge of them.",
            tuple(turned_words(found, one, *pair) for pair in sides),
        )
        for one, sides in checks
        if sides
    ]


def turned_words(found: Found, one: Longer, first: int, now: int) -> str:
    """A verdict that turned round: which mix was better, and which is."""
    before, after = found.label(one.mixes[first]), found.label(one.mixes[now])
    return f"{before} was better than {after}; trained longer, it is worse."
