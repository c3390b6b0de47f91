"""How alike two orders of the same mixes are, and how surely: was a short training a fair judge?

Everywhere higher values are better; whoever has a metric of which less is better turns its sign.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reports.analysis.statistics import Numbers, kendall, t_quantile

DRAWS = 1000
SEED = 20240229  # of the draws, so that a report can be written twice
MOST_PAIRED = 200  # mixes whose pairs are counted; of more, so many are drawn
HALF = 4096  # whose square is the last whole number that half a float holds for sure
FEWEST = 4  # mixes of whose order anything is said
BANDS: Mapping[str, float] = {"all": 1.0, "best half": 0.5, "best quarter": 0.25}


@dataclass(frozen=True)
class Agreement:
    """How alike two orders are.

    Args:
        tau: Kendall's tau-b: 1 in the same order, 0 by chance, -1 in the opposite order.
        low: Lower end of its 95 % interval; NaN where there are too few mixes for one.
        high: Upper end.
        n: Mixes behind it.
    """

    tau: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Overlap:
    """How many of the best few in one order are among the best few in another.

    Args:
        share: From 0 to 1.
        low: Lower end of its 95 % interval.
        high: Upper end.
        k: How many the best few are.
    """

    share: float
    low: float
    high: float
    k: int


def agreement(before: Numbers, after: Numbers, draws: int = DRAWS) -> Agreement:
    """Kendall's tau-b of two orders, with an interval by bootstrap over mixes.

    Mixes are drawn with replacement; pairs of a mix with itself tie and count as neither. Where
    two orders are nearly the same, all draws are too: the interval of quantiles is never taken to
    be shorter than that of atanh(tau) with variance 0.437 / (n - 4), by Student's t.

    Source: Fieller, Hartley and Pearson 1957, "Tests for rank correlation coefficients. I".

    Args:
        before: (mixes,), finite.
        after: (mixes,), finite.
        draws: Of the bootstrap.
    """
    n = len(before)
    tau = kendall(before.tolist(), after.tolist())
    if n <= FEWEST or math.isnan(tau):
        return Agreement(tau, math.nan, math.nan, n)
    edge = 1.0 - 1.0 / (n * (n - 1))  # half a pair in the other order
    middle = math.atanh(min(max(tau, -edge), edge))
    half = t_quantile(0.975, n - 1) * math.sqrt(0.437 / (n - FEWEST))
    low, high = np.nanquantile(_drawn_taus(before, after, draws), (0.025, 0.975))
    ends = (low, high, math.tanh(middle - half), math.tanh(middle + half), tau)
    return Agreement(tau, float(min(ends)), float(max(ends)), n)


def _drawn_taus(before: Numbers, after: Numbers, draws: int) -> Numbers:
    """Tau-b of mixes drawn with replacement: (draws,), NaN where all drawn are one mix."""
    n = len(before)
    exact = np.float32 if n <= HALF else np.float64  # whole numbers, n squared at most
    counts = _counts(n, draws).astype(exact)
    signs = [np.sign(values[:, None] - values[None, :]) for values in (before, after)]
    signs = [sign.astype(exact) for sign in signs]
    same, untied = signs[0] * signs[1], [np.abs(sign) for sign in signs]
    sums = [((counts @ each) * counts).sum(axis=1).astype(float) for each in (same, *untied)]
    scale = np.sqrt(sums[1] * sums[2])
    return np.where(scale > 0, sums[0] / np.where(scale > 0, scale, 1.0), np.nan)


def overlap(before: Numbers, after: Numbers, k: int, draws: int = DRAWS) -> Overlap:
    """The share of the best k before that are among the best k after; bootstrap over mixes.

    In a draw, a mix that was drawn twice fills two places.

    Args:
        before: (mixes,), finite; at least k.
        after: (mixes,), finite.
        k: How many.
        draws: Of the bootstrap; with 0 there is no interval.

    Raises:
        ValueError: There are fewer than k mixes, or k is less than 1.
    """
    n = len(before)
    if not 1 <= k <= n:
        raise ValueError(f"the best k of {n} mixes: expected 1 to {n}; got {k}")
    share = float(_shared(np.ones((1, n), dtype=np.int64), before, after, k)[0])
    if not draws:
        return Overlap(share, math.nan, math.nan, k)
    counts = _counts(n, draws)
    low, high = np.quantile(_shared(counts, before, after, k), (0.025, 0.975))
    return Overlap(share, min(float(low), share), max(float(high), share), k)


@lru_cache(maxsize=4)
def _counts(n: int, draws: int) -> NDArray[np.int64]:
    """(draws, n): how often each of n is drawn; nobody changes it."""
    return np.random.default_rng(SEED).multinomial(n, np.full(n, 1.0 / n), size=draws)


def _shared(counts: NDArray[np.int64], before: Numbers, after: Numbers, k: int) -> Numbers:
    """(draws,): the part of the first k places that both orders fill alike."""
    first, then = (_places(counts, values, k) for values in (before, after))
    shares: Numbers = np.minimum(first, then).sum(axis=1) / k
    return shares


def _places(counts: NDArray[np.int64], values: Numbers, k: int) -> NDArray[np.int64]:
    """(draws, mixes): how many of the first k places each mix takes."""
    order = np.argsort(-values, kind="stable")
    ahead = np.cumsum(counts[:, order], axis=1) - counts[:, order]
    taken = np.empty_like(counts)
    taken[:, order] = np.clip(k - ahead, 0, counts[:, order])
    return taken


def bands(final: Numbers) -> dict[str, NDArray[np.int64]]:
    """The mixes of each band of accuracy, as positions, the best first; small bands are left out.

    Args:
        final: (mixes,), finite.
    """
    order = np.argsort(-final, kind="stable")
    sizes = {name: math.ceil(share * len(final)) for name, share in BANDS.items()}
    return {name: order[:size] for name, size in sizes.items() if size >= FEWEST}


def lost(before: Numbers, after: Numbers) -> float:
    """What is missed by whoever takes the best before: the best after, less what that comes to."""
    return float(after.max() - after[int(np.argmax(before))])


def between_seeds(before: Numbers, after: Numbers) -> float:
    """Tau of the order that one seed gives before with that of another seed after; the mean.

    With the end as both it says how alike two seeds order the mixes, which no judge can beat.

    Args:
        before: (mixes, seeds); NaN where a mix lacks a seed.
        after: (mixes, seeds), the same seeds.

    Returns:
        NaN where no two seeds have mixes enough in common.
    """
    taus = []
    for one, other in itertools.permutations(range(before.shape[1]), 2):
        both = ~np.isnan(before[:, one]) & ~np.isnan(after[:, other])
        if both.sum() >= FEWEST:
            taus.append(kendall(before[both, one].tolist(), after[both, other].tolist()))
    known = [tau for tau in taus if not math.isnan(tau)]
    return float(np.mean(known)) if known else math.nan


def some(number: int, most: int = MOST_PAIRED) -> NDArray[np.int64]:
    """Positions of so many mixes: all, or as many as are paired, drawn evenly."""
    if number <= most:
        return np.arange(number)
    rng = np.random.default_rng(SEED)
    return np.sort(rng.choice(number, size=most, replace=False))
