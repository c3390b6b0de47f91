"""Which points can be on a front at all, when each is known only between two bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.analysis.pareto import Mask, front
from reports.analysis.statistics import Numbers


def contenders(best: Numbers, worst: Numbers, directions: Sequence[str]) -> Mask:
    """Which points no other beats wherever the two lie between their bounds.

    Who is left out is on no front of points that keep to their bounds, and changes none: whatever
    it dominates, one that is kept dominates too.

    Args:
        best: (points, objectives), the better bounds.
        worst: The other bounds.
        directions: higher or lower, one for each objective.

    Returns:
        (points,) True where a point may be on the front.

    Raises:
        ValueError: The directions don't fit the points.
    """
    sign = np.where(np.asarray(directions) == "higher", -1.0, 1.0)
    surely = worst[front(worst, directions)] * sign
    left = np.flatnonzero(~np.isnan(best + worst).any(axis=1))
    if len(directions) == 2 and len(surely):
        left = left[~_under(surely, best[left] * sign)]
        surely = surely[:0]
    for point in surely:
        costs = best[left] * sign
        beaten = (costs >= point).all(axis=1) & (costs > point).any(axis=1)
        left = left[~beaten]
    mask = np.zeros(len(best), dtype=bool)
    mask[left] = True
    return mask


def _under(stairs: Numbers, points: Numbers) -> Mask:
    """Which points a front dominates, lower is better: the step to the left of each is held to it.

    Args:
        stairs: (front, 2), none of which dominates another.
        points: (points, 2).
    """
    stairs = stairs[np.lexsort((stairs[:, 1], stairs[:, 0]))]
    at = np.searchsorted(stairs[:, 0], points[:, 0], side="right") - 1
    step = stairs[np.maximum(at, 0)]
    lower = (step <= points).all(axis=1) & (step < points).any(axis=1)
    under: Mask = (at >= 0) & lower
    return under
