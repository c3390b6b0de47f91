"""What a few seeds can and cannot say: means, spreads and intervals, without scipy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FEWEST_SEEDS = 3  # two seeds give an interval of 13 standard errors: nothing can be claimed


@dataclass(frozen=True)
class Summary:
    """Mean of a few values with its spread; what n does not allow is NaN.

    Args:
        mean: Arithmetic mean.
        sd: Standard deviation of the values (n - 1).
        low: Lower end of Student's t interval of the mean.
        high: Upper end.
        n: How many values.
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference can be claimed: enough values, and 0 is outside the interval."""
        return self.n >= FEWEST_SEEDS and not self.low <= 0.0 <= self.high

    @property
    def p_value(self) -> float:
        """Two-sided p-value of Student's t test against 0; 1 where nothing can be claimed."""
        if self.n < FEWEST_SEEDS or self.mean == 0.0:
            return 1.0
        if self.sd == 0.0:
            return 0.0
        t = abs(self.mean) / self.sd * math.sqrt(self.n)
        return incomplete_beta((self.n - 1) / 2.0, 0.5, (self.n - 1) / (self.n - 1 + t * t))


def holm(p_values: Sequence[float], level: float = 0.95) -> list[bool]:
    """Which of several comparisons can be claimed so that all claims hold with this probability.

    Source: Holm 1979, from the smallest p-value on: the k-th of m is held against (1 - level) over
    (m - k + 1), and the first that fails stops it.
    """
    claimed = [False] * len(p_values)
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    for done, at in enumerate(order):
        if p_values[at] > (1.0 - level) / (len(order) - done):
            break
        claimed[at] = True
    return claimed


def summarise(values: Iterable[float], level: float = 0.95) -> Summary:
    """Mean, standard deviation and t interval; NaN among the values is left out."""
    array = np.array([value for value in values if not math.isnan(value)], dtype=float)
    n = len(array)
    if n == 0:
        return Summary(math.nan, math.nan, math.nan, math.nan, 0)
    mean = float(array.mean())
    if n == 1:
        return Summary(mean, math.nan, math.nan, math.nan, 1)
    sd = float(array.std(ddof=1))
    half = t_quantile(0.5 + level / 2, n - 1) * sd / math.sqrt(n)
    return Summary(mean, sd, mean - half, mean + half, n)


@cache
def t_quantile(probability: float, degrees: int) -> float:
    """The value below which Student's t stays with this probability.

    Raises:
        ValueError: The probability is not between 0 and 1, or there are no degrees of freedom.
    """
    if not 0.0 < probability < 1.0:
        raise ValueError(f"probability must be between 0 and 1; got {probability}")
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be at least 1; got {degrees}")
    if probability < 0.5:
        return -t_quantile(1.0 - probability, degrees)
    half = 0.5 * math.log(degrees * math.pi) + math.lgamma(degrees / 2)
    most = math.lgamma((degrees + 1) / 2) - half
    found = 0.0
    for _ in range(200):  # Newton's steps: never too far, as the density falls from 0 on
        density = math.exp(most - 0.5 * (degrees + 1) * math.log1p(found * found / degrees))
        step = (probability - t_probability(found, degrees)) / density
        found += step
        if abs(step) <= 1e-14 * found:
            break
    return found


def t_probability(t: float, degrees: int) -> float:
    """Probability that Student's t is below t: 1 - I_x(v/2, 1/2) / 2 with x = v / (v + t^2)."""
    x = degrees / (degrees + t * t)
    tail = 0.5 * incomplete_beta(degrees / 2.0, 0.5, x)
    return 1.0 - tail if t >= 0 else tail


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    Source: DLMF 8.17.22, the continued fraction, on the side where it converges fast.
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(x) + b * math.log1p(-x)) / a
    return front / _continued_fraction(a, b, x)


def _continued_fraction(a: float, b: float, x: float, terms: int = 200) -> float:
    """1 + d1/(1 + d2/(1 + ...)), from the last term to the first."""
    value = 1.0
    for n in range(terms, 0, -1):
        m = n // 2
        if n % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        value = 1.0 + d / value
    return value


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's rank correlation tau-b of pairs: 1 in the same order, -1 in the opposite one.

    Pairs that tie in one of the two count as neither; NaN where all do, or there are fewer than
    two.

    Source: Kendall 1945.
    """
    a, b = (np.asarray(values, dtype=float) for values in (first, second))
    upper = np.triu_indices(len(a), 1)
    signs = [np.sign(values[upper[0]] - values[upper[1]]) for values in (a, b)]
    untied = math.sqrt(float(np.abs(signs[0]).sum()) * float(np.abs(signs[1]).sum()))
    return float((signs[0] * signs[1]).sum()) / untied if untied else math.nan


def resampled_means(values: Numbers, draws: int, rng: np.random.Generator) -> Numbers:
    """Means over seeds drawn with replacement, the same draw of seeds for every mix.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.
        draws: How many resamples.
        rng: Source of the draws.

    Returns:
        (draws, mixes). A mix without any of the seeds drawn keeps the mean of those it has.
        Resampled means of n seeds spread sqrt((n - 1) / n) too little, which matters for few:
        their deviations from the mean are stretched to make up for it. One seed has none.
    """
    seeds = values.shape[1]
    counts = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=draws)  # (draws, seeds)
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Numbers = (counts @ filled.T) / (counts @ present.T)
        fallback = filled.sum(axis=1) / present.sum(axis=1)
    n = present.sum(axis=1)
    stretch = np.sqrt(n / np.maximum(n - 1, 1))
    spread: Numbers = fallback + np.where(np.isnan(means), 0.0, means - fallback) * stretch
    return spread


NORMAL_95 = 1.959963984540054
