"""Which values are timed next, to see where blocks cross more closely, and what that will take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise

from ablate.crossover.found import Duel
from ablate.crossover.grid import Axis, Case, Contestant, Grid
from ablate.crossover.timing import Rehearsed, forecast_seconds
from ablate.mix import Choice
from ablate.profile import Profile

Times = Mapping[int, float]
"""Seconds of one call, by value of an axis."""


@dataclass(frozen=True, kw_only=True)
class Refining:
    """What timing around cross-overs will take, as far as single calls tell.

    Args:
        crossings: Cross-overs that they show.
        seconds: For the values around these.
        most: For all values that may be asked for, were there a cross-over in every gap.
    """

    crossings: int
    seconds: float
    most: float


def closer(duels: Sequence[Duel]) -> dict[Axis, tuple[int, ...]]:
    """Values to time next, to see where one contestant overtakes another in latency.

    Of the multiples of a power of two, a quarter of the gap apart or less, the two that lie next
    to each crossing; nothing where no such value lies within the gap.
    """
    more: dict[Axis, set[int]] = {}
    for duel in duels:
        for crossing in duel.crossings if duel.quantity == "latency" else ():
            nearest = _nearest(*crossing.between, crossing.at)
            more.setdefault(duel.axis, set()).update(set(nearest) - set(duel.x))
    return {axis: tuple(sorted(values)) for axis, values in more.items() if values}


def forecast_refining(
    contestants: Sequence[Contestant],
    grid: Grid,
    rehearsed: Mapping[str, Rehearsed],
    profile: Profile,
    device: str,
) -> Refining:
    """What `closer` will ask for, and how long that takes, before anything is timed.

    Args:
        contestants: Who is compared.
        grid: Where.
        rehearsed: By key of the case, what one call took.
        profile: Rounds and processes.
        device: cpu or cuda.
    """
    blocks = dict.fromkeys(block for contestant in contestants for block in contestant.members)
    crossings, likely, possible = 0, list[Rehearsed](), list[Rehearsed]()
    for axis in grid.axes:
        times = {block: _times(block, grid, axis, rehearsed) for block in blocks}
        found = list(_crossings(contestants, times))
        crossings += len(found)
        wanted = {value for low, high, at in found for value in _nearest(low, high, at)}
        gaps = pairwise(grid.along(axis))
        everywhere = {value for low, high in gaps for value in _inside(low, high)}
        likely += [_between(known, value) for value in wanted for known in times.values() if known]
        possible += [
            _between(known, value) for value in everywhere for known in times.values() if known
        ]
    seconds, most = (
        forecast_seconds(calls, profile, device) if calls else 0.0 for calls in (likely, possible)
    )
    return Refining(crossings=crossings, seconds=seconds, most=most)


def _inside(low: int, high: int) -> range:
    """The multiples of a power of two between two values, a quarter of the gap apart or less."""
    step = 2 ** max(int(math.log2(max((high - low) / 4, 1))), 0)
    return range(low - low % step + step, high, step)


def _nearest(low: int, high: int, at: float) -> list[int]:
    return sorted(_inside(low, high), key=partial(_apart, at))[:2]


def _apart(one: float, other: float) -> float:
    return abs(one - other)


def _times(block: Choice, grid: Grid, axis: Axis, rehearsed: Mapping[str, Rehearsed]) -> Times:
    found = {
        value: rehearsed[Case(block=block, point=point).key]
        for value, point in grid.along(axis).items()
    }
    return {value: one.seconds for value, one in found.items() if not one.reason and one.seconds}


def _crossings(
    contestants: Sequence[Contestant], times: Mapping[Choice, Times]
) -> Iterator[tuple[int, int, float]]:
    """Between which neighbours single calls change their order, and about where."""
    for pair in combinations(contestants, 2):
        one, other = (_least([times[block] for block in who.members]) for who in pair)
        ratios = {x: math.log(one[x] / other[x]) for x in one if x in other}
        for (low, left), (high, right) in pairwise(sorted(ratios.items())):
            if left * right < 0:
                part = left / (left - right)
                yield low, high, low * (high / low) ** part


def _least(members: Sequence[Times]) -> Times:
    values = {value for known in members for value in known}
    return {x: min(known[x] for known in members if x in known) for x in values}


def _between(known: Times, value: int) -> Rehearsed:
    """One call at a value between others: as its neighbours, in proportion on logarithms."""
    low = max((x for x in known if x <= value), default=min(known))
    high = min((x for x in known if x >= value), default=max(known))
    part = math.log(value / low) / math.log(high / low) if low < high else 0.0
    return Rehearsed(seconds=known[low] * (known[high] / known[low]) ** part)
