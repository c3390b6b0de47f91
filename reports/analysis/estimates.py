"""Estimates with intervals from the mixes of a study, whichever of them were tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.analysis.design import Design
from reports.analysis.errors import Noise, given_noise, seed_noise
from reports.analysis.misfit import Misfit
from reports.analysis.regression import Sum, additive, weighed_squares
from reports.analysis.seeds import levelled
from reports.analysis.statistics import FEWEST_SEEDS, Numbers
from reports.analysis.student import MANY, quantile, two_sided

ROUNDING = 1e-12  # of the largest value: what is smaller is no difference
EXACT = 1e-9  # the same of counts, whose sums are rounded


@dataclass(frozen=True)
class Estimate:
    """A number with its doubt.

    Args:
        value: In the unit of the metric.
        error: Standard error; NaN where nothing says how large it is.
        degrees: Degrees of freedom of the error, 0 where it is NaN.
        low: Lower end of the 95 % interval.
        high: Upper end.
        sure: It is a count, and not 0.
    """

    value: float
    error: float
    degrees: int
    low: float
    high: float
    sure: bool = False

    @property
    def p_value(self) -> float:
        """Two-sided, of the true value being 0; 1 where it can't be told."""
        if not self.degrees:
            return 0.0 if self.sure else 1.0
        return two_sided(self.value / self.error, self.degrees) if self.error else 1.0

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside the interval."""
        return self.sure or self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True)
class Values:
    """What was measured of the mixes of a study, ready for estimates.

    Args:
        model: The mixes, as a sum over the axes.
        trials: (mixes, seeds) the value of each, NaN where there is none; costs have one column.
        noise: What chance adds; None where only what the sum leaves over can tell.
        seeds: How many seeds most mixes have; 0 for costs, which belong to none.
        exact: The values are counts without an error.
    """

    model: Sum
    trials: Numbers
    noise: Noise | None
    seeds: int
    exact: bool = False

    @cached_property
    def means(self) -> Numbers:
        """(mixes,) over the seeds that each has."""
        return np.nanmean(self.trials, axis=1) if len(self.trials) else np.zeros(0)

    @cached_property
    def largest(self) -> float:
        """The largest of the means, without its sign."""
        return float(np.abs(self.means).max(initial=0.0))

    @property
    def claims(self) -> bool:
        """Whether there are seeds enough to claim any difference; costs need none."""
        return not self.seeds or self.seeds >= FEWEST_SEEDS

    @cached_property
    def misfit(self) -> Misfit:
        """What mixes that were not tried may add."""
        return Misfit(self.model, self.means, self.noise)

    def judge(
        self,
        axis: int,
        contrasts: Numbers,
        weights: Numbers | None = None,
        spill: Numbers | None = None,
    ) -> list[Estimate]:
        """Estimates about one axis, with intervals.

        Args:
            axis: Number of the axis.
            contrasts: (estimates, levels), weights of its levels that add up to zero.
            weights: (estimates, mixes) that would give these contrasts, were all a sum; those of
                least squares if they are not given.
            spill: (estimates,), `Misfit.exposure` of these, where it is known.
        """
        noise = self.noise
        if weights is None:  # sums over levels say it all, however many mixes there are
            shares = self.model.shares(axis, contrasts)
            values = shares @ self._sums
            norms, scale = (
                weighed_squares(shares, each) for each in (self.model.gram, self._scaled)
            )
        else:  # einsum, as a product of matrices would keep every core busy for so little
            values = np.einsum("em,m->e", weights, self.means)
            norms = np.einsum("em,em->e", weights, weights)
            scale = np.einsum("em,em,m->e", weights, weights, self._scale)
        if spill is None:
            spill = self.misfit.exposure(axis, contrasts, norms, weights)
        if noise is None:
            return self._from_what_is_left(values, norms, spill)
        spread = noise.of_axes[axis]
        return [
            self._estimate(float(value), *self._variance(float(own), spread.degrees, float(more)))
            for value, own, more in zip(values, spread.variance * scale, spill, strict=True)
        ]

    @cached_property
    def _sums(self) -> Numbers:
        return self.model.summed(self.means)

    @cached_property
    def _scale(self) -> Numbers:
        return np.ones(len(self.means)) if self.noise is None else self.noise.scale

    @cached_property
    def _scaled(self) -> Numbers:
        return self.model.crossed(self._scale)

    def _variance(self, chance: float, degrees: float, spill: float) -> tuple[float, float]:
        """Of an estimate, with its degrees of freedom (Satterthwaite 1946)."""
        misfit, noise = self.misfit, self.noise
        if noise is None or spill < 1e-12 or not misfit.known or misfit.variance == 0.0:
            return chance, degrees
        share = spill / misfit.trace
        variance = chance + share * (misfit.left - misfit.by_chance)
        parts = (
            (chance, degrees),
            (share * misfit.left, misfit.degrees),
            (share * misfit.by_chance, noise.rest.degrees),
        )
        return variance, variance**2 / sum(part**2 / of for part, of in parts if of)

    def _from_what_is_left(self, values: Numbers, norms: Numbers, spill: Numbers) -> list[Estimate]:
        """Chance and misfit can't be told apart: both are in what the sum leaves over."""
        spare, trace = self.model.spare, self.misfit.trace if self.model.spare else 0.0
        if not spare:
            return [self._estimate(float(value), math.nan, 0.0) for value in values]
        size = np.maximum(norms, spill * spare / trace) if trace > 1e-6 else norms
        variances = self.misfit.left / spare * size
        degrees = min(float(spare), self.misfit.degrees or float(spare))
        return [
            self._estimate(float(value), float(variance), degrees)
            for value, variance in zip(values, variances, strict=True)
        ]

    def _estimate(self, value: float, variance: float, degrees: float) -> Estimate:
        largest = self.largest
        if self.exact and variance <= (EXACT * largest) ** 2:
            sure = abs(value) > EXACT * largest
            return Estimate(value, 0.0, 0, math.nan, math.nan, sure)
        if math.isnan(variance) or degrees < 1.0:
            return Estimate(value, math.nan, 0, math.nan, math.nan)
        error = math.hypot(math.sqrt(variance), ROUNDING * largest)
        free = int(min(degrees, MANY))
        half = quantile(free) * error
        return Estimate(value, error, free, value - half, value + half)


def of_seeds(
    levels: pd.DataFrame,
    values: pd.DataFrame,
    modelled: Callable[[pd.DataFrame], Sum] = additive,
) -> Values:
    """What was measured once for each mix and seed.

    Args:
        levels: One row per mix, one column per axis, the level's name in each cell.
        values: The same rows, one column per seed; NaN where there is no value.
        modelled: The model of some of these rows.
    """
    levels = levels.dropna()
    numbers = values.reindex(levels.index).to_numpy(dtype=float)
    seen = ~np.isnan(numbers).all(axis=1)
    numbers = numbers[seen][:, ~np.isnan(numbers[seen]).all(axis=0)]
    return of_trials(modelled(levels[seen]), numbers)


def of_trials(model: Sum | Design, trials: Numbers) -> Values:
    """The same of mixes with numbers for levels.

    Args:
        model: The mixes.
        trials: (mixes, seeds); NaN where a mix was not trained with a seed. Each mix has a value.
    """
    model = Sum(model) if isinstance(model, Design) else model
    numbers = levelled(trials)
    counts = (~np.isnan(numbers)).sum(axis=1)
    seeds = int(np.median(counts)) if len(counts) else 0
    noise = seed_noise(model, numbers) if seeds else None
    return Values(model, numbers, noise, seeds)


def of_costs(
    levels: pd.DataFrame,
    values: pd.Series,
    low: pd.Series,
    high: pd.Series,
    *,
    exact: bool = False,
    modelled: Callable[[pd.DataFrame], Sum] = additive,
) -> Values:
    """What was measured once for each mix, with an interval of its own or without one.

    Args:
        levels: One row per mix, one column per axis.
        values: One value per mix, NaN where there is none.
        low: Lower end of each value's interval, NaN where there is none.
        high: Upper end.
        exact: The values are counts without an error.
        modelled: The model of some of these rows.
    """
    levels = levels.dropna()
    levels = levels[values.reindex(levels.index).notna()]
    model = modelled(levels)
    numbers, lower, upper = (
        each.reindex(levels.index).to_numpy(dtype=float) for each in (values, low, high)
    )
    bounded = len(levels) > 0 and not np.isnan(upper - lower).any()
    if exact:
        lower = upper = numbers
    noise = given_noise(model, lower, upper) if bounded or exact else None
    return Values(model, numbers[:, None], noise, 0, exact)
