"""The knee of a front: where a little more of one objective costs much of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.analysis.pareto import Mask, as_costs, fronts
from reports.analysis.statistics import Numbers

Places = NDArray[np.int64]

FEWEST = 3  # points of a front that can have a knee
_FLAT = 1e-9  # a front as straight as numbers can be


def knee(points: Numbers, directions: Sequence[str]) -> int | None:
    """The point of the front that lies furthest beyond the plane through its ends.

    Each objective is scaled so that the front reaches from 0 to 1; beyond the plane on which the
    scaled objectives add up to 1 is the bulge (Das 1999, characterising the bulge by the plane
    through the ends). It depends on the scale: a logarithm of a cost has another knee.

    Args:
        points: (points, objectives), without NaN.
        directions: higher or lower, one for each objective.

    Returns:
        Where it stands among the points; None where the front has fewer than three different
        points or does not bulge.
    """
    at = int(knees(points[None], directions, fronts(points[None], directions))[0])
    return None if at < 0 else at


def knees(draws: Numbers, directions: Sequence[str], on_front: Mask) -> Places:
    """The knee of the front of each draw.

    Args:
        draws: (draws, points, objectives), without NaN.
        directions: higher or lower, one for each objective.
        on_front: (draws, points).

    Returns:
        (draws,) where it stands; -1 where there is none.
    """
    costs = as_costs(draws, directions)
    if not costs.shape[1] or costs.shape[2] < 2:
        return np.full(len(costs), -1)
    members = on_front[..., None]
    low = np.where(members, costs, np.inf).min(axis=1, keepdims=True)
    high = np.where(members, costs, -np.inf).max(axis=1, keepdims=True)
    spans = high - low
    scaled = (costs - low) / np.where(spans > 0, spans, 1.0)
    sums = np.where(on_front, scaled.sum(axis=2), np.inf)
    best = sums.argmin(axis=1)
    least = np.take_along_axis(sums, best[:, None], axis=1)[:, 0]
    bulges = (least < 1.0 - _FLAT) & (spans > 0).all(axis=(1, 2))
    return np.where(bulges & (on_front.sum(axis=1) >= FEWEST), best, -1)


def knee_shares(draws: Numbers, directions: Sequence[str], on_front: Mask) -> Numbers:
    """In what share of the draws each point is the knee.

    Args:
        draws: (draws, points, objectives), without NaN.
        directions: higher or lower, one for each objective.
        on_front: (draws, points).

    Returns:
        (points,); they add up to the share of draws that have one.
    """
    found = knees(draws, directions, on_front)
    counts = np.bincount(found[found >= 0], minlength=draws.shape[1])
    shares: Numbers = counts / max(len(draws), 1)
    return shares
