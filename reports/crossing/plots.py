"""How blocks grow along one axis, as lines over logarithmic axes and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports.crossing.reading import Course, Crossings
from reports.graphics.axes import Axis, axis
from reports.graphics.families import look
from reports.graphics.lines import Curve, Mark, Plot, places, spans, ticks_across, ticks_up
from reports.numbers.units import ABSENT, Scale, scale_of

AXES = {"size": "Side, px", "width": "Width, channels", "batch": "Batch, images"}
QUANTITIES = {"latency": ("Latency of one call", "s"), "memory": ("Peak memory", "byte")}
DASHES = 6  # patterns of dashes there are

Looks = Mapping[str, tuple[str, int]]  # by contestant: colour, and pattern of dashes


@dataclass(frozen=True)
class Table:
    """The numbers behind a plot: a column for each contestant."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def kinds(found: Crossings) -> list[tuple[str, str]]:
    """The pairs of axis and quantity that there is something to draw of."""
    known = dict.fromkeys((one.axis, one.quantity) for one in found.courses if one.x)
    return [kind for kind in known if kind[0] in AXES and kind[1] in QUANTITIES]


def looks_of(found: Crossings) -> Looks:
    """Colour and dashes of each contestant: those of one family differ by their dashes."""
    looks: dict[str, tuple[str, int]] = {}
    for name, family in found.families.items():
        slug = look(family).slug
        earlier = sum(known == slug for known, _ in looks.values())
        looks[name] = (slug, earlier % DASHES)
    return looks


def plot(found: Crossings, kind: tuple[str, str], looks: Looks) -> tuple[Plot, Table]:
    """One quantity along one axis, and its numbers."""
    courses = [one for one in found.courses if (one.axis, one.quantity) == kind and one.x]
    title, unit = QUANTITIES[kind[1]]
    scale = scale_of(kind[1], unit, [value for one in courses for value in one.values])
    across = axis([x for one in courses for x in one.x], log=True, pad=0.04)
    ends = [v / scale.factor for one in courses for v in (*one.values, *one.low, *one.high)]
    up = axis(ends, log=True, pad=0.04)
    curves = tuple(
        _curve(one, looks.get(one.name, ("other", 0)), scale, across, up) for one in courses
    )
    drawn = Plot(
        title=title,
        xtitle=f"{AXES[kind[0]]}, log scale",
        ytitle=f"{scale.unit}, log scale",
        xticks=ticks_across(across),
        yticks=ticks_up(up),
        curves=curves,
        marks=tuple(_marks(found, kind, courses, scale, across, up)),
        says=f"{title} against {AXES[kind[0]]}. {' '.join(f'{one.says}.' for one in curves)}",
    )
    return drawn, _table(courses, f"{title}, {scale.unit}", AXES[kind[0]], scale)


def _curve(one: Course, how: tuple[str, int], scale: Scale, across: Axis, up: Axis) -> Curve:
    values, low, high = (
        [value / scale.factor for value in ends] for ends in (one.values, one.low, one.high)
    )
    return Curve(
        name=one.name,
        slug=how[0],
        dash=how[1],
        points=places(one.x, values, across, up),
        spans=spans(one.x, low, high, across, up),
        says=f"{one.name}: {scale.text(one.values[0])} to {scale.text(one.values[-1])}",
    )


def _marks(
    found: Crossings,
    kind: tuple[str, str],
    courses: Sequence[Course],
    scale: Scale,
    across: Axis,
    up: Axis,
) -> Iterator[Mark]:
    """Where lines cross."""
    by_name = {one.name: one for one in courses}
    for crossing in found.crossings:
        one = by_name.get(crossing.below)
        if one is None or (crossing.axis, crossing.quantity) != kind:
            continue
        height = float(np.exp(np.interp(np.log(crossing.at), np.log(one.x), np.log(one.values))))
        place = places([crossing.at], [height / scale.factor], across, up)[0]
        says = f"{crossing.below} and {crossing.above} cross at {crossing.at:.3g}"
        yield Mark("crossing", place, says)


def _table(courses: Sequence[Course], title: str, axis: str, scale: Scale) -> Table:
    """A row for each value of the axis."""
    found = [dict(zip(one.x, one.values, strict=True)) for one in courses]
    xs = sorted({x for values in found for x in values})
    rows = []
    for x in xs:
        cells = (scale.number(values[x]) if x in values else ABSENT for values in found)
        rows.append((f"{x:,.0f}", *cells))
    return Table(title, (axis, *(one.name for one in courses)), tuple(rows))
