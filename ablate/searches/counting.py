"""How many different mixes the points of a study describe, without going through all of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from ablate.searches.space import Point, Space

LOOKED_AT = 4096  # mixes that are made to find out; beyond it the answer is that it is not known


def different_mixes(space: Space) -> int | None:
    """How many mixes there are, points that describe the same one counted once.

    A small study is gone through. In a larger one, pairs of axes are looked at, everything else
    at its first alternative: a pair whose combinations are not all different belongs together
    (a depth of 0 and the block that then is not there), groups of such pairs are gone through,
    and the numbers of different combinations are multiplied.

    Args:
        space: The study; constraints are not asked.

    Returns:
        None where a group, or the number of pairs, is too large to go through.
    """
    if space.size <= LOOKED_AT:
        return len({space.mix(point).key for point in space.points()})
    sizes = [len(axis.labels) for axis in space.axes]
    pairs = list(itertools.combinations(range(len(sizes)), 2))
    if sum(sizes[a] * sizes[b] for a, b in pairs) > LOOKED_AT:
        return None
    groups = _joined(
        len(sizes), [pair for pair in pairs if _count(space, pair) < _all(sizes, pair)]
    )
    if sum(_all(sizes, group) for group in groups) > LOOKED_AT:
        return None
    return math.prod(_count(space, group) for group in groups)


def _count(space: Space, axes: Sequence[int]) -> int:
    """Different mixes of some axes, the others at their first alternative."""
    options = [
        range(len(axis.labels)) if number in axes else range(1)
        for number, axis in enumerate(space.axes)
    ]
    points: Iterable[Point] = itertools.product(*options)
    return len({space.mix(point).key for point in points})


def _all(sizes: Sequence[int], axes: Iterable[int]) -> int:
    return math.prod(sizes[axis] for axis in axes)


def _joined(axes: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Axes in groups, such that no pair is torn apart."""
    group = list(range(axes))
    for first, second in pairs:
        old, new = group[second], group[first]
        group = [new if member == old else member for member in group]
    return [[axis for axis in range(axes) if group[axis] == one] for one in sorted(set(group))]
