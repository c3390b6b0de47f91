"""The plot as the server draws it: every point, bar, step and tick at its place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.analysis.pareto import Mask, front
from reports.graphics.axes import Axis
from reports.numbers.found import Found
from reports.numbers.units import Scale
from reports.plot.crowd import COLUMNS, ROWS, Crowd
from reports.plot.measures import Measure
from reports.plot.plot import Plot

Place = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One mix in the plot; positions are shares of the plot's width and height, from top left.

    Args:
        mix: Its key.
        says: Its label and the two numbers.
        letter: Its letter on the front of the study, or "".
        on_front: No other mix beats it in the two measures that are drawn.
        x: Across.
        y: Down.
        across: Ends of the interval of the measure across; empty if there is none.
        down: Ends of the interval of the measure up.
        below: It lies outside the plot and is drawn at its edge.
    """

    mix: str
    says: str
    letter: str
    on_front: bool
    x: float
    y: float
    across: tuple[float, ...]
    down: tuple[float, ...]
    below: bool


@dataclass(frozen=True)
class Square:
    """A square of the grid in which mixes are counted; places as of points.

    Args:
        x: Its left side.
        y: Its upper side.
        width: As a share of the plot's width.
        height: As a share of its height.
        number: How many mixes lie in it.
        strength: How strongly it is inked, 0 to 1, by the logarithm of the number.
    """

    x: float
    y: float
    width: float
    height: float
    number: int
    strength: float


@dataclass(frozen=True)
class Panel:
    """The plot over one pair of measures.

    Args:
        heading: Name and unit of what goes across.
        up: Name and unit of what goes up.
        xticks: Positions and labels.
        yticks: Positions and labels.
        points: The mixes, from left to right.
        steps: Corners of the staircase.
        squares: Where mixes are counted instead of drawn.
        log: Whether the axis across is logarithmic.
        below: How many mixes lie outside the plot.
        missing: How many mixes have no such numbers.
    """

    heading: str
    up: str
    xticks: tuple[tuple[float, str], ...]
    yticks: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]
    steps: tuple[Place, ...]
    squares: tuple[Square, ...]
    log: bool
    below: int
    missing: int


def panel(found: Found, shown: Plot, across: str, up: str) -> Panel:
    """Draw one pair of measures.

    Args:
        found: What was found.
        shown: What the plot can show.
        across: Name of the measure across.
        up: Name of the measure up.
    """
    x, y = shown.measure(across), shown.measure(up)
    along, upward = shown.homes[across], shown.homes[up]
    flip = y.better == "lower"
    best = edge(x, y, shown.competing)
    known = ~np.isnan(along.shares(x.value) + upward.shares(y.value))
    drawn = [at for at in range(shown.competing) if known[at]]
    points = {at: _point(found, shown, at, x, y, bool(best[at]), flip=flip) for at in drawn}
    crowd = shown.crowds.get((across, up), Crowd((), 0, 0, 0))
    corners = [(points[at].x, points[at].y) for at in drawn if best[at]]
    return Panel(
        heading=x.heading,
        up=y.heading,
        xticks=tuple((along.at(tick), along.label(tick)) for tick in along.ticks),
        yticks=tuple((_down(upward.at(t), flip), upward.label(t)) for t in upward.ticks),
        points=tuple(sorted(points.values(), key=lambda point: point.x)),
        steps=staircase(corners, rightwards=x.better == "lower"),
        squares=squares(crowd, flip=flip),
        log=along.log,
        below=sum(point.below for point in points.values()) + crowd.beyond,
        missing=shown.total - len(points) - crowd.total - crowd.beyond,
    )


def edge(x: Measure, y: Measure, competing: int) -> Mask:
    """Which mixes no other beats in two measures; those that don't compete are not among them."""
    mask = np.zeros(len(x.value), dtype=bool)
    points = np.stack([x.value[:competing], y.value[:competing]], axis=1)
    mask[:competing] = front(points, [x.better, y.better])
    return mask


def staircase(corners: Sequence[Place], *, rightwards: bool = True) -> tuple[Place, ...]:
    """The edge of what the front leaves to be beaten: up at each mix, level until the next.

    Args:
        corners: Positions of the front's mixes, across and down.
        rightwards: The cheapest is on the left; otherwise less is worse and the steps go left.
    """
    if not rightwards:
        turned = staircase([(1.0 - x, y) for x, y in corners])
        return tuple((1.0 - x, y) for x, y in turned)
    corners = sorted(corners)
    if not corners:
        return ()
    steps = [(corners[0][0], 1.0), corners[0]]
    for (_, before), (x, y) in itertools.pairwise(corners):
        steps += [(x, before), (x, y)]
    return (*steps, (1.0, corners[-1][1]))


def squares(crowd: Crowd, *, flip: bool = False) -> tuple[Square, ...]:
    """The squares of a grid, darker where there are more mixes.

    Args:
        crowd: The counts.
        flip: Whether lower values are higher up.
    """
    return tuple(
        Square(
            x=column / COLUMNS,
            y=row / ROWS if flip else 1.0 - (row + 1) / ROWS,
            width=1.0 / COLUMNS,
            height=1.0 / ROWS,
            number=number,
            strength=math.log1p(number) / math.log1p(crowd.most),
        )
        for column, row, number in crowd.cells
    )


def _point(
    found: Found, shown: Plot, at: int, x: Measure, y: Measure, best: bool, *, flip: bool
) -> Point:
    mix, along, upward = shown.mixes[at], shown.homes[x.name], shown.homes[y.name]
    value, price = float(y.value[at]), float(x.value[at])
    return Point(
        mix=mix,
        says=f"{found.label(mix)}: {_text(y, value)}, {_text(x, price)}",
        letter=found.letters.get(mix, ""),
        on_front=best,
        x=along.clipped(price),
        y=_down(upward.clipped(value), flip),
        across=_ends(along, x, at),
        down=tuple(_down(end, flip) for end in _ends(upward, y, at)),
        below=not 0.0 <= upward.at(value) <= 1.0 or not 0.0 <= along.at(price) <= 1.0,
    )


def _ends(along: Axis, measure: Measure, at: int) -> tuple[float, ...]:
    """Where the interval begins and ends, as far as it is inside the plot."""
    ends = np.array([measure.low[at], measure.high[at]])
    if np.isnan(ends).any() or (along.log and ends[0] <= 0):
        return ()
    return along.clipped(float(ends[0])), along.clipped(float(ends[1]))


def _down(share: float, flip: bool) -> float:
    """Better is up: higher values, or lower ones where lower is better."""
    return share if flip else 1.0 - share


def _text(measure: Measure, value: float) -> str:
    return Scale(measure.name, 1.0, measure.unit, measure.decimals).text(value)
