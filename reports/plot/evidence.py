"""When two mixes differ: seed by seed in accuracy, as ranked in latency, by intervals otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.paired import paired
from reports.analysis.seeds import most_seeds, scatter
from reports.analysis.statistics import FEWEST_SEEDS, Numbers
from reports.numbers.found import Found
from reports.numbers.objectives import RANGES
from reports.numbers.rankings import ranks
from reports.numbers.sittings import METRIC
from reports.numbers.units import Scale
from reports.plot.measures import FINER, Measure

MOST_RANKED = 2000  # mixes whose latencies are held against each other, pair by pair


@dataclass(frozen=True)
class Gap:
    """One mix minus another, in the unit shown.

    Args:
        value: The difference.
        low: Lower end of its 95 % interval; NaN where there is none.
        high: Upper end.
        apart: Whether a difference can be claimed.
    """

    value: float
    low: float
    high: float
    apart: bool


@dataclass(frozen=True)
class Evidence:
    """What it takes to tell mixes apart.

    Args:
        seeds: Accuracy -> value by seed, (mixes, seeds), in the unit shown; NaN where
            missing.
        scatters: Accuracy -> how far seeds scatter, of all mixes together; see `seeds.scatter`. It
            has no degrees of freedom where there are too few seeds to claim any difference.
        ties: For each mix that was ranked by latency those that it is not separable from.
    """

    seeds: Mapping[str, Numbers]
    scatters: Mapping[str, tuple[float, int]]
    ties: Mapping[int, frozenset[int]]

    def gap(self, measure: Measure, one: int, other: int) -> Gap:
        """One mix minus another.

        Accuracies are paired by seed (see `paired`); latencies of one sitting are separable or
        not, round by round (see `rankings`); of other costs the intervals must not overlap, and
        counts differ where they are not equal.
        """
        if measure.accuracy:
            return self._by_seed(measure.name, one, other)
        difference = float(measure.value[one] - measure.value[other])
        return Gap(difference, math.nan, math.nan, self._apart(measure, one, other))

    def _by_seed(self, name: str, one: int, other: int) -> Gap:
        both = self.seeds[name][[other, one]]
        found = paired(both, 0, self.scatters[name], most=FEWEST_SEEDS)
        mean, low, high = (float(each[1]) for each in (found.mean, found.low, found.high))
        if not found.claimable[1]:
            return Gap(mean, math.nan, math.nan, False)
        return Gap(mean, low, high, low > 0.0 or high < 0.0)

    def _apart(self, measure: Measure, one: int, other: int) -> bool:
        if measure.exact:
            return bool(measure.value[one] != measure.value[other])
        if measure.name == METRIC and one in self.ties and other in self.ties:
            return other not in self.ties[one]
        more = wider(measure) * (measure.high - measure.low) / 2.0
        low, high = measure.low - more, measure.high + more
        return bool(high[one] < low[other] or low[one] > high[other])


def wider(measure: Measure) -> float:
    """How much wider intervals are than what is shown: 0, but of ranges of a few windows."""
    return RANGES.get(measure.name.partition("@")[0], 1.0) - 1.0


def evidence(found: Found, mixes: pd.Index[str]) -> Evidence:
    """Values by seed, and whose latencies are not separable.

    Args:
        found: What was found.
        mixes: Keys, in the order in which they are counted.
    """
    at = {str(key): place for place, key in enumerate(mixes)}
    few = len(found.ranked) <= MOST_RANKED
    rows = [row for shown in ranks(found)[:1] for row in shown.rows] if few else []
    known = {
        name: values
        for name, values in found.per_seed.items()
        if found.metrics[name].better != "none"
    }
    return Evidence(
        seeds={
            name: _seeds(found.scales[name], values.reindex(mixes).to_numpy(dtype=float))
            for name, values in known.items()
        },
        scatters={name: _scatter(found, name) for name in known},
        ties={
            at[row.mix]: frozenset(at[key] for key in row.ties if key in at)
            for row in rows
            if row.mix in at
        },
    )


def _scatter(found: Found, name: str) -> tuple[float, int]:
    """How far seeds scatter, in the unit shown, and its degrees of freedom."""
    ranked = found.seeds(name).to_numpy(dtype=float)
    if most_seeds(ranked) < FEWEST_SEEDS:
        return math.nan, 0
    sd, degrees = scatter(ranked)
    return sd / found.scales[name].factor, degrees


def _seeds(shown: Scale, values: Numbers) -> Numbers:
    """In the unit shown, to as many digits as measures have."""
    rounded: Numbers = np.round(values / shown.factor, shown.decimals + FINER)
    return rounded
