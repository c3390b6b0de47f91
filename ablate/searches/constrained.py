"""A space of which only some points may be tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ablate.mix import Mix
from ablate.searches.space import Axes, Goal, Point, Space


@dataclass(frozen=True)
class Constrained:
    """A space of which some points are not to be tried; strategies pass them over.

    Args:
        space: All of it.
        allowed: Which points may be tried.
        beyond: How far a point is from being allowed; without it, all that are not are equally.
    """

    space: Space
    allowed: Callable[[Point], bool]
    beyond: Callable[[Point], float] | None = None

    @property
    def axes(self) -> Sequence[Axes]:
        """What varies."""
        return self.space.axes

    @property
    def block_axes(self) -> tuple[int, ...]:
        """Numbers of the axes that say which blocks fill a place of the network."""
        return self.space.block_axes

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is to be good at once."""
        return self.space.goals

    @property
    def size(self) -> int:
        """How many points there are, tried or not."""
        return self.space.size

    def points(self) -> Iterator[Point]:
        """All points, in order."""
        return self.space.points()

    def at(self, index: int) -> Point:
        """The point at a position of that order."""
        return self.space.at(index)

    def mix(self, point: Point) -> Mix:
        """The mix at a point."""
        return self.space.mix(point)

    def label(self, point: Point) -> str:
        """A name for the mix, unique within the study."""
        return self.space.label(point)

    def point_of(self, label: str) -> Point | None:
        """The point with a label; None where there is none."""
        return self.space.point_of(label)

    def allows(self, point: Point) -> bool:
        """Whether the mix there may be tried."""
        return self.space.allows(point) and self.allowed(point)

    def excess(self, point: Point) -> float:
        """How far the mix is beyond what it must keep to; 0 where allowed."""
        if self.allows(point):
            return 0.0
        own = self.beyond(point) if self.beyond else 1.0
        return (own if own > 0 else 1.0) + self.space.excess(point)
