"""Mixes side by side: how each differs from the first, and where that can't be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.graphics.families import Look
from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.units import ABSENT, Scale, percent
from reports.plot.cards import said_status
from reports.plot.measures import Measure
from reports.plot.plot import Plot

ALIKE = "not distinguishable"
SAME = "the same"


@dataclass(frozen=True)
class Head(Named):
    """A mix at the head of its column.

    Args:
        look: How it is drawn in the plot; None of a mix that is not in it.
        status: What it is if it does not compete: baseline, diverged; "" otherwise.
    """

    look: Look | None
    status: str


@dataclass(frozen=True)
class Cell:
    """A number of one mix beside that of the first.

    Args:
        value: The number with its unit.
        spread: Its interval: ±0.04, or 4.1–4.3.
        gap: How it differs from the first, in numbers or words; "" of the first.
        verdict: better, worse or even; "" of the first.
        best: The best of all shown, and told apart from all of them.
    """

    value: str
    spread: str = ""
    gap: str = ""
    verdict: str = ""
    best: bool = False


@dataclass(frozen=True)
class Compared:
    """The table.

    Args:
        heads: The mixes, the one that the others are held against first.
        stages: Slot, and what fills it in each mix; None where it has no such stage.
        lines: Title, and a cell for each mix.
    """

    heads: tuple[Head, ...]
    stages: tuple[tuple[str, tuple[tuple[str, Look] | None, ...]], ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]


def compared(found: Found, shown: Plot, keys: Sequence[str]) -> Compared:
    """Hold mixes against the first of them.

    Args:
        found: What was found.
        shown: What the plot can show.
        keys: Of the mixes, the first being the one that others are held against.
    """
    at = [shown.mixes.index(key) for key in keys]
    lines = [(m.title, cells(shown, m, at)) for m in shown.measures]
    lines = [(title, row) for title, row in lines if any(cell.value != ABSENT for cell in row)]
    chances = [found.number(key, "front_probability") for key in keys]
    if not all(math.isnan(chance) for chance in chances):
        texts = [ABSENT if math.isnan(chance) else percent(chance) for chance in chances]
        lines.append(("Front probability", tuple(map(Cell, texts))))
    return Compared(
        heads=tuple(_head(found, shown, mix) for mix in at),
        stages=tuple(
            (
                slot.name,
                tuple(None if slot.codes[m] < 0 else slot.options[slot.codes[m]] for m in at),
            )
            for slot in shown.slots
            if any(slot.codes[m] >= 0 for m in at)
        ),
        lines=tuple(lines),
    )


def cells(shown: Plot, measure: Measure, mixes: Sequence[int]) -> tuple[Cell, ...]:
    """One measure of several mixes.

    Args:
        shown: What the plot can show.
        measure: Which.
        mixes: Places of the mixes, the first being the one that others are held against.
    """
    text = Scale(measure.name, 1.0, measure.unit, measure.decimals)
    best = _best(shown, measure, mixes)
    return tuple(_cell(shown, measure, text, mix, mixes[0], mix == best) for mix in mixes)


def _head(found: Found, shown: Plot, at: int) -> Head:
    mix = shown.mixes[at]
    look = shown.colours[shown.slot][at] if at < shown.competing else None
    letter, status = found.letters.get(mix, ""), said_status(found, mix)
    return Head(mix, found.label(mix), letter, look, status)


def _cell(shown: Plot, measure: Measure, text: Scale, mix: int, first: int, best: bool) -> Cell:
    value = float(measure.value[mix])
    if math.isnan(value):
        return Cell(ABSENT)
    gap, verdict = "", ""
    if mix != first and not math.isnan(measure.value[first]):
        gap, verdict = _gap(shown, measure, text, mix, first)
    return Cell(text.text(value), _spread(measure, text, mix), gap, verdict, best)


def _spread(measure: Measure, text: Scale, mix: int) -> str:
    low, high = float(measure.low[mix]), float(measure.high[mix])
    if math.isnan(low) or math.isnan(high):
        return ""
    if measure.accuracy:
        return "±" + text.number((high - low) / 2)
    return f"{text.number(low)}–{text.number(high)}"


def _gap(shown: Plot, measure: Measure, text: Scale, mix: int, first: int) -> tuple[str, str]:
    """The difference in words, and whether it is for the better."""
    gap = shown.evidence.gap(measure, mix, first)
    if measure.exact and not gap.apart:
        return SAME, "even"
    if math.isnan(gap.value) or not gap.apart:
        number = "" if math.isnan(gap.value) else text.signed(gap.value) + ", "
        return number + ALIKE, "even"
    words = text.signed(gap.value)
    if not math.isnan(gap.low):
        words += f" ({text.number(gap.low)} to {text.number(gap.high)})"
    up = (gap.value > 0) == (measure.better == "higher")
    return words, "better" if up else "worse"


def _best(shown: Plot, measure: Measure, mixes: Sequence[int]) -> int:
    """The mix that is better than all others of those shown beyond doubt; -1 if there is none."""
    known = [mix for mix in mixes if not np.isnan(measure.value[mix])]
    if len(known) < 2:
        return -1
    pick = max if measure.better == "higher" else min
    best = pick(known, key=lambda mix: measure.value[mix])
    apart = (shown.evidence.gap(measure, best, mix).apart for mix in known if mix != best)
    return best if all(apart) else -1
