"""A longer training as it is shown: its sentences, its mixes, and verdicts that turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.analysis.statistics import FEWEST_SEEDS, Numbers, summarise
from reports.answering.answer import quality_metric, scale
from reports.fidelity.checkpoints import mean_over_seeds
from reports.fidelity.holding import heading, held, said, turned_words
from reports.fidelity.longer import Longer
from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.units import Scale


@dataclass(frozen=True)
class LongRow(Named):
    """One mix that was trained longer.

    Args:
        short: Its result in the short training, and half of its interval.
        long: The same in the long one.
        ranks: Among these mixes, in the short and in the long training.
        ends: Where its line begins and ends, from the top.
    """

    short: tuple[str, str]
    long: tuple[str, str]
    ranks: tuple[int, int]
    ends: tuple[float, float]


@dataclass(frozen=True)
class LongShown:
    """One longer training: its heading, its sentences, its mixes, and verdicts that turned."""

    title: str
    sentences: tuple[str, ...]
    rows: tuple[LongRow, ...]
    reversed: tuple[str, ...]


def long_shown(found: Found, one: Longer) -> LongShown:
    """One longer training, the best of the short one first."""
    quality = quality_metric(found)
    against, shown = held(one), scale(found, quality)
    sign = 1.0 if found.metrics[quality].better == "higher" else -1.0
    short, long = mean_over_seeds(one.short), mean_over_seeds(one.long)
    ranks = np.argsort(np.argsort(-long, kind="stable"), kind="stable") + 1
    ends = _ends(short, long)
    rows = tuple(
        LongRow(
            mix=mix,
            label=found.label(mix),
            letter=found.letters.get(mix, ""),
            short=_result(sign * one.short[at], shown),
            long=_result(sign * one.long[at], shown),
            ranks=(at + 1, int(ranks[at])),
            ends=ends[at],
        )
        for at, mix in enumerate(one.mixes)
    )
    turned = tuple(turned_words(found, one, *pair) for pair in against.verdicts.reversed)
    return LongShown(heading(one), said(one, against, shown), rows, turned)


def _ends(short: Numbers, long: Numbers) -> list[tuple[float, float]]:
    """Places from the top, each training about its own middle and both on one scale."""
    span = max(float(np.ptp(short)), float(np.ptp(long))) or 1.0
    sides = [0.5 - (side - (side.max() + side.min()) / 2) / span for side in (short, long)]
    return list(zip(sides[0].tolist(), sides[1].tolist(), strict=True))


def _result(values: Numbers, shown: Scale) -> tuple[str, str]:
    """Mean over seeds, and half of its interval where there is one."""
    found = summarise(values.tolist())
    if found.n < FEWEST_SEEDS:
        return shown.number(found.mean), ""
    return shown.number(found.mean), f"±{shown.number((found.high - found.low) / 2)}"
