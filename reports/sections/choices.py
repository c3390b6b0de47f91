"""What each choice does on average at each stage: to the quality and to the cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.analysis.effects import Effect, Effects
from reports.answering.answer import (
    choice_costs,
    cost_metric,
    quality_effects,
    quality_metric,
    scale,
)
from reports.answering.caveats import caveats
from reports.graphics.axes import Axis, axis
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.families import Look
from reports.graphics.pipes import beside, escaped, pipe_table
from reports.numbers.fillings import families_of_levels
from reports.numbers.found import Found
from reports.numbers.measured import finer_for, quality_values
from reports.numbers.sources import Sources, sources
from reports.numbers.sources import markdown as source_lines
from reports.numbers.units import TIE, Scale, plain, share
from reports.sections.section import Given, Section


@dataclass(frozen=True)
class Lane:
    """One effect, placed along its lane from 0 (left) to 1 (right).

    Args:
        text: The effect with its sign.
        unit: Its unit, after a space; "" for a bare number.
        interval: Its interval in words; "" without one.
        at: Where the dot is.
        ends: Where the interval begins and ends; empty without one.
        zero: Where no effect is.
        claimed: Whether a difference is claimed; otherwise the dot is hollow.
    """

    text: str
    unit: str
    interval: str
    at: float
    ends: tuple[float, ...]
    zero: float
    claimed: bool


@dataclass(frozen=True)
class Level:
    """One level of an axis.

    Args:
        name: The level.
        look: Its family, where the axis decides what fills a stage.
        mixes: Mixes with this level.
        lanes: Its effect on the quality, then on the cost; None where it can't be estimated.
    """

    name: str
    look: Look | None
    mixes: int
    lanes: tuple[Lane | None, ...]


@dataclass(frozen=True)
class Choices:
    """The figure.

    Args:
        headings: What the lanes are: name and unit.
        axes: Axis by axis its levels, the best first.
        claims: Whether there are enough seeds to claim anything.
        explained: Share of the variance that adding up the effects explains; NaN if unknown.
        complete: Whether every combination was measured.
        notes: What to know about the intervals, a sentence each.
        sources: Where the differences between trials come from; None if that is not known.
    """

    headings: tuple[str, ...]
    axes: tuple[tuple[str, tuple[Level, ...]], ...]
    claims: bool
    explained: float
    complete: bool
    notes: tuple[str, ...] = ()
    sources: Sources | None = None

    @property
    def explanation(self) -> str:
        """How far the mean effects go; "" where it can't be told."""
        if math.isnan(self.explained):
            return ""
        return (
            f"Adding up these mean effects explains {share(self.explained)} of the variance "
            "between mixes (adjusted R²); what is left is how the choices interact, and noise."
        )


def choices(found: Found) -> Choices:
    """The effects on the quality and on the first cost, side by side."""
    quality, cost = quality_metric(found), cost_metric(found)
    effects = [quality_effects(found)] if quality in found.table else []
    if cost:
        effects.append(choice_costs(found, cost))
    effects = [each for each in effects if each.effects]
    scales = [_scale(found, each) for each in effects]
    lanes = [_lanes(each, shown) for each, shown in zip(effects, scales, strict=True)]
    axes = dict.fromkeys(effect.axis for each in effects for effect in each.effects)
    first = effects[0] if effects else Effects("", (), math.nan, True)
    measured = quality_values(found) if first.metric == quality else None
    return Choices(
        headings=tuple(shown.heading for shown in scales),
        axes=tuple((plain(name), _levels(found, name, effects, lanes)) for name in axes),
        claims=any(effect.n > 2 for effect in first.effects),
        explained=first.explained,
        complete=first.complete,
        notes=caveats(first, measured, _stopped(found)) if measured else (),
        sources=sources(measured, found.metrics[quality].better) if measured else None,
    )


def _stopped(found: Found) -> int:
    return int((found.table["status"] == "stopped").sum())


def _scale(found: Found, effects: Effects) -> Scale:
    """The metric's own unit, with as many decimals as the intervals are wide."""
    return finer_for(scale(found, effects.metric), effects.effects)


def _levels(
    found: Found, name: str, effects: list[Effects], lanes: list[dict[tuple[str, str], Lane]]
) -> tuple[Level, ...]:
    """Ordered by quality, best first, whichever direction is better."""
    shown = families_of_levels(found, name)
    members = list(effects[0].of(name) or effects[-1].of(name))
    lower = found.metrics[effects[0].metric].better == "lower"
    members.sort(key=lambda effect: effect.value, reverse=not lower)
    return tuple(
        Level(
            effect.level,
            shown.get(effect.level),
            effect.mixes,
            tuple(lane.get((name, effect.level)) for lane in lanes),
        )
        for effect in members
    )


def _lanes(effects: Effects, shown: Scale) -> dict[tuple[str, str], Lane]:
    """All effects on one metric, along one axis."""
    inside = [effect.value for effect in effects.effects]
    reach = 1.6 * max(abs(value) for value in inside)
    for effect in effects.effects:  # an interval may stretch the axis, but not at will
        ends = [end for end in (effect.low, effect.high) if not math.isnan(end)]
        inside += [min(max(end, -reach), reach) for end in ends]
    widest = max(abs(value) for value in inside)
    along = axis([-widest, widest], pad=0.06)  # no effect is in the middle of every lane
    return {(each.axis, each.level): _lane(each, along, shown) for each in effects.effects}


def _lane(effect: Effect, along: Axis, shown: Scale) -> Lane:
    known = not math.isnan(effect.low)
    return Lane(
        text=shown.signed(effect.value).removesuffix(TIE + shown.unit),
        unit=TIE + shown.unit if shown.unit else "",
        interval=shown.spread(effect.low, effect.high) if known else "",
        at=along.clipped(effect.value),
        ends=(along.clipped(effect.low), along.clipped(effect.high)) if known else (),
        zero=along.at(0.0),
        claimed=effect.claimed,
    )


def collect(given: Given) -> Choices:
    """Lay the figure out."""
    return choices(given.found)


def markdown(shown: Choices) -> list[str]:
    """The figure beside the report, and its numbers."""
    lines = ["## What each choice does on average", ""]
    lines += ["![Mean effect of each choice](figures/effects.png)", ""]
    if not shown.axes:
        return [*lines, "Nothing to compare yet.", ""]
    heads = escaped(["Choice", "Level", *shown.headings])
    rows = [
        [escape(name), escape(level.name), *map(_in_words, level.lanes)]
        for name, levels in shown.axes
        for level in levels
    ]
    lines += [*pipe_table(heads, "ll" + "r" * len(shown.headings), rows)]
    lines += ["", " ".join(filter(None, (*map(escape, shown.notes), shown.explanation))), ""]
    return [*lines, *source_lines(shown.sources)] if shown.sources else lines


def _in_words(lane: Lane | None) -> str:
    if lane is None:
        return "–"
    return beside(lane.text, lane.interval) + ("" if lane.claimed else " (no difference claimed)")


SECTION = Section("choices", collect, markdown)
