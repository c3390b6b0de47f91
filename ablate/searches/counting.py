"""How many different mixes the points of a study describe, without going through all of them."""

from __future__ import annotations

import itertools
import math
import random as chance
from collections.abc import Iterable, Sequence

from ablate.searches.space import Point, Space

LOOKED_AT = 4096  # points that are gone through; where more would be needed, it is not known
BASES = 2  # points around which pairs of axes are looked at in a larger study, the first mix too


def different_mixes(space: Space, related: Iterable[tuple[int, int]] | None = None) -> int | None:
    """How many mixes there are, points that describe the same one counted once.

    A small study is gone through. In a larger one, pairs of axes are looked at, everything else
    as it is at the first point and at another one: two axes belong together where their
    combinations are fewer than the product of what each makes by itself (a depth of 0 and the
    block that then is not there). Axes that belong together are gone through together, and the
    numbers of different combinations are multiplied.

    Args:
        space: The study; constraints are not asked.
        related: Pairs of axes that may belong together; without it, all.

    Returns:
        None where the pairs, or axes that belong together, are too many to go through.
    """
    if space.size <= LOOKED_AT:
        return len({space.mix(point) for point in space.points()})
    sizes = [len(axis.labels) for axis in space.axes]
    pairs = list(itertools.combinations(range(len(sizes)), 2) if related is None else related)
    if sum(sizes[a] * sizes[b] for a, b in pairs) > LOOKED_AT:
        return None
    together = set[tuple[int, int]]()
    for base in _bases(space):
        alone = [_count(space, base, (axis,)) for axis in range(len(sizes))]
        together |= {(a, b) for a, b in pairs if _count(space, base, (a, b)) < alone[a] * alone[b]}
    groups = _joined(len(sizes), together)
    if sum(math.prod(sizes[axis] for axis in group) for group in groups) > LOOKED_AT:
        return None
    return math.prod(_count(space, _bases(space)[0], group) for group in groups)


def _bases(space: Space) -> list[Point]:
    generator = chance.Random(0)
    return [space.at(0), *(space.at(generator.randrange(space.size)) for _ in range(BASES - 1))]


def _count(space: Space, base: Point, axes: Sequence[int]) -> int:
    """Different mixes of some axes, the others as at a point."""
    options = [
        range(len(axis.labels)) if number in axes else (base[number],)
        for number, axis in enumerate(space.axes)
    ]
    points: Iterable[Point] = itertools.product(*options)
    return len({space.mix(point) for point in points})


def _joined(axes: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Axes in groups, such that no pair is torn apart."""
    group = list(range(axes))
    for first, second in pairs:
        old, new = group[second], group[first]
        group = [new if member == old else member for member in group]
    return [[axis for axis in range(axes) if group[axis] == one] for one in sorted(set(group))]
