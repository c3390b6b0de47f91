"""What all strategies do with points: pass over what was tried, and draw without repetition."""

from __future__ import annotations

import random as chance
from collections.abc import Iterable, Iterator, Sequence

from ablate.searches.space import Point, Seen, Space


def unseen(space: Space, seen: Sequence[Seen], points: Iterable[Point]) -> list[Point]:
    """Those of the points whose mix was not tried, each mix once."""
    tried = {row.key for row in seen}
    return list(different(space, points, tried))


def different(space: Space, points: Iterable[Point], tried: Iterable[str] = ()) -> Iterator[Point]:
    """The points whose mix is a new one, of those that may be tried."""
    keys = set(tried)
    for point in points:
        if not space.allows(point):
            continue
        key = space.mix(point).key
        if key not in keys:
            keys.add(key)
            yield point


def shuffled(size: int, generator: chance.Random) -> Iterator[int]:
    """0 to size - 1 in random order, without holding them all (Fisher and Yates)."""
    moved: dict[int, int] = {}
    for position in range(size):
        other = generator.randrange(position, size)
        yield moved.get(other, other)
        moved[other] = moved.get(position, position)
