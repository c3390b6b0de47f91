"""Which mixes to try next: strategies, pure functions of the study and of what was seen so far."""

from __future__ import annotations

import itertools
import random as chance
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
        status: How its trials ended.
        values: Mean over seeds of what was measured, by metric; empty for a failed mix.
    """

    point: Point
    key: str
    status: Literal["done", "diverged", "failed"]
    values: Mapping[str, float] = field(default_factory=dict)


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


@strategies.register()
def grid(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """Every mix, in one batch; points that describe the same mix count once."""
    return _unseen(study, seen, study.points())


@strategies.register()
def random(study: Space, seen: Sequence[Seen], *, n: int = 32, seed: int = 0) -> list[Point]:
    """Mixes drawn evenly and without repetition, in one batch.

    Args:
        study: What may be proposed.
        seen: What was tried.
        n: How many different mixes; all of them where there are fewer.
        seed: Fixes which.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    drawn = (study.at(index) for index in _shuffled(study.size, chance.Random(seed)))
    return _unseen(study, seen, itertools.islice(_different(study, drawn), n))


@strategies.register()
def one_at_a_time(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """The first alternative of every axis, and every mix that differs from it on one axis."""
    base = (0,) * len(study.axes)
    changed = (
        (*base[:axis], position, *base[axis + 1 :])
        for axis, alternatives in enumerate(study.axes)
        for position in range(1, len(alternatives.labels))
    )
    return _unseen(study, seen, itertools.chain([base], changed))


@strategies.register()
def uniform(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """Axes that offer the same alternatives all take the same one: homogeneous networks.

    What has other alternatives varies freely beside them, as in a grid.
    """
    alternatives = [axis.labels for axis in study.axes]
    kinds = list(dict.fromkeys(alternatives))
    choices = itertools.product(*(range(len(labels)) for labels in kinds))
    points = (tuple(choice[kinds.index(labels)] for labels in alternatives) for choice in choices)
    return _unseen(study, seen, points)


def _unseen(study: Space, seen: Sequence[Seen], points: Iterable[Point]) -> list[Point]:
    """Those of the points whose mix was not tried, each mix once."""
    tried = {row.key for row in seen}
    return list(_different(study, points, tried))


def _different(study: Space, points: Iterable[Point], tried: Iterable[str] = ()) -> Iterator[Point]:
    """The points whose mix is a new one, of those that may be tried."""
    keys = set(tried)
    for point in points:
        if not study.allows(point):
            continue
        key = study.mix(point).key
        if key not in keys:
            keys.add(key)
            yield point


def _shuffled(size: int, random: chance.Random) -> Iterator[int]:
    """0 to size - 1 in random order, without holding them all (Fisher and Yates)."""
    moved: dict[int, int] = {}
    for position in range(size):
        other = random.randrange(position, size)
        yield moved.get(other, other)
        moved[other] = moved.get(position, position)
