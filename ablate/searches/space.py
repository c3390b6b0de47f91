"""What a search sees of a study, and what it answers: points, and what became of earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ablate.mix import Choice, Mix
from blocks import Registry

Point = tuple[int, ...]  # a position on each axis of a study

strategies: Registry[Callable[..., list[Point]]] = Registry("strategy")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A mix that was tried, whatever became of it.

    Args:
        point: Where it lies in the study.
        key: The key of the mix.
        status: How its trials ended; partial where they stopped at a rung.
        values: Mean over seeds of what was measured, by metric; empty for a failed mix.
        rung: The training step that the values are of; 0 for those of the whole training.
        n: How many seeds are behind the values.
    """

    point: Point
    key: str
    status: Literal["done", "diverged", "failed", "partial"]
    values: Mapping[str, float] = field(default_factory=dict)
    rung: int = 0
    n: int = 1


@dataclass(frozen=True)
class Proposal:
    """A mix to be trained, and how far.

    Args:
        point: Where it lies in the study.
        until: The step to stop at; 0 for the whole training.
        seeds: With how many seeds; 0 for as many as the study says.
    """

    point: Point
    until: int = 0
    seeds: int = 0


class Axes(Protocol):
    """The alternatives of an axis, as far as a strategy needs them."""

    @property
    def labels(self) -> tuple[str, ...]:
        """One for each alternative."""


class Space(Protocol):
    """What a strategy needs of a study."""

    @property
    def axes(self) -> Sequence[Axes]:
        """What varies."""

    @property
    def size(self) -> int:
        """How many points there are."""

    def points(self) -> Iterator[Point]:
        """All points, in order."""

    def at(self, index: int) -> Point:
        """The point at a position of that order."""

    def mix(self, point: Point) -> Mix:
        """The mix at a point."""

    def allows(self, point: Point) -> bool:
        """Whether the mix there may be tried at all."""


@dataclass(frozen=True)
class Constrained:
    """A space of which some points are not to be tried; strategies pass them over.

    Args:
        space: All of it.
        allowed: Which points may be tried.
    """

    space: Space
    allowed: Callable[[Point], bool]

    @property
    def axes(self) -> Sequence[Axes]:
        """What varies."""
        return self.space.axes

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

    def allows(self, point: Point) -> bool:
        """Whether the mix there may be tried."""
        return self.space.allows(point) and self.allowed(point)


def propose(study: Space, seen: Sequence[Seen], search: Choice) -> list[Point]:
    """The next batch of points by a registered strategy; none when the search is over.

    Raises:
        UnknownName: No such strategy.
    """
    knobs: dict[str, Any] = search.settings
    return strategies[search.name].make(study, seen, **knobs)
