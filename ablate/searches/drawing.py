"""What all strategies do with points: pass over what was tried, and draw without repetition."""

from __future__ import annotations

import random as chance
from collections.abc import Iterable, Iterator, Sequence

from ablate.searches.space import Point, Seen, Space

PATIENCE = 20_000  # points that are looked at in vain, one after the other, before a draw is over


class Fresh:
    """Which mixes may still be tried: each once, whatever point describes it.

    Args:
        space: Where they are.
        tried: Keys of the mixes that are not to come again.
    """

    def __init__(self, space: Space, tried: Iterable[str] = ()) -> None:
        self._space, self._tried = space, set(tried)

    def take(self, point: Point) -> bool:
        """Whether a point may be tried and its mix is a new one; from then on it is not."""
        if not self._space.allows(point):
            return False
        key = self._space.mix(point).key
        if key in self._tried:
            return False
        self._tried.add(key)
        return True


def unseen(space: Space, seen: Sequence[Seen], points: Iterable[Point]) -> list[Point]:
    """Those of the points whose mix was not tried, each mix once."""
    return list(different(space, points, {row.key for row in seen}))


def different(space: Space, points: Iterable[Point], tried: Iterable[str] = ()) -> Iterator[Point]:
    """The points whose mix is a new one, of those that may be tried."""
    fresh = Fresh(space, tried)
    return (point for point in points if fresh.take(point))


def drawn(space: Space, fresh: Fresh, generator: chance.Random) -> Iterator[Point]:
    """Points that may be tried, evenly and without repetition; over when they are too rare."""
    vain = 0
    for index in shuffled(space.size, generator):
        point = space.at(index)
        if fresh.take(point):
            vain = 0
            yield point
            continue
        vain += 1
        if vain == PATIENCE:
            return


def shuffled(size: int, generator: chance.Random) -> Iterator[int]:
    """0 to size - 1 in random order, without holding them all (Fisher and Yates)."""
    moved: dict[int, int] = {}
    for position in range(size):
        other = generator.randrange(position, size)
        yield moved.get(other, other)
        moved[other] = moved.pop(position, position)


def neighbours(space: Space, point: Point, generator: chance.Random) -> list[Point]:
    """All points that differ from one on a single axis, in random order."""
    found = [
        (*point[:axis], position, *point[axis + 1 :])
        for axis, alternatives in enumerate(space.axes)
        for position in range(len(alternatives.labels))
        if position != point[axis]
    ]
    generator.shuffle(found)
    return found


def counted(name: str, value: int, least: int = 1) -> None:
    """See that a knob is large enough.

    Raises:
        ValueError: It is not.
    """
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
