"""Student's t for whole degrees of freedom, however many."""

from __future__ import annotations

import math

from reports.analysis.statistics import NORMAL_95, incomplete_beta, t_quantile

SUMMED = 200  # degrees of freedom up to which its probability is added up
MANY = 100_000  # degrees of freedom from which it is normal


def quantile(degrees: int) -> float:
    """Student's t at 97.5 %, in standard errors."""
    return t_quantile(0.975, degrees) if degrees < MANY else NORMAL_95


def two_sided(t: float, degrees: int) -> float:
    """Two-sided p-value of Student's t.

    Source: Abramowitz & Stegun 26.7.3 and 26.7.4, sums that end where the degrees are few.
    """
    if degrees >= MANY:
        return math.erfc(abs(t) / math.sqrt(2.0))
    if degrees > SUMMED:
        return incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
    angle = math.atan(abs(t) / math.sqrt(degrees))
    square, odd = math.cos(angle) ** 2, degrees % 2
    term = total = math.cos(angle) * (degrees > 1) if odd else 1.0
    for at in range(2 + odd, degrees - 1, 2):
        term *= square * (at - 1) / at
        total += term
    inside = math.sin(angle) * total
    return max(0.0, 1.0 - (2.0 / math.pi * (angle + inside) if odd else inside))
