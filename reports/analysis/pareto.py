"""The front: which mixes no other dominates, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.analysis.staircase import Staircase
from reports.analysis.statistics import Numbers

Mask = NDArray[np.bool_]

_AT_ONCE = 4_000_000  # numbers that are worked on at a time, to bound memory


def front(points: Numbers, directions: Sequence[str]) -> Mask:
    """Which points no other point dominates.

    A point dominates another if it is at least as good in every objective and better in one.
    Equal points don't dominate each other; a point with a NaN is never on the front and
    dominates nothing. With two or three objectives the time grows as n log n (Kung et al. 1975).

    Args:
        points: (points, objectives).
        directions: higher or lower, one for each objective.

    Returns:
        (points,) True on the front.

    Raises:
        ValueError: The directions don't fit the points.
    """
    costs = as_costs(points, directions)
    whole = ~np.isnan(costs).any(axis=1)
    mask = np.zeros(len(costs), dtype=bool)
    mask[whole] = _lowest(costs[whole])
    return mask


def fronts(draws: Numbers, directions: Sequence[str]) -> Mask:
    """The front of each of many draws of the same points.

    Args:
        draws: (draws, points, objectives), without NaN.
        directions: higher or lower, one for each objective.

    Returns:
        (draws, points) True on the front of its draw.

    Raises:
        ValueError: The directions don't fit the draws.
    """
    costs = as_costs(draws, directions)
    if costs.shape[2] != 2:
        masks = [_lowest(points) for points in costs]
        return np.array(masks, dtype=bool).reshape(costs.shape[:2])
    step = max(_AT_ONCE // max(costs.shape[1], 1), 1)
    parts = [_lowest_pairs(costs[at : at + step]) for at in range(0, len(costs), step)]
    return np.concatenate(parts) if parts else np.zeros(costs.shape[:2], dtype=bool)


def front_probability(draws: Numbers, directions: Sequence[str]) -> Numbers:
    """How often each point is on the front when the measurement is drawn again.

    Args:
        draws: (draws, points, objectives), without NaN.
        directions: higher or lower, one for each objective.

    Returns:
        (points,) between 0 and 1.
    """
    share: Numbers = fronts(draws, directions).mean(axis=0)
    return share


def near_front(points: Numbers, directions: Sequence[str], epsilon: Sequence[float]) -> Mask:
    """Which points no other point beats by epsilon in every objective, and by more in one.

    Source: the additive epsilon-dominance of Laumanns et al. 2002; with epsilon 0 it is the front.

    Args:
        points: (points, objectives).
        directions: higher or lower, one for each objective.
        epsilon: The smallest difference that counts, one for each objective, in its unit.

    Returns:
        (points,) True on the front or within epsilon of it.
    """
    costs = as_costs(points, directions)
    best = costs[front(points, directions)] + np.asarray(epsilon, dtype=float)
    near: Mask = ~beaten(costs, best) & ~np.isnan(costs).any(axis=1)
    return near


def beaten(costs: Numbers, others: Numbers) -> Mask:
    """Which rows one of the others dominates; lower is better, NaN neither beats nor is beaten.

    Args:
        costs: (points, objectives).
        others: (others, objectives).
    """
    mask = np.zeros(len(costs), dtype=bool)
    step = max(_AT_ONCE // max(others.size, 1), 1)
    for at in range(0, len(costs), step):
        rows = costs[at : at + step, None, :]
        dominates = (others <= rows).all(axis=2) & (others < rows).any(axis=2)
        mask[at : at + step] = np.asarray(dominates).any(axis=1)
    return mask


def as_costs(points: Numbers, directions: Sequence[str]) -> Numbers:
    """The points with every objective turned so that lower is better.

    Args:
        points: (points, objectives) or (draws, points, objectives).
        directions: higher or lower, one for each objective.

    Raises:
        ValueError: The directions don't fit the points.
    """
    points = np.asarray(points, dtype=float)
    if points.ndim < 2 or points.shape[-1] != len(directions):
        raise ValueError(f"{len(directions)} directions do not fit points of shape {points.shape}")
    unknown = set(directions) - {"higher", "lower"}
    if unknown:
        raise ValueError(f"a direction is higher or lower; got {sorted(unknown)[0]!r}")
    return points * np.where(np.asarray(directions) == "higher", -1.0, 1.0)


def _lowest(costs: Numbers) -> Mask:
    """The undominated rows of (points, objectives) without NaN."""
    objectives = costs.shape[1]
    if not len(costs):
        return np.zeros(0, dtype=bool)
    if objectives == 1:
        mask: Mask = costs[:, 0] == costs[:, 0].min()
        return mask
    if objectives == 2:
        pairs: Mask = _lowest_pairs(costs[None])[0]
        return pairs
    return _lowest_triples(costs) if objectives == 3 else _lowest_many(costs)


def _lowest_pairs(costs: Numbers) -> Mask:
    """Of (draws, points, 2): from left to right, whoever is lower than all before."""
    order = np.argsort(costs[..., 0], axis=-1)
    x = np.take_along_axis(costs[..., 0], order, axis=-1)
    if (x[:, 1:] == x[:, :-1]).any():  # rare in draws; only then the other decides, and it is slow
        order = np.lexsort((costs[..., 1], costs[..., 0]), axis=-1)
    x, y = (np.take_along_axis(costs[..., at], order, axis=-1) for at in (0, 1))
    lower = y < lowest_before(y, np.inf)
    lower[:, :1] = True
    twin = np.zeros(lower.shape, dtype=bool)  # equal to the one before: it shares its fate
    twin[:, 1:] = (x[:, 1:] == x[:, :-1]) & (y[:, 1:] == y[:, :-1])
    first = np.maximum.accumulate(np.where(twin, 0, np.arange(y.shape[1])), axis=-1)
    mask = np.empty(lower.shape, dtype=bool)
    np.put_along_axis(mask, order, np.take_along_axis(lower, first, axis=-1), axis=-1)
    return mask


def lowest_before(y: Numbers, start: float) -> Numbers:
    """The least of those before each along the last axis, and of `start`."""
    least = np.full_like(y, start)
    least[..., 1:] = np.minimum(np.minimum.accumulate(y, axis=-1)[..., :-1], start)
    return least


def _lowest_triples(costs: Numbers) -> Mask:
    """From left to right, beside the staircase that those before make in the other two."""
    order = np.lexsort(costs.T[::-1])
    stairs, kept = Staircase(), np.zeros(len(costs), dtype=bool)
    rows = costs[order].tolist()
    for at, (row, before) in enumerate(zip(rows, [None, *rows], strict=False)):
        kept[at] = kept[at - 1] if row == before else stairs.add(row[1], row[2])
    mask = np.empty(len(costs), dtype=bool)
    mask[order] = kept
    return mask


def _lowest_many(costs: Numbers) -> Mask:
    """Each survivor removes all it dominates, likely dominators first."""
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
