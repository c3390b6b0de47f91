"""The values of a run's mixes, ready for estimates: of the quality, and of each cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from reports.analysis.estimates import Values, of_costs, of_seeds
from reports.analysis.once import once
from reports.analysis.regression import Sum, additive
from reports.numbers.found import Found
from reports.numbers.goals import MEASURED, quality_metric
from reports.numbers.objectives import interval
from reports.numbers.units import Scale


class Estimate(Protocol):
    """Anything with an interval, raw."""

    @property
    def low(self) -> float:
        """Its lower end."""

    @property
    def high(self) -> float:
        """Its upper end."""


@once
def quality_values(found: Found) -> Values:
    """What the mixes that count came to, by the metric that they are ranked by."""
    usable = found.levels.loc[found.ranked.index]
    values = found.per_seed.get(quality_metric(found), pd.DataFrame())
    return of_seeds(usable, values, partial(_modelled, found))


@once
def cost_values(found: Found, metric: str) -> Values:
    """What the mixes cost, with the intervals that were measured."""
    table = found.table[~found.table["baseline"]]
    ends = interval(table, metric)
    exact = found.metrics[metric].unit not in MEASURED and not ends["low"].count()
    levels = found.levels.loc[table.index]
    columns = (ends[name] for name in ("value", "low", "high"))
    return of_costs(levels, *columns, exact=exact, modelled=partial(_modelled, found))


def _modelled(found: Found, levels: pd.DataFrame) -> Sum:
    """The model of some mixes, the same for all that was measured of them."""
    return _model(found, found.levels.index.isin(levels.index).tobytes())


@once
def _model(found: Found, rows: bytes) -> Sum:
    return additive(found.levels[np.frombuffer(rows, dtype=bool)])


def finer_for(shown: Scale, estimates: Iterable[Estimate]) -> Scale:
    """A scale for differences, with as many decimals as the intervals of these are wide."""
    return finer(shown, (0.5 * (each.high - each.low) for each in estimates))


def finer(shown: Scale, halves: Iterable[float]) -> Scale:
    """A scale for differences, with as many decimals as their intervals are wide.

    Args:
        shown: The scale of the metric itself.
        halves: Half widths of the intervals, raw; NaN, and what is next to nothing, is left out.
    """
    least = 10.0 ** -(shown.decimals + 3)
    known = sorted(half / shown.factor for half in halves if half / shown.factor > least)
    wanted = -math.floor(math.log10(known[len(known) // 2] / 2.5)) if known else 0
    decimals = min(max(shown.decimals, wanted, 2), 5)
    return Scale(shown.metric, shown.factor, shown.unit, decimals)
