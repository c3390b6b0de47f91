"""The staircase that undominated pairs make, kept while pairs come in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

import numpy as np


class Staircase:
    """Undominated pairs, the first ascending and the second descending; lower is better.

    Args:
        corner: What `area` is measured from; pairs must be lower. Without one there is no area.
    """

    def __init__(self, corner: tuple[float, float] = (np.inf, np.inf)) -> None:
        self.corner, self.area = corner, 0.0
        self._x: list[float] = []
        self._y: list[float] = []

    def add(self, x: float, y: float) -> bool:
        """Take a pair in, unless one that is there is as low in both; say which."""
        at = bisect_right(self._x, x)
        if at and self._y[at - 1] <= y:
            return False
        start = end = bisect_left(self._x, x)
        while end < len(self._x) and self._y[end] >= y:
            end += 1
        if self.corner[0] < np.inf:
            self.area += self._grown(x, y, start, end)
        self._x[start:end], self._y[start:end] = [x], [y]
        return True

    def _grown(self, x: float, y: float, start: int, end: int) -> float:
        """The area that a pair adds, in place of those from start to end."""
        after = self._x[end] if end < len(self._x) else self.corner[0]
        ceiling = self._y[start - 1] if start else self.corner[1]
        lefts, ceilings = [x, *self._x[start:end], after], [ceiling, *self._y[start:end]]
        steps = zip(pairwise(lefts), ceilings, strict=True)
        return sum((right - left) * (above - y) for (left, right), above in steps)
