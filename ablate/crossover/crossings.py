"""From timed blocks to how each grows, and where one overtakes another, as far as can be told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

import numpy as np

from ablate.crossover.found import Comparison, Course, Crossing, Duel, Quantity
from ablate.crossover.grid import AXES, Axis, Case, Contestant, Grid, Point
from ablate.crossover.timing import Rehearsed
from ablate.profiling.samples import Array, LatencySample
from ablate.profiling.scaling import ScalingError, draws, fit_growth
from ablate.profiling.summary import summarise

RESOLUTION: Final = 0.02  # a ratio of times nearer to 1 than this is not called a difference


@dataclass(frozen=True)
class _Measured:
    """A contestant at some points: values (n,), and the same measured again (resamples, n)."""

    x: tuple[int, ...]
    values: Array
    again: Array


def compare(
    contestants: Sequence[Contestant],
    grid: Grid,
    rehearsed: Mapping[str, Rehearsed],
    sittings: Sequence[Sequence[LatencySample]],
    seed: int = 0,
) -> Comparison:
    """Fit how every contestant grows along each axis that varies, and find where they cross.

    Args:
        contestants: Who is compared.
        grid: Where.
        rehearsed: By key of the case: its memory, or why it cannot be run.
        sittings: Latencies, sitting by sitting; subjects are keys of cases. All contestants were
            timed together at each point, in one of the sittings.
        seed: Fixes the resampling.
    """
    books = {"latency": _latencies(sittings, seed), "memory": _memories(rehearsed)}
    courses, duels = list[Course](), list[Duel]()
    quantities: tuple[Quantity, ...] = ("latency", "memory")
    for axis in (axis for axis in AXES if axis in grid.axes):
        for quantity in quantities:
            found = {
                contestant.name: _measured(contestant, grid.along(axis), books[quantity])
                for contestant in contestants
            }
            courses += [_course(n, quantity, axis, m, seed) for n, m in found.items() if m.x]
            duels += [
                _duel(pair, (found[pair[0]], found[pair[1]]), quantity, axis)
                for pair in combinations(found, 2)
            ]
    notes = {summary.note for one in sittings for summary in summarise(one, seed).values()}
    note = "; ".join(sorted(notes - {""}))
    dropped = {key: case.reason for key, case in rehearsed.items() if case.reason}
    return Comparison(courses=tuple(courses), duels=tuple(duels), dropped=dropped, note=note)


_Book = Mapping[str, tuple[float, Array]]  # by case: the value, and the same measured again


def _latencies(sittings: Sequence[Sequence[LatencySample]], seed: int) -> _Book:
    book: dict[str, tuple[float, Array]] = {}
    for number, samples in enumerate(sittings):
        drawn = draws(samples, seed + number)
        for i, subject in enumerate(drawn.subjects):
            book[subject] = (float(drawn.seconds[i]), drawn.resampled[:, i])
    return book


def _memories(rehearsed: Mapping[str, Rehearsed]) -> _Book:
    """A forecast is the same again every time."""
    return {
        key: (float(case.memory), np.array([float(case.memory)]))
        for key, case in rehearsed.items()
        if not case.reason
    }


def _measured(contestant: Contestant, points: Mapping[int, Point], book: _Book) -> _Measured:
    """The least of a contestant's blocks at each point where one of them runs."""
    x, values, again = list[int](), list[float](), list[Array]()
    for value, point in points.items():
        keys = [Case(block=block, point=point).key for block in contestant.members]
        there = [book[key] for key in keys if key in book]
        if there:
            x.append(value)
            values.append(min(value for value, _ in there))
            again.append(np.min([draw for _, draw in there], axis=0))
    drawn = np.array(again).T if again else np.empty((1, 0))  # a row for each resample
    return _Measured(tuple(x), np.array(values), drawn)


def _course(name: str, quantity: Quantity, axis: Axis, found: _Measured, seed: int) -> Course:
    low, high = np.quantile(found.again, (0.025, 0.975), axis=0)
    growth, reason = None, ""
    try:
        again = found.again if len(found.again) > 1 else None
        growth = fit_growth(_units(found.x, axis), found.values, again, seed)
    except ScalingError as error:
        reason = str(error)
    return Course(
        name=name,
        quantity=quantity,
        axis=axis,
        x=found.x,
        values=tuple(found.values.tolist()),
        low=tuple(np.minimum(low, found.values).tolist()),
        high=tuple(np.maximum(high, found.values).tolist()),
        growth=growth,
        reason=reason,
    )


def _units(x: Sequence[int], axis: Axis) -> list[float]:
    """What the law is over: pixels where the size varies."""
    return [float(value**2 if axis == "size" else value) for value in x]


def _duel(
    names: tuple[str, str], found: tuple[_Measured, _Measured], quantity: Quantity, axis: Axis
) -> Duel:
    common = tuple(x for x in found[0].x if x in found[1].x)
    one, other = (_at(measured, common) for measured in found)
    logs, again = np.log(one.values / other.values), np.log(one.again / other.again)
    signs = _signs(logs, again, RESOLUTION if quantity == "latency" else 0.0)
    names_by_sign = {-1: names[0], 0: "", 1: names[1]}
    crossings = [
        _crossing(names_by_sign, signs, (left, right), np.log(common), logs, again)
        for left, right in _changes(signs)
    ]
    return Duel(
        first=names[0],
        second=names[1],
        quantity=quantity,
        axis=axis,
        x=common,
        ratios=tuple(np.exp(logs).tolist()),
        better=tuple(names_by_sign[sign] for sign in signs),
        crossings=tuple(crossings),
    )


def _at(found: _Measured, x: Sequence[int]) -> _Measured:
    columns = [found.x.index(value) for value in x]
    return _Measured(tuple(x), found.values[columns], found.again[:, columns])


def _signs(logs: Array, again: Array, resolution: float) -> list[int]:
    """At each value -1 where the first surely takes less, 1 where the second does, else 0."""
    if not len(logs):
        return []
    low, high = np.quantile(again, (0.025, 0.975), axis=0)
    least = math.log1p(resolution)
    first = (high < 0) & (logs < -least)
    second = (low > 0) & (logs > least)
    return [int(sign) for sign in second.astype(int) - first.astype(int)]


def _changes(signs: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours, among the places that are not 0, whose signs differ."""
    sure = [place for place, sign in enumerate(signs) if sign]
    return [(a, b) for a, b in pairwise(sure) if signs[a] != signs[b]]


def _crossing(
    names: Mapping[int, str],
    signs: Sequence[int],
    bracket: tuple[int, int],
    places: Array,
    logs: Array,
    again: Array,
) -> Crossing:
    left, right = bracket
    part = slice(left, right + 1)
    at = _zero(places[part], logs[part])
    drawn = [_zero(places[part], draw[part]) for draw in again]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Crossing(
        below=names[signs[left]],
        above=names[signs[right]],
        at=math.exp(at),
        low=math.exp(min(low, at)),
        high=math.exp(max(high, at)),
        between=(round(math.exp(places[left])), round(math.exp(places[right]))),
    )


def _zero(places: Array, logs: Array) -> float:
    """Where a line through points of different signs at its ends first crosses 0.

    A draw whose ends do not differ crosses outside: it is put at the nearer end.
    """
    for here in range(len(logs) - 1):
        if logs[here] * logs[here + 1] <= 0 and logs[here] != logs[here + 1]:
            step = logs[here] / (logs[here] - logs[here + 1])
            return float(places[here] + step * (places[here + 1] - places[here]))
    return float(places[0] if abs(logs[0]) < abs(logs[-1]) else places[-1])
