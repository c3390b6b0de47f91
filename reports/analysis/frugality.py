"""What accuracy costs: how much is gained for each unit that is spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.analysis.statistics import Numbers

WORTH = 0.05  # a mix that costs less than 5 % more than doing nothing has no rate


@dataclass(frozen=True)
class Rates:
    """Gain for each unit of a cost, each (mixes,); NaN where there is none.

    Args:
        value: Of the measured values.
        low: Lower end of its 95 % interval over draws; NaN without draws.
        high: Upper end.
    """

    value: Numbers
    low: Numbers
    high: Numbers


def rates(gains: Numbers, costs: Numbers, zero: float) -> Numbers:
    """Gain for each unit that is spent beyond a zero.

    Args:
        gains: (..., mixes) over what is there without them.
        costs: (..., mixes).
        zero: The cost of what gives no gain: 0 for the input, else that of a network that does
            nothing.

    Returns:
        (..., mixes); NaN for mixes that cost hardly more than the zero.
    """
    spent = costs - zero
    enough = spent > WORTH * np.abs(zero)
    found: Numbers = np.where(enough & (spent > 0), gains / np.where(enough, spent, 1.0), np.nan)
    return found


def rates_with_intervals(
    gains: Numbers, costs: Numbers, zero: float, drawn: tuple[Numbers, Numbers] | None
) -> Rates:
    """Rates of mixes with their intervals.

    Args:
        gains: (mixes,).
        costs: (mixes,).
        zero: As of `rates`.
        drawn: Gains and costs drawn again, (draws, mixes) each.
    """
    value = rates(gains, costs, zero)
    if drawn is None:
        nothing = np.full(len(value), np.nan)
        return Rates(value, nothing, nothing)
    again = rates(*drawn, zero)
    known = ~np.isnan(again).any(axis=0) & ~np.isnan(value)
    ends = np.full((2, len(value)), np.nan)
    ends[:, known] = np.quantile(again[:, known], (0.025, 0.975), axis=0)
    return Rates(value, ends[0], ends[1])
