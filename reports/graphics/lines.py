"""Lines over one or two logarithmic axes as plain data; `templates/lines.html` draws them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.graphics.axes import Axis

Place = tuple[float, float]  # shares of the width and of the height, from top left
Tick = tuple[float, str]

HEIGHT = 260  # pixels


@dataclass(frozen=True)
class Curve:
    """One line.

    Args:
        name: In the legend.
        slug: Its colour: that of a family, or a class of the section's style.
        dash: Which pattern of dashes, from 0, so that lines of one colour are told apart.
        points: Where it goes through.
        spans: Intervals: across, upper and lower end.
        says: What it shows, in words.
        dots: Whether its points are drawn.
    """

    name: str
    slug: str
    dash: int
    points: tuple[Place, ...]
    spans: tuple[tuple[float, float, float], ...] = ()
    says: str = ""
    dots: bool = True


@dataclass(frozen=True)
class Mark:
    """A place of note: how it is drawn (class), where, and in words; with a shape, a point."""

    slug: str
    place: Place
    says: str
    mix: str = ""


@dataclass(frozen=True)
class Plot:
    """Lines in a field.

    Args:
        title: Above it.
        xtitle: What goes across, with its unit.
        ytitle: What goes up, with its unit.
        xticks: Positions and labels.
        yticks: Positions and labels, from the top.
        curves: The lines.
        marks: Places of note.
        says: All of it, for screen readers.
        height: In pixels.
    """

    title: str
    xtitle: str
    ytitle: str
    xticks: tuple[Tick, ...]
    yticks: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    says: str = ""
    height: int = HEIGHT


def places(xs: Iterable[float], ys: Iterable[float], across: Axis, up: Axis) -> tuple[Place, ...]:
    """Points in the field, held at its edges."""
    return tuple((across.clipped(x), 1.0 - up.clipped(y)) for x, y in zip(xs, ys, strict=True))


def spans(
    xs: Sequence[float], low: Sequence[float], high: Sequence[float], across: Axis, up: Axis
) -> tuple[tuple[float, float, float], ...]:
    """Intervals in the field: across, upper end, lower end."""
    return tuple(
        (across.clipped(x), 1.0 - up.clipped(top), 1.0 - up.clipped(bottom))
        for x, bottom, top in zip(xs, low, high, strict=True)
    )


def ticks_across(axis: Axis) -> tuple[Tick, ...]:
    """Positions from the left, and labels."""
    return tuple((axis.at(tick), axis.label(tick)) for tick in axis.ticks)


def ticks_up(axis: Axis) -> tuple[Tick, ...]:
    """Positions from the top, and labels."""
    return tuple((1.0 - axis.at(tick), axis.label(tick)) for tick in axis.ticks)
