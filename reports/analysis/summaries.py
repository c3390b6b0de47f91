"""Means, spreads and intervals of many rows of a few values each, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.statistics import Numbers, t_quantile

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Summaries:
    """What `statistics.summarise` says of one row, for many rows; each (rows,).

    Args:
        mean: Arithmetic means; NaN where a row has no value.
        sd: Standard deviations (n - 1); NaN where a row has fewer than two.
        low: Lower ends of Student's t intervals of the means.
        high: Upper ends.
        n: How many values each row has.
    """

    mean: Numbers
    sd: Numbers
    low: Numbers
    high: Numbers
    n: Counts


def summaries(values: Numbers, level: float = 0.95) -> Summaries:
    """Mean, standard deviation and t interval of each row.

    Args:
        values: (rows, columns); NaN where there is no value.
        level: Of the intervals.
    """
    present = ~np.isnan(values)
    n = present.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, values, 0.0).sum(axis=1) / n
        gaps = np.where(present, values - mean[:, None], 0.0)
        sd = np.sqrt((gaps**2).sum(axis=1) / (n - 1))
    mean, sd = np.where(n > 0, mean, np.nan), np.where(n > 1, sd, np.nan)
    half = _quantiles(n, level) * sd / np.sqrt(np.maximum(n, 1))
    return Summaries(mean, sd, mean - half, mean + half, n.astype(np.int64))


def _quantiles(n: Counts, level: float) -> Numbers:
    """Student's quantile for each number of values; 1 where there is none."""
    sizes, at = np.unique(n, return_inverse=True)
    known = [t_quantile(0.5 + level / 2, int(size) - 1) if size > 1 else 1.0 for size in sizes]
    return np.array(known, dtype=float)[at]
