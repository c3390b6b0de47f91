"""How large a difference must be for a study with so few seeds to see it."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from reports.analysis.statistics import FEWEST_SEEDS, Numbers, t_quantile

NODES = 128  # of the quadrature; its error is below 1e-10


def smallest_difference(
    sd: float,
    n: int,
    *,
    power: float = 0.8,
    level: float = 0.95,
    degrees: int | None = None,
) -> float:
    """The smallest true difference that a study like this one would probably have claimed.

    A paired t test of n differences, two-sided. Source: the non-central t distribution, e.g.
    Cohen 1988, section 2.3. `sd` is an estimate itself, with as much doubt as it has degrees.

    Args:
        sd: Standard deviation of the differences between two mixes from seed to seed, in any unit.
        n: How many seeds both mixes were trained with.
        power: Probability with which the difference would have been claimed.
        level: Of the interval that must exclude zero for a claim.
        degrees: Degrees of freedom of `sd` where it is pooled over several comparisons and the
            test uses it so; n - 1 if it is that of one comparison.

    Returns:
        In the unit of sd; infinite with fewer seeds than any claim needs.

    Raises:
        ValueError: sd is negative, or power is not between 1 - level and 1.
    """
    if math.isnan(sd) or sd < 0.0:
        raise ValueError(f"sd must be at least 0; got {sd}")
    if not 1.0 - level < power < 1.0:
        raise ValueError(f"power must be between {1.0 - level:.2g} and 1; got {power}")
    if n < FEWEST_SEEDS:
        return math.inf
    free = n - 1 if degrees is None else degrees
    return sd / math.sqrt(n) * _needed_shift(free, power, level)


def claim_probability(shift: float, degrees: int, level: float = 0.95) -> float:
    """Probability that a two-sided t test claims a true difference.

    Args:
        shift: The true difference in standard errors of its estimate.
        degrees: Degrees of freedom of the standard error.
        level: Of the interval that must exclude zero.
    """
    limit = t_quantile(0.5 + level / 2.0, degrees)
    errors, weights = _error_sizes(degrees)
    above = [_normal(shift - limit * error) for error in errors]
    below = [_normal(-shift - limit * error) for error in errors]
    return float(weights @ (np.array(above) + np.array(below)))


@cache
def _needed_shift(degrees: int, power: float, level: float) -> float:
    """By bisection: the probability grows with the shift."""
    low, high = 0.0, 1.0
    while claim_probability(high, degrees, level) < power:
        low, high = high, 2.0 * high
    for _ in range(50):
        middle = 0.5 * (low + high)
        if claim_probability(middle, degrees, level) < power:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@cache
def _error_sizes(degrees: int) -> tuple[Numbers, Numbers]:
    """Estimated over true standard deviation, and how probable: (nodes,), (nodes,)."""
    reach = 10.0 / math.sqrt(2.0 * degrees)
    low, high = max(0.0, 1.0 - reach), 1.0 + reach
    points, weights = np.polynomial.legendre.leggauss(NODES)
    sizes = low + (high - low) * (points + 1.0) / 2.0
    half = degrees / 2.0
    log_density = (
        math.log(2.0)
        + half * math.log(half)
        - math.lgamma(half)
        + (degrees - 1.0) * np.log(sizes)
        - half * sizes**2
    )
    probable: Numbers = weights * (high - low) / 2.0 * np.exp(log_density)
    return sizes, probable


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
