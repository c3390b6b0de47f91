"""One mix held against many others, seed by seed: differences, intervals, and what is claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.pareto import Mask
from reports.analysis.seeds import most_seeds, scatter
from reports.analysis.statistics import FEWEST_SEEDS, Numbers, t_quantile

LEVEL = 0.95
MANY = 200  # degrees of freedom from which on more of them hardly matter


@dataclass(frozen=True)
class Paired:
    """Differences of many mixes to one of them; each (mixes,).

    Args:
        mean: Mean difference over the seeds that both have; NaN where they share none.
        low: Lower end of its 95 % t interval; NaN where nothing tells how far seeds scatter.
        high: Upper end.
        n: Seeds that both have.
        p_value: Two-sided, of the t test against 0; 1 where nothing can be claimed.
        claimable: Whether a difference can be claimed at all: the two share a seed, and how far
            seeds scatter is known from as many of them as any claim needs.
    """

    mean: Numbers
    low: Numbers
    high: Numbers
    n: NDArray[np.int64]
    p_value: Numbers
    claimable: Mask


def paired(
    values: Numbers, to: int, noise: tuple[float, int] | None = None, most: int = 0
) -> Paired:
    """Hold every mix against one of them, with the same seeds.

    Three seeds say little of how far one difference scatters: that is taken from all mixes
    together (see `seeds.scatter`), or from the difference's own seeds where these scatter more.
    So a mix that lacks seeds can be told from others as well, by those that both have: its error
    is as much larger as these are fewer. With two mixes it is the paired t test.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.
        to: Row of the one that is taken off; its own difference is 0 with p-value 1.
        noise: Of `seeds.scatter`, where it is known from more mixes than these.
        most: Seeds of the mix that has most of them, where that is none of these.
    """
    gaps = values - values[to]
    present = ~np.isnan(gaps)
    n = present.sum(axis=1)
    counted = np.maximum(n, 1)
    mean = np.where(present, gaps, 0.0).sum(axis=1) / counted
    squares = (np.where(present, gaps - mean[:, None], 0.0) ** 2).sum(axis=1)
    own = np.sqrt(squares / np.maximum(n - 1, 1))
    sd, degrees = noise or scatter(values)
    degrees = min(degrees, MANY)
    if not degrees:
        nothing = np.full(len(values), np.nan)
        known, none = np.where(n > 0, mean, np.nan), np.zeros(len(values), dtype=bool)
        return Paired(known, nothing, nothing, n.astype(np.int64), np.ones(len(values)), none)
    claimable = (n > 0) & (max(most, most_seeds(values)) >= FEWEST_SEEDS)
    error = np.maximum(own, sd * np.sqrt(2.0)) / np.sqrt(counted)
    error[to] = 0.0
    half = np.where(n > 0, quantile(degrees) * error, np.nan)
    mean = np.where(n > 0, mean, np.nan)
    p_value = _p_values(mean, error, claimable, degrees)
    return Paired(mean, mean - half, mean + half, n.astype(np.int64), p_value, claimable)


def quantile(degrees: int) -> float:
    """How many standard errors an interval reaches to each side."""
    return t_quantile(0.5 + LEVEL / 2, min(degrees, MANY))


def best_limits(left: Sequence[int], degrees: int, level: float = LEVEL) -> list[float]:
    """How many standard errors another mix must be behind the best, as `beaten_by_best` decides.

    Args:
        left: How many mixes are not beaten yet, the best included: at least two.
        degrees: Degrees of freedom of the standard error.
        level: Of all claims together.
    """
    tails = [(1.0 - level) / (mixes * (mixes - 1)) for mixes in left]
    return [t_quantile(1.0 - tail, min(degrees, MANY)) for tail in tails]


def beaten_by_best(p_values: Numbers, level: float = LEVEL) -> Mask:
    """Which mixes the best of them beats, so that all claims hold with this probability.

    The best was picked for its value, so it looks better than it is, the more so among many. As it
    could have been any of them, every pair of those that are not beaten yet counts as a comparison:
    of m mixes m (m - 1) / 2, of the last two one.

    Source: Holm 1979 with the pairs that can still be equal, Shaffer 1986.

    Args:
        p_values: (others,), two-sided, of each of the other mixes against the best.
        level: Of all claims together.

    Returns:
        (others,)
    """
    left = np.arange(len(p_values) + 1, 1, -1)
    limits = 2.0 * (1.0 - level) / (left * (left - 1))
    order = np.argsort(p_values, kind="stable")
    claimed: Mask = np.zeros(len(order), dtype=bool)
    claimed[order] = np.logical_and.accumulate(p_values[order] <= limits)
    return claimed


def _p_values(mean: Numbers, error: Numbers, claimable: Mask, degrees: int) -> Numbers:
    """Of differences with their standard errors; without an error any difference is one."""
    p = np.ones(len(mean))
    rows = claimable & (mean != 0.0)
    p[rows & (error == 0.0)] = 0.0
    some = rows & (error > 0.0)
    p[some] = _outside(np.abs(mean[some]) / error[some], degrees)
    return p


def _outside(t: Numbers, degrees: int) -> Numbers:
    """Probability that Student's t is further from 0 than t.

    Source: Abramowitz and Stegun 26.7.3 and 26.7.4, finite sums for whole degrees of freedom.
    """
    angle = np.arctan(t / np.sqrt(degrees))
    cosine, sine = np.cos(angle), np.sin(angle)
    square = cosine**2
    odd = degrees % 2
    term = cosine if odd else np.ones_like(t)
    total = term.copy() if degrees > 1 else np.zeros_like(t)
    for k in range(2 + odd, degrees, 2):
        term = term * square * (k - 1) / k
        total += term
    inside = 2.0 / np.pi * (angle + sine * total) if odd else sine * total
    outside: Numbers = np.clip(1.0 - inside, 0.0, 1.0)
    return outside
