"""How much a front covers: the hypervolume between it and a corner that is worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.analysis.pareto import as_costs, front, lowest_before
from reports.analysis.staircase import Staircase
from reports.analysis.statistics import Numbers


def hypervolume(points: Numbers, directions: Sequence[str], reference: Sequence[float]) -> float:
    """Volume between the front and a reference point that is worse than it; of two an area.

    Source: Zitzler and Thiele 1998; three objectives in n log n by a sweep (Beume et al. 2009),
    more by slices along the last one (While et al. 2006), which takes long for many mixes.

    Args:
        points: (points, objectives).
        directions: higher or lower, one for each objective.
        reference: The corner the volume is measured from; what is no better adds nothing.

    Raises:
        ValueError: The directions or the reference don't fit the points.
    """
    costs = as_costs(points, directions)
    corner = as_costs(np.asarray([reference], dtype=float), directions)[0]
    best = costs[front(points, directions)]
    return _volume(best[(best < corner).all(axis=1)], corner)


def hypervolumes(draws: Numbers, directions: Sequence[str], reference: Sequence[float]) -> Numbers:
    """The hypervolume of each of many draws of the same points.

    Args:
        draws: (draws, points, objectives).
        directions: higher or lower, one for each objective.
        reference: The corner the volume is measured from.

    Returns:
        (draws,).
    """
    if draws.shape[2] != 2:
        volumes = [hypervolume(points, directions, reference) for points in draws]
        return np.array(volumes, dtype=float)
    corner = as_costs(np.asarray([reference], dtype=float), directions)[0]
    costs = np.fmin(as_costs(draws, directions), corner)  # what is worse than the corner adds 0
    order = np.argsort(costs[..., 0], axis=-1, kind="stable")
    x, y = (np.take_along_axis(costs[..., at], order, axis=-1) for at in (0, 1))
    heights = lowest_before(y, float(corner[1])) - y
    areas: Numbers = ((corner[0] - x) * np.maximum(heights, 0.0)).sum(axis=-1)
    return areas


def _volume(best: Numbers, corner: Numbers) -> float:
    """Of undominated points, each better than the corner everywhere; lower is better."""
    if not len(best):
        return 0.0
    if len(corner) == 1:
        return float(corner[0] - best.min())
    if len(corner) == 2:
        return float(hypervolumes(best[None], ["lower"] * 2, list(corner))[0])
    order = best[np.argsort(best[:, -1], kind="stable")]
    if len(corner) == 3:
        return _swept(order, corner)
    total = 0.0
    for at, depth in enumerate(np.diff([*order[:, -1], corner[-1]])):
        if depth > 0:
            below = order[: at + 1, :-1]
            lowest = below[front(below, ["lower"] * below.shape[1])]
            total += float(depth) * _volume(lowest, corner[:-1])
    return total


def _swept(order: Numbers, corner: Numbers) -> float:
    """Volume of triples in the order of the last number: area times depth, slice by slice."""
    stairs, total = Staircase((float(corner[0]), float(corner[1]))), 0.0
    depths = np.diff([*order[:, 2], corner[2]]).tolist()
    for (x, y, _), depth in zip(order.tolist(), depths, strict=True):
        stairs.add(x, y)
        total += stairs.area * depth
    return total


@dataclass(frozen=True)
class Covered:
    """How much of the room between the best and the worst of each objective a front covers.

    Args:
        value: As a share of that box, less what luck adds where draws tell how much it does.
        low: Lower end of its 95 % interval; NaN without draws.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def covered(points: Numbers, directions: Sequence[str], draws: Numbers | None = None) -> Covered:
    """The hypervolume as a share of the box that the points span.

    The best of noisy values looks better than it is, and the best of values drawn around these
    better still, by as much: the interval is the reflected one of the bootstrap (Efron and
    Tibshirani 1993, the basic interval), which takes that off.

    Args:
        points: (points, objectives), without NaN.
        directions: higher or lower, one for each objective.
        draws: (draws, some points, objectives): at least of those that can be on the front.

    Returns:
        NaN where an objective is the same for all points.
    """
    costs = as_costs(points, directions)
    spans = np.ptp(costs, axis=0)
    if not (spans > 0).all():
        return Covered(math.nan, math.nan, math.nan)
    lower, corner = ["lower"] * costs.shape[1], costs.max(axis=0).tolist()
    box = float(spans.prod())
    measured = hypervolume(costs, lower, corner) / box
    if draws is None:
        return Covered(measured, math.nan, math.nan)
    again = hypervolumes(as_costs(draws, directions), lower, corner) / box
    ends = [float(2 * measured - end) for end in np.quantile(again, (0.975, 0.025))]
    return Covered(float(2 * measured - again.mean()), ends[0], ends[1])
