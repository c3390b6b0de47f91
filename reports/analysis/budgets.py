"""Which mix wins where only so much may be spent, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reports.analysis.statistics import Numbers

ROUNDING = 1e-12


def budgets(costs: Sequence[float], low: Sequence[float], high: Sequence[float]) -> list[float]:
    """A round budget for each step of a staircase: enough for its mix, too little for the next.

    Where timings can't tell two steps apart, it lies between what was measured.

    Args:
        costs: Of the mixes of a front, ascending, all different and positive.
        low: Lower ends of their intervals; the cost itself where there is none.
        high: Upper ends.

    Returns:
        One for each step; infinite for the last, which takes any budget.
    """
    limits = []
    for at in range(len(costs) - 1):
        apart = high[at] < low[at + 1]
        ends = (high[at], low[at + 1]) if apart else (costs[at], costs[at + 1])
        limits.append(roundest(*ends))
    return [*limits, math.inf] if costs else []


def roundest(low: float, high: float) -> float:
    """The roundest number from `low` on and below `high`: of 4.7 and 6.3 it is 5.

    Roundest are 1, 2 and 5 times a power of ten, the least of them that fits; then multiples of
    these, the larger the rounder.

    Args:
        low: Positive.
        high: Larger.

    Raises:
        ValueError: There is nothing between them.
    """
    if not 0.0 < low < high:
        raise ValueError(f"a budget lies between two positive costs; got {low:g} and {high:g}")
    power = math.floor(math.log10(high))
    tens = [10.0**exponent for exponent in range(math.floor(math.log10(low)), power + 1)]
    round_ones = [multiple * ten for ten in tens for multiple in (1.0, 2.0, 5.0)]
    least = low * (1.0 - ROUNDING)  # of what floats can't tell from it, the round one
    if fitting := [number for number in round_ones if least <= number < high]:
        return fitting[0]
    for exponent in range(power, power - 16, -1):
        for multiple in (5.0, 2.0, 1.0):
            number = _multiple(low, multiple, exponent)
            if least <= number < high:
                return number
    return low


def _multiple(low: float, multiple: float, exponent: int) -> float:
    """The first whole multiple from `low` on, with no more digits than it has."""
    step = multiple * 10.0**exponent
    times = math.ceil(low / step - 1e-9)
    return round(times * step, max(-exponent, 0))


def fewer_steps(scores: Sequence[float], most: int) -> list[int]:
    """The steps of a staircase that matter most: the ends, and where most is gained.

    Args:
        scores: Of the mixes along a front, ascending.
        most: How many steps are kept, at least two.

    Returns:
        Their places, ascending. Of the others, those that add least to the step before them are
        taken away one by one.
    """
    kept = list(range(len(scores)))
    while len(kept) > max(most, 2):
        gains = [scores[kept[at]] - scores[kept[at - 1]] for at in range(1, len(kept) - 1)]
        del kept[1 + int(np.argmin(gains))]
    return kept


def winner(scores: Numbers, costs: Numbers, limit: float) -> int | None:
    """The mix with the best score that costs no more than a limit; the cheapest of equals.

    Args:
        scores: (mixes,), higher is better; NaN never wins.
        costs: (mixes,).
        limit: The budget.

    Returns:
        Its place; None where no mix is cheap enough.
    """
    fits = np.flatnonzero((costs <= limit) & ~np.isnan(scores))
    if not len(fits):
        return None
    order = np.lexsort((costs[fits], -scores[fits]))
    return int(fits[order[0]])


def win_shares(scores: Numbers, costs: Numbers, limit: float) -> Numbers:
    """How often each mix wins under a budget when the measurement is drawn again.

    Args:
        scores: (draws, mixes), higher is better.
        costs: (draws, mixes).
        limit: The budget.

    Returns:
        (mixes,); they add up to the share of draws in which any mix is cheap enough.
    """
    if math.isinf(limit):
        best = scores.argmax(axis=1)
    else:
        fits = costs <= limit
        best = np.where(fits, scores, -np.inf).argmax(axis=1)[fits.any(axis=1)]
    counts = np.bincount(best, minlength=scores.shape[1])
    shares: Numbers = counts / max(len(scores), 1)
    return shares
