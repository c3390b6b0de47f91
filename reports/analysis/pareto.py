"""The front: which mixes no other dominates, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.analysis.statistics import Numbers

Mask = NDArray[np.bool_]


def front(points: Numbers, directions: Sequence[str]) -> Mask:
    """Which points no other point dominates.

    A point dominates another if it is at least as good in every objective and better in one.
    Equal points don't dominate each other; a point with a NaN is never on the front and
    dominates nothing.

    Args:
        points: (points, objectives).
        directions: higher or lower, one for each objective.

    Returns:
        (points,) True on the front.

    Raises:
        ValueError: The directions don't fit the points.
    """
    costs = _costs(points, directions)
    whole = ~np.isnan(costs).any(axis=1)
    mask = np.zeros(len(costs), dtype=bool)
    mask[whole] = _lowest(costs[whole])
    return mask


def near_front(points: Numbers, directions: Sequence[str], epsilon: Sequence[float]) -> Mask:
    """Which points no other point beats by more than epsilon in every objective.

    Args:
        points: (points, objectives).
        directions: higher or lower, one for each objective.
        epsilon: The smallest difference that counts, one for each objective, in its unit.

    Returns:
        (points,) True on the front or within epsilon of it.
    """
    costs = _costs(points, directions)
    best = costs[front(points, directions)] + np.asarray(epsilon, dtype=float)
    beaten = (best[None, :, :] < costs[:, None, :]).all(axis=2).any(axis=1)
    near: Mask = ~beaten & ~np.isnan(costs).any(axis=1)
    return near


def front_probability(draws: Numbers, directions: Sequence[str]) -> Numbers:
    """How often each point is on the front when the measurement is drawn again.

    Args:
        draws: (draws, points, objectives).
        directions: higher or lower, one for each objective.

    Returns:
        (points,) between 0 and 1.
    """
    hits = np.zeros(draws.shape[1])
    for points in draws:
        hits += front(points, directions)
    return hits / len(draws)


def hypervolume(points: Numbers, directions: Sequence[str], reference: Sequence[float]) -> float:
    """Volume between the front and a reference point that is worse than it; of two an area.

    Source: Zitzler and Thiele 1998; with more than two objectives by slices along the last one
    (While et al. 2006), which takes long where a front of many mixes has many objectives.

    Args:
        points: (points, objectives).
        directions: higher or lower, one for each objective.
        reference: The corner the volume is measured from; what is no better adds nothing.

    Raises:
        ValueError: The directions or the reference don't fit the points.
    """
    costs = _costs(points, directions)
    corner = _costs(np.asarray([reference], dtype=float), directions)[0]
    best = costs[front(points, directions)]
    return _volume(best[(best < corner).all(axis=1)], corner)


def _volume(best: Numbers, corner: Numbers) -> float:
    """Of undominated points, each better than the corner everywhere; lower is better."""
    if not len(best):
        return 0.0
    if len(corner) == 1:
        return float(corner[0] - best.min())
    if len(corner) == 2:
        return _area(best, corner)
    total, order = 0.0, best[np.argsort(best[:, -1], kind="stable")]
    ends = [*order[1:, -1], corner[-1]]
    for at, end in enumerate(ends):
        if depth := float(end - order[at, -1]):
            below = order[: at + 1, :-1]
            total += depth * _volume(below[_lowest(below)], corner[:-1])
    return total


def _area(best: Numbers, corner: Numbers) -> float:
    area, ceiling = 0.0, corner[1]
    for x, y in best[np.lexsort((best[:, 1], best[:, 0]))]:
        area += float((corner[0] - x) * max(ceiling - y, 0.0))
        ceiling = min(ceiling, y)
    return area


def _costs(points: Numbers, directions: Sequence[str]) -> Numbers:
    """The points with every objective turned so that lower is better."""
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or points.shape[1] != len(directions):
        raise ValueError(f"{len(directions)} directions do not fit points of shape {points.shape}")
    unknown = set(directions) - {"higher", "lower"}
    if unknown:
        raise ValueError(f"a direction is higher or lower; got {sorted(unknown)[0]!r}")
    return points * np.where(np.asarray(directions) == "higher", -1.0, 1.0)


def _lowest(costs: Numbers) -> Mask:
    """The undominated rows: each survivor removes all it dominates, likely dominators first."""
    ranks = np.argsort(np.argsort(costs, axis=0), axis=0)
    alive = np.argsort(ranks.sum(axis=1), kind="stable")
    position = 0
    while position < len(alive):
        pivot, rest = costs[alive[position]], costs[alive]
        dominated = (rest >= pivot).all(axis=1) & (rest > pivot).any(axis=1)
        position = int((~dominated[: position + 1]).sum())
        alive = alive[~dominated]
    mask = np.zeros(len(costs), dtype=bool)
    mask[alive] = True
    return mask
