"""What the choices do, as claims: what replacing one by another gains, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.analysis.effects import Effects
from reports.analysis.statistics import FEWEST_SEEDS
from reports.analysis.swaps import Swap, swaps
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.goals import begin, cost_metric, higher_is_better, place, quality_metric, scale
from reports.numbers.measured import cost_values, finer_for, quality_values
from reports.numbers.units import TIE, Scale, count, percent, spoken

SAID = 2  # choices that the answer itself names


@dataclass(frozen=True)
class Claims:
    """What can be said of the choices.

    Args:
        sentence: The strongest claims, or that there is none; "" where nothing is compared.
        rest: Further claims; "" if there are none.
        any: Whether there is a claim at all.
    """

    sentence: str
    rest: str
    any: bool


@dataclass(frozen=True)
class _Choice:
    """One axis: the swap that says most of it, and what it costs (None where unknown)."""

    swap: Swap
    cost: Swap | None


def claims(found: Found, effects: Effects) -> Claims:
    """Say what each choice does that the data support, the strongest first.

    Of each axis the level with the best mean is held against the cheapest one, because what is to
    be known is whether it pays; where that is the same, or not to be told apart, against the level
    that it beats by most. All claims hold together at 95 % (Holm over all pairs of all axes).

    Args:
        found: The numbers.
        effects: Of the choices on what mixes are ranked by.
    """
    if not effects.effects:
        return Claims("", "", False)
    every = swaps(quality_values(found))
    spent = _cost_swaps(found)
    chosen = [_of_axis(found, effects, (every, spent), axis) for axis in _axes(effects)]
    made = [choice for choice in chosen if choice is not None]
    made.sort(key=lambda choice: (not choice.swap.claimed, -abs(choice.swap.value)))
    sure = [swap for swap in every if swap.claimed]
    shown = finer_for(scale(found, quality_metric(found)), sure)
    claimed = [choice for choice in made if choice.swap.claimed]
    if not made:
        return Claims("", "", False)
    if not claimed:
        return Claims(_none(found, made[0].swap, shown), "", False)
    said = [_said(found, choice, shown, first=not at) for at, choice in enumerate(claimed)]
    silent = [choice.swap.axis for choice in made if not choice.swap.claimed]
    head = [*said[:SAID], *([_silent(silent)] if silent else [])]
    rest = "; ".join(said[SAID:])
    return Claims(begin("; ".join(head)) + ".", f"{begin(rest)}." if rest else "", True)


def _axes(effects: Effects) -> list[str]:
    return list(dict.fromkeys(effect.axis for effect in effects.effects))


def _of_axis(
    found: Found, effects: Effects, known: tuple[tuple[Swap, ...], tuple[Swap, ...]], axis: str
) -> _Choice | None:
    """The best level of an axis held against another one."""
    sign = 1.0 if higher_is_better(found, effects.metric) else -1.0
    best = max(effects.of(axis), key=lambda effect: sign * effect.value).level
    gains, costs = ({swap.before: swap for swap in _into(each, axis, best)} for each in known)
    if not gains:
        return None
    cost = cost_metric(found)
    dear = -1.0 if cost and higher_is_better(found, cost) else 1.0  # what costs more
    cheapest = max(costs, key=lambda level: dear * costs[level].value, default="")
    pays = cheapest in gains and dear * costs[cheapest].value > 0 and gains[cheapest].claimed
    widest = max(gains.values(), key=lambda swap: (swap.claimed, sign * swap.value))
    chosen = gains[cheapest] if pays else widest
    return _Choice(chosen, costs.get(chosen.before))


def _cost_swaps(found: Found) -> tuple[Swap, ...]:
    cost = cost_metric(found)
    return swaps(cost_values(found, cost)) if cost else ()


def _into(every: tuple[Swap, ...], axis: str, level: str) -> list[Swap]:
    """The swaps of an axis that put this level in the place of another."""
    mine = [swap for swap in every if swap.axis == axis and level in (swap.before, swap.after)]
    return [swap if swap.after == level else swap.reversed for swap in mine]


def _said(found: Found, choice: _Choice, shown: Scale, *, first: bool) -> str:
    swap = choice.swap
    up = swap.value > 0
    if higher_is_better(found, shown.metric):
        verb = "gains" if up else "loses"
    else:
        verb = f"{'raises' if up else 'lowers'} {spoken(shown.title)} by"
    low, high = sorted((abs(swap.low), abs(swap.high)))
    level = f"{percent(0.95)}: " if first else ""
    text = (
        f"{place(swap.axis)}, {swap.after} instead of {swap.before} {verb} "
        f"{shown.text(abs(swap.value))} ({level}{shown.spread(low, high)})"
    )
    return text + _cost(found, choice.cost)


def _cost(found: Found, swap: Swap | None) -> str:
    """What a swap costs or saves; "" where that is not known."""
    if swap is None or math.isnan(swap.value):
        return ""
    shown = scale(found, cost_metric(found))
    what = "" if shown.metric == "latency" else f" {spoken(shown.title)}"
    if not swap.claimed or not shown.signed(swap.value).strip("+−0.").strip(TIE + shown.unit):
        return f", with no difference claimed in {spoken(shown.title)}"
    amount = shown.text(abs(swap.value))
    if higher_is_better(found, shown.metric):
        verb = "raises" if swap.value > 0 else "lowers"
        return f" and {verb} {spoken(shown.title)} by {amount}"
    return f" and {'costs' if swap.value > 0 else 'saves'} {amount}{what}"


def _silent(axes: list[str]) -> str:
    """Of which choices nothing is claimed."""
    places = [place(axis) for axis in axes]
    if len(places) > 3:
        return f"of {len(places)} other choices no difference claimed"
    named = places[0] if len(places) == 1 else f"{', '.join(places[:-1])} and {places[-1]}"
    return f"{named} no difference claimed"


def _none(found: Found, swap: Swap, shown: Scale) -> str:
    """That nothing can be claimed, and what could have been seen."""
    seeds = seed_counts(found)
    if seeds.middle < FEWEST_SEEDS:
        mixes = "a mix" if seeds.most < FEWEST_SEEDS else "most mixes"
        few = f"{count(seeds.middle, 'seed')} to {mixes}"
        return f"With {few}, no difference claimed between any two choices."
    text = (
        f"No difference claimed between any two choices: the largest, {swap.after} instead of "
        f"{swap.before} {place(swap.axis)}, is {shown.signed(swap.value)}"
    )
    if spread := shown.spread(swap.low, swap.high):
        text += f" ({percent(0.95)}: {spread})"
    if math.isfinite(swap.smallest):
        text += f"; less than {shown.text(swap.smallest)} could easily have been missed"
    return f"{text}."
