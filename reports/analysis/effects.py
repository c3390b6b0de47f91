"""What each choice does on average, with everything else held equal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.estimates import Estimate, Values, of_costs, of_seeds
from reports.analysis.regression import Sum, deviations
from reports.analysis.statistics import Numbers


@dataclass(frozen=True)
class Effect:
    """What one level of an axis does to a metric, against the mean over the axis's levels.

    Args:
        axis: Name of the axis.
        level: Name of the level.
        value: Mean difference, in the metric's unit.
        low: Lower end of its 95 % interval; NaN without one.
        high: Upper end.
        n: Seeds behind it (1 for a cost, which belongs to no seed).
        mixes: Mixes with this level.
        claimed: Whether the data support a difference from the axis's mean.
    """

    axis: str
    level: str
    value: float
    low: float
    high: float
    n: int
    mixes: int
    claimed: bool


@dataclass(frozen=True)
class Effects:
    """The effects on one metric.

    Args:
        metric: Its name.
        effects: Axis by axis in the study's order, levels in order of appearance.
        explained: Share of the variance between mixes that adding up the effects explains, less
            what as many terms explain by chance (adjusted R^2): near 1 the choices act
            independently, far below they interact and means mislead. NaN if it can't be told.
        complete: Whether every combination of levels was measured, so that the comparison is
            paired; otherwise the effects are least squares fits of a sum over the axes.
        untold: Axes whose effects these mixes cannot tell from those of other axes.
        tested: Whether the mixes can say how far choices interact, so that intervals allow for
            combinations that were not tried; always so where none is missing.
    """

    metric: str
    effects: tuple[Effect, ...]
    explained: float
    complete: bool
    untold: tuple[str, ...] = ()
    tested: bool = True

    def of(self, axis: str) -> tuple[Effect, ...]:
        """The effects of one axis."""
        return tuple(effect for effect in self.effects if effect.axis == axis)

    def spread(self, axis: str) -> float:
        """Largest minus smallest effect of an axis; how much the choice matters."""
        values = [effect.value for effect in self.of(axis)]
        return max(values) - min(values) if values else 0.0


def seed_effects(metric: str, levels: pd.DataFrame, values: pd.DataFrame) -> Effects:
    """Effects on what is measured once for each mix and seed.

    The truth that an interval should hold is the mean effect over every combination of levels and
    over seeds. It allows for what seeds change and, where combinations are missing, for how far
    the mixes that were tried are from adding up.

    Args:
        metric: Name of the metric.
        levels: One row per mix, one column per axis, the level's name in each cell.
        values: The same rows, one column per seed; NaN where there is no value.
    """
    return effects_of(metric, of_seeds(levels, values))


def cost_effects(
    metric: str,
    levels: pd.DataFrame,
    values: pd.Series,
    low: pd.Series,
    high: pd.Series,
    *,
    exact: bool = False,
) -> Effects:
    """Effects on what is measured once for each mix; the mixes' own intervals are carried on.

    Args:
        metric: Name of the metric.
        levels: One row per mix, one column per axis.
        values: One value per mix, NaN where there is none.
        low: Lower end of each value's interval, NaN where there is none.
        high: Upper end.
        exact: The values are counts without an error, so that every difference is one.
    """
    return effects_of(metric, of_costs(levels, values, low, high, exact=exact))


def effects_of(metric: str, measured: Values) -> Effects:
    """The effects of every axis that the mixes can tell from the others.

    Args:
        metric: Name of the metric.
        measured: What was measured.
    """
    model, design = measured.model, measured.model.design
    known = [at for at in range(len(design.axes)) if model.told_apart[at]]
    effects = [effect for at in known for effect in _of_axis(measured, at)]
    explained = _explained(model, measured.means) if len(known) == len(design.axes) else math.nan
    return Effects(
        metric,
        tuple(effects),
        explained if effects else math.nan,
        design.complete,
        tuple(axis for at, axis in enumerate(design.axes) if at not in known),
        design.complete or measured.misfit.known,
    )


def claimed(estimate: Estimate, measured: Values) -> bool:
    """Whether the data support a difference: seeds enough, and 0 is outside the interval."""
    return measured.claims and estimate.excludes_zero


def _of_axis(measured: Values, at: int) -> list[Effect]:
    design = measured.model.design
    contrasts = deviations(design.sizes[at])
    estimates = measured.judge(at, contrasts)
    counts = np.bincount(design.codes[:, at], minlength=design.sizes[at])
    return [
        Effect(
            design.axes[at],
            level,
            each.value,
            each.low,
            each.high,
            max(measured.seeds, 1),
            int(number),
            claimed(each, measured),
        )
        for level, each, number in zip(design.levels[at], estimates, counts, strict=True)
    ]


def _explained(model: Sum, means: Numbers) -> float:
    """Adjusted R^2 of the additive model; NaN where it has as many terms as there are mixes."""
    total = float(((means - means.mean()) ** 2).sum()) if len(means) else 0.0
    if model.spare <= 0 or total == 0.0:
        return math.nan
    left = float((model.left(means) ** 2).sum())
    return 1.0 - left / total * (len(means) - 1) / model.spare
