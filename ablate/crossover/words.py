"""What was found of blocks as they grow, in rows and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ablate.console.words import duration
from ablate.crossover.found import Comparison, Course, Crossing, Duel, Quantity
from ablate.crossover.grid import Axis, Contestant, Grid
from ablate.crossover.refining import Refining
from ablate.profiling.scaling import Growth
from reports.numbers.units import count

Row = tuple[str, ...]

_UNITS: Final[Mapping[Axis, str]] = {"size": "px", "width": "channels", "batch": "images"}
_OVER: Final[Mapping[Axis, str]] = {"size": "pixels", "width": "width", "batch": "batch"}
_BETTER: Final[Mapping[Quantity, str]] = {
    "latency": "is faster than",
    "memory": "takes less memory than",
}
_UNKNOWN: Final = 1.0  # width of an exponent's interval from which nothing is said of it
_FAR_OFF: Final = 0.1  # misfit of a law that is mentioned


def heading(contestants: Sequence[Contestant], grid: Grid, how: str) -> list[str]:
    """Who is compared, where and how."""
    names = ", ".join(_who(contestant) for contestant in contestants)
    base = grid.base
    fixed = f"base: {base.size}x{base.size}, width {base.width}, batch {base.batch}"
    varied = ", ".join(f"{axis} {_listed(list(grid.along(axis)))}" for axis in grid.axes)
    return [names, f"varied: {varied}; {fixed}", how]


def begun(cases: int, seconds: float, refining: Refining | None) -> str:
    """What timing will take, before it begins.

    Args:
        cases: Blocks at points.
        seconds: What timing them takes.
        refining: What the values around cross-overs take after that; none where none are timed.
    """
    about = f"timing {count(cases, 'case')} takes about {duration(seconds)} (forecast)"
    if refining:
        shown = f"single calls show {count(refining.crossings, 'cross-over')}"
        about += (
            f", with --refine about {duration(seconds + refining.seconds)} in all: {shown}; "
            f"at most {duration(seconds + refining.most)}"
        )
    return f"{about}; --rounds N or fewer sizes take less, Ctrl-C stops it"


def table(comparison: Comparison, axis: Axis, quantity: Quantity) -> tuple[Row, list[Row]]:
    """Headings and rows: a row a value of the axis, a column a contestant; "-" cannot be run."""
    courses = [c for c in comparison.courses if (c.axis, c.quantity) == (axis, quantity)]
    values = sorted({x for course in courses for x in course.x})
    found = [dict(zip(course.x, course.values, strict=True)) for course in courses]
    rows = [(str(x), *(_cell(values.get(x), quantity) for values in found)) for x in values]
    return (_UNITS[axis], *(course.name for course in courses)), rows


def laws(comparison: Comparison, axis: Axis) -> tuple[Row, list[Row]]:
    """Headings and rows: how latency and memory of each contestant grow along an axis."""
    found = {(c.name, c.quantity): growth_words(c) for c in comparison.courses if c.axis == axis}
    names = dict.fromkeys(name for name, _ in found)
    rows: list[Row] = [
        (n, found.get((n, "latency"), "-"), found.get((n, "memory"), "-")) for n in names
    ]
    return ("block", "latency grows as", "memory grows as"), rows


def growth_words(course: Course) -> str:
    """The fitted exponent with its interval, or why nothing can be said."""
    growth = course.growth
    if growth is None:
        return "-"
    over = _OVER[course.axis]
    if _flat(growth):
        return f"not with {over}"
    interval = f"({growth.low:.2f} to {growth.high:.2f})"
    if growth.high - growth.low > _UNKNOWN:
        return f"{over}^? {interval}"
    off = f", off by up to {100 * growth.error:.0f} %" if growth.error > _FAR_OFF else ""
    return f"{over}^{growth.exponent:.2f} {interval}{off}"


def sentences(comparison: Comparison, place: str) -> list[str]:
    """A sentence for each pair, quantity and axis, and what could not be run.

    Args:
        comparison: What was found.
        place: Where, such as CPU or GPU.
    """
    lines = list(dict.fromkeys(duel_words(duel, place) for duel in comparison.duels))
    lines += [f"{key} cannot be run: {reason}" for key, reason in comparison.dropped.items()]
    lacking = {course.reason for course in comparison.courses if course.reason}
    lines += [f"no law is fitted: {reason}" for reason in sorted(lacking)]
    return [*lines, comparison.note] if comparison.note else lines


def duel_words(duel: Duel, place: str) -> str:
    """Who is better where: "below 96 px on this GPU mwsa is faster than emvm, ..."."""
    unit, verb = _UNITS[duel.axis], _BETTER[duel.quantity]
    pair = f"{duel.first} and {duel.second}"
    if not duel.x:
        return f"{pair} run at no {duel.axis} together"
    if duel.crossings:
        parts = [_crossing_words(crossing, verb, unit, place) for crossing in duel.crossings]
        return "; ".join(parts) + _tied(duel, unit)
    reach = f"from {duel.x[0]} to {duel.x[-1]} {unit}"
    winner = next(filter(None, duel.better), "")
    if not winner:
        if duel.quantity == "memory":  # it is forecast, so that any difference tells
            return f"{pair} take the same memory {reach}"
        return f"{pair} are not separable in latency {reach} on this {place}"
    loser = duel.second if winner == duel.first else duel.first
    gains = [
        ratio if winner == duel.second else 1 / ratio
        for ratio, better in zip(duel.ratios, duel.better, strict=True)
        if better
    ]
    by = _times(min(gains), max(gains))
    where = f"{reach} on this {place}, {by}; no cross-over in this range"
    return f"{winner} {verb} {loser} {where}{_tied(duel, unit)}"


def _crossing_words(crossing: Crossing, verb: str, unit: str, place: str) -> str:
    at, low, high = (_number(v) for v in (crossing.at, crossing.low, crossing.high))
    sides = " and ".join(str(value) for value in crossing.between)
    interval = f"95 % interval {low} to {high}; " if crossing.low < crossing.high else ""
    return (
        f"below {at} {unit} on this {place} {crossing.below} {verb} {crossing.above}, above it "
        f"{crossing.above} {verb} {crossing.below} ({interval}told apart at {sides} {unit})"
    )


def _tied(duel: Duel, unit: str) -> str:
    tied = [x for x, better in zip(duel.x, duel.better, strict=True) if not better]
    alike = "not separable" if duel.quantity == "latency" else "the same"
    return f"; {alike} at {_listed(tied)} {unit}" if tied else ""


def _times(least: float, most: float) -> str:
    low, high = f"{least:.3g}", f"{most:.3g}"
    return f"{low} times" if low == high else f"{low} to {high} times"


def _who(contestant: Contestant) -> str:
    if len(contestant.members) > 1 or contestant.name == contestant.family:
        blocks = ", ".join(member.name for member in contestant.members)
        return f"{contestant.name} (the best of {blocks})"
    return f"{contestant.name} ({contestant.family})"


def _flat(growth: Growth) -> bool:
    return growth.exponent == 0 or growth.factor == 0


def _cell(value: float | None, quantity: Quantity) -> str:
    if value is None:
        return "-"
    return f"{value * 1e3:,.4g}" if quantity == "latency" else f"{value / 2**20:,.4g}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _listed(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)
