"""What mixes can be placed by: every accuracy and every cost that was measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.statistics import FEWEST_SEEDS, Numbers
from reports.graphics.axes import Axis, axis, wants_log
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.goals import MEASURED, quality_metric, scale
from reports.numbers.mixes import ENDS
from reports.numbers.units import percent

QUALITIES = ("psnr", "gain", "ssim", "ssim_gain")
PAD = 0.1  # room above and below an accuracy, as a share of what is drawn
COST_PAD = 0.05
TICKS = 6
FINER = 2  # digits that are kept beyond those shown: enough to draw by
WHOLE = 9  # digits after the point of a count, so that a count of billions keeps all
FEWEST_POINTS = 1 / 3  # share of the height that the points keep, however long their bars are


@dataclass(frozen=True)
class Measure:
    """One number of every mix, in the unit that is shown, to a few digits more than are shown.

    Args:
        name: Its column in the table of results.
        title: What it is: Latency.
        unit: Unit shown: ms; "" for a bare number.
        decimals: Digits after the point.
        better: higher or lower.
        accuracy: Whether trials have it; otherwise it is a cost of the mix.
        exact: A count: any difference is one.
        spread: What the ends are, in words; "" where there are none.
        value: (mixes,), NaN where it was not measured.
        low: Lower ends, (mixes,); NaN where there is no interval, or too few seeds for one.
        high: Upper ends.
    """

    name: str
    title: str
    unit: str
    decimals: int
    better: str
    accuracy: bool
    exact: bool
    spread: str
    value: Numbers
    low: Numbers
    high: Numbers

    @property
    def heading(self) -> str:
        """Name and unit: Latency, ms."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


def measures(found: Found, mixes: pd.Index[str]) -> tuple[Measure, ...]:
    """All that can be drawn along an axis: accuracies, then costs; the objectives lead.

    Args:
        found: What was found.
        mixes: Of which mixes, in this order.
    """
    table = found.table.loc[mixes]
    accuracies = [quality_metric(found), *QUALITIES, *found.objectives, *found.per_seed]
    known = [name for name in dict.fromkeys(accuracies) if _is_accuracy(found, name)]
    names = [*known, *found.cost_metrics, *_sizes(found)]
    return tuple(
        _measure(found, table, name) for name in names if name in table and table[name].count()
    )


def home(measure: Measure, shown: Sequence[bool] | Numbers | None = None) -> Axis:
    """The axis that a measure is first drawn along.

    An accuracy leaves out the few mixes that lie so far off that they would flatten the others,
    and cuts intervals that would squeeze the points.

    Args:
        measure: At least one mix has it.
        shown: (mixes,) which of them count; all if left out.
    """
    keep = ~np.isnan(measure.value)
    keep &= True if shown is None else np.asarray(shown, dtype=bool)
    values = measure.value[keep]
    if not measure.accuracy:
        extremes = [float(values.min()), float(values.max())]
        return axis(extremes, ticks=TICKS, log=wants_log(extremes), pad=COST_PAD)
    central = _central(values, measure.better)
    ends = _bars(values, measure.low[keep], measure.high[keep], central)
    return axis(central + ends, ticks=TICKS, pad=PAD)


def _is_accuracy(found: Found, name: str) -> bool:
    """Whether it is a metric of trials that has a better direction."""
    metric = found.metrics.get(name)
    return name in found.per_seed and metric is not None and metric.better != "none"


def _sizes(found: Found) -> list[str]:
    """Costs at other sizes than the main one: latency@256x256."""
    names = [str(name) for name in found.table if "@" in str(name)]
    return [
        name
        for name in names
        if not name.endswith(("_low", "_high")) and name.partition("@")[0] in found.cost_metrics
    ]


def _measure(found: Found, table: pd.DataFrame, name: str) -> Measure:
    shown, base = scale(found, name), name.partition("@")[0]
    value, low, high = (
        _column(table, f"{name}{ending}") / shown.factor for ending in ("", "_low", "_high")
    )
    accuracy = name in found.per_seed
    if accuracy:
        few = ~(_column(table, f"{name}_n") >= FEWEST_SEEDS)
        low, high = (np.where(few, np.nan, ends) for ends in (low, high))
    known = not bool(np.isnan(low).all())
    exact = not accuracy and not known and found.metrics[base].unit not in MEASURED
    return Measure(
        name=name,
        title=shown.title,
        unit=shown.unit,
        decimals=shown.decimals,
        better=found.metrics[base].better,
        accuracy=accuracy,
        exact=exact,
        spread=_spread(found, name) if known else "",
        value=np.round(value, WHOLE if exact else shown.decimals + FINER),
        low=np.round(low, shown.decimals + 1),
        high=np.round(high, shown.decimals + 1),
    )


def _spread(found: Found, name: str) -> str:
    if name not in found.per_seed:
        return ENDS.get(name.partition("@")[0], f"{percent(0.95)} interval")
    return f"{percent(0.95)} interval over {seed_counts(found, name).of_intervals}"


def _column(table: pd.DataFrame, name: str) -> Numbers:
    if name not in table:
        return np.full(len(table), np.nan)
    return table[name].to_numpy(dtype=float)


def _central(values: Numbers, better: str) -> list[float]:
    """Lowest and highest value, without the few so far off that they would flatten the others."""
    low, high = np.quantile(values, [0.25, 0.75])
    reach = 3.0 * (high - low)
    near = values <= high + reach if better == "lower" else values >= low - reach
    kept = values[near] if near.mean() >= 0.8 else values
    return [float(kept.min()), float(kept.max())]


def _bars(values: Numbers, lows: Numbers, highs: Numbers, central: list[float]) -> list[float]:
    """Lowest and highest end of the points' intervals, cut where points would be squeezed.

    Args:
        values: The mixes of the plot.
        lows: Lower ends of their intervals, or NaN.
        highs: Upper ends.
        central: Lowest and highest of those inside the plot; they keep FEWEST_POINTS of it.
    """
    low, high = central
    inside = (values >= low) & (values <= high) & ~np.isnan(lows)
    if not inside.any():
        return []
    below = max(low - float(lows[inside].min()), 0.0)
    above = max(float(highs[inside].max()) - high, 0.0)
    room = (high - low) * (1.0 / (FEWEST_POINTS * (1.0 + 2.0 * PAD)) - 1.0)
    if high > low and below + above > room:  # the shorter side keeps what it needs, up to half
        shorter = min(below, above, room / 2)
        below, above = min(below, room - shorter), min(above, room - shorter)
    return [float(low - below), float(high + above)]
