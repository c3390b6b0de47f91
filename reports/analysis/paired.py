"""One mix held against many others, seed by seed: differences, intervals, and what is claimed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.seeds import scatter
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
    """

    mean: Numbers
    low: Numbers
    high: Numbers
    n: NDArray[np.int64]
    p_value: Numbers

    @property
    def claimable(self) -> NDArray[np.bool_]:
        """Whether there are seeds enough for any claim."""
        enough: NDArray[np.bool_] = self.n >= FEWEST_SEEDS
        return enough


def paired(values: Numbers, to: int, noise: tuple[float, int] | None = None) -> Paired:
    """Hold every mix against one of them, with the same seeds.

    Three seeds say little of how far one difference scatters: that is taken from all mixes
    together (see `seeds.scatter`), or from the difference's own seeds where these scatter more.
    With two mixes it is the paired t test.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.
        to: Row of the one that is taken off; its own difference is 0 with p-value 1.
        noise: Of `seeds.scatter`, where it is known from more mixes than these.
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
        known = np.where(n > 0, mean, np.nan)
        return Paired(known, nothing, nothing, n.astype(np.int64), np.ones(len(values)))
    error = np.maximum(own, sd * np.sqrt(2.0)) / np.sqrt(counted)
    error[to] = 0.0
    half = np.where(n > 1, t_quantile(0.5 + LEVEL / 2, degrees) * error, np.nan)
    mean = np.where(n > 0, mean, np.nan)
    p_value = _p_values(mean, error, n, degrees)
    return Paired(mean, mean - half, mean + half, n.astype(np.int64), p_value)


def holm_all(p_values: Numbers, level: float = LEVEL) -> NDArray[np.bool_]:
    """Which of many comparisons can be claimed so that all claims hold with this probability.

    As `statistics.holm`, all at once.

    Args:
        p_values: (comparisons,).
        level: Of all claims together.
    """
    order = np.argsort(p_values, kind="stable")
    limits = (1.0 - level) / np.arange(len(order), 0, -1)
    passed = np.logical_and.accumulate(p_values[order] <= limits)
    claimed = np.zeros(len(order), dtype=bool)
    claimed[order] = passed
    return claimed


def _p_values(mean: Numbers, error: Numbers, n: NDArray[np.int64], degrees: int) -> Numbers:
    """Of differences with their standard errors; without an error any difference is one."""
    p = np.ones(len(mean))
    rows = (n >= FEWEST_SEEDS) & (mean != 0.0)
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
    odd = degrees % 2
    term = cosine if odd else np.ones_like(t)
    total = term.copy() if degrees > 1 else np.zeros_like(t)
    for k in range(2 + odd, degrees, 2):
        term = term * cosine**2 * (k - 1) / k
        total += term
    inside = 2.0 / np.pi * (angle + sine * total) if odd else sine * total
    outside: Numbers = np.clip(1.0 - inside, 0.0, 1.0)
    return outside
