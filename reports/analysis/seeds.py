"""What a seed adds for all mixes alike, and how far seeds scatter beside it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from reports.analysis.statistics import Numbers

SETTLED = 1e-12  # of the largest effect: what a further round changes no more


def effects_of_seeds(values: Numbers) -> Numbers:
    """What each seed adds for all mixes alike, over the mean of the seeds.

    Least squares of a sum of a mix and a seed, by alternating means; mixes with one seed say
    nothing of it.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.

    Returns:
        (seeds,); 0 for a seed that no mix shares with another seed.
    """
    several = values[(~np.isnan(values)).sum(axis=1) > 1]
    present = ~np.isnan(several)
    filled, cells = np.where(present, several, 0.0), present.sum(axis=0)
    effects = np.zeros(values.shape[1])
    for _ in range(200 if not present.all() else 1):  # once is exact where nothing is missing
        means = (filled - present * effects).sum(axis=1) / present.sum(axis=1)
        before = effects
        effects = (filled - present * means[:, None]).sum(axis=0) / np.maximum(cells, 1)
        effects -= effects[cells > 0].mean() if cells.any() else 0.0
        if np.abs(effects - before).max(initial=0.0) <= SETTLED * np.abs(effects).max(initial=0.0):
            break
    return np.where(cells > 0, effects, 0.0)


def levelled(values: Numbers, like: NDArray[np.bool_] | None = None) -> Numbers:
    """Values of mixes that lack seeds, less what those that they have add in the mean.

    A mean over lucky seeds does not compare with one over others: crops, noise and initial weights
    of a seed are the same for every mix. Mixes with all seeds are left as they are. Only means of
    levelled values compare: seed by seed, a mix that was levelled is off by what was taken.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.
        like: (mixes,) which of them tell what a seed adds; all if left out.
    """
    present = ~np.isnan(values)
    if present[present.any(axis=1)].all():
        return values
    effects = effects_of_seeds(values if like is None else values[like])
    shifts = (present @ effects) / np.maximum(present.sum(axis=1), 1)
    return values - np.where(present.all(axis=1), 0.0, shifts)[:, None]


def most_seeds(values: Numbers) -> int:
    """How many seeds the mix has that has most of them; 0 without any.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.
    """
    return int((~np.isnan(values)).sum(axis=1).max(initial=0))


def scatter(values: Numbers) -> tuple[float, int]:
    """Standard deviation of one seed's value beside what mix and seed add, and its degrees.

    It is what two mixes with the same seeds differ by through chance. Where only one mix has
    several seeds, the deviation between these, which is larger. (nan, 0) where none has.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.
    """
    rest, degrees = _rest(values)
    return (math.sqrt(float((rest**2).sum()) / degrees), degrees) if degrees else (math.nan, 0)


def errors(values: Numbers) -> Numbers:
    """What chance did to each value beside what mix and seed add, as large as chance is.

    Residuals are smaller than errors, as means were taken from them: they are stretched by
    sqrt(values / degrees of freedom), so that their mean square is the square of `scatter`.

    Args:
        values: (mixes, seeds); NaN where a mix was not trained with a seed.

    Returns:
        (errors,); empty where chance can't be told from the mixes.
    """
    rest, degrees = _rest(values)
    stretched: Numbers = rest * math.sqrt(len(rest) / degrees) if degrees else rest[:0]
    return stretched


def _rest(values: Numbers) -> tuple[Numbers, int]:
    """Residuals of mixes with several seeds, (values,), and their degrees of freedom."""
    several = values[(~np.isnan(values)).sum(axis=1) > 1]
    if not len(several):
        return np.zeros(0), 0
    effects = effects_of_seeds(several) if len(several) > 1 else np.zeros(values.shape[1])
    rest = several - effects
    rest = rest - np.nanmean(rest, axis=1, keepdims=True)
    present = ~np.isnan(several)
    seeds = int(present.any(axis=0).sum()) if len(several) > 1 else 1
    degrees = int(present.sum()) - len(several) - seeds + 1
    return rest[present], max(degrees, 0)
