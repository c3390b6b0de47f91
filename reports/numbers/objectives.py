"""What mixes are weighed by, ready to be drawn again: scores of seeds, costs with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.once import once
from reports.analysis.pareto import Mask, front
from reports.analysis.redrawing import Costs, Redrawn, Scores, redraw
from reports.analysis.statistics import Numbers
from reports.numbers.found import Found

RANGES = {"energy": 1.374}  # of three windows: 1.96 s.e. of their median, over half their range


@dataclass(frozen=True)
class Weighed:
    """Mixes that have all of some measures, with draws of those that could be on their front.

    Args:
        mixes: Their keys.
        rows: Which of the mixes that count they are: (mixes that count,).
        directions: higher or lower, one for each measure.
        points: (mixes, measures).
        on_front: (mixes,) by these measures.
        redrawn: Draws; None where no mix has two seeds, so that chance can't be told.
    """

    mixes: tuple[str, ...]
    rows: Mask
    directions: tuple[str, ...]
    points: Numbers
    on_front: Mask
    redrawn: Redrawn | None

    def shares(self, found: Numbers) -> Numbers:
        """Shares of draws of the redrawn mixes, as those of all: (mixes,); 0 for the others."""
        whole = np.zeros(len(self.mixes))
        if self.redrawn is not None:
            whole[self.redrawn.at] = found
        return whole


@once
def weighed(found: Found, metrics: tuple[str, ...]) -> Weighed | None:
    """The mixes that count and have all of these measures; None where there is none.

    Args:
        found: The numbers.
        metrics: Names, each with a better direction.
    """
    table = found.ranked
    if any(name not in table for name in metrics):
        return None
    values = table[list(metrics)].to_numpy(dtype=float)
    rows = ~np.isnan(values).any(axis=1)
    if not rows.any():
        return None
    directions = tuple(found.metrics[name].better for name in metrics)
    if rows.all():
        measured = [measure(found, name) for name in metrics]
    else:
        measured = [objective(table[rows], found.per_seed, name) for name in metrics]
    redrawn = redraw(measured, directions) if chance_is_known(measured) else None
    mixes, points = tuple(map(str, table.index[rows].tolist())), values[rows]
    return Weighed(mixes, rows, directions, points, front(points, directions), redrawn)


@once
def measure(found: Found, name: str) -> Scores | Costs:
    """One measure of the mixes that count."""
    return objective(found.ranked, found.per_seed, name)


def objective(
    table: pd.DataFrame, per_seed: Mapping[str, pd.DataFrame], name: str
) -> Scores | Costs:
    """One measure of the mixes of a table, in the order of its rows.

    Args:
        table: One row per mix, see `results`.
        per_seed: For each metric of trials: rows mixes, columns seeds.
        name: Of the measure.
    """
    if name in per_seed:
        values = per_seed[name].reindex(table.index).to_numpy(dtype=float)
        return Scores.of(values, table[name].to_numpy(dtype=float))  # levelled where seeds lack
    return Costs(*interval(table, name).to_numpy(dtype=float).T)


def interval(table: pd.DataFrame, cost: str) -> pd.DataFrame:
    """A cost with its 95 % interval: columns value, low, high; NaN where there is none.

    Where the table has the range of a few windows instead, the interval is as wide as that of their
    median is in the root mean square, for normal values.

    Args:
        table: One row per mix, see `results`.
        cost: Its name.
    """
    ends = table.reindex(columns=[cost, f"{cost}_low", f"{cost}_high"]).astype(float)
    ends.columns = pd.Index(["value", "low", "high"])
    more = (RANGES.get(cost.partition("@")[0], 1.0) - 1.0) * (ends["high"] - ends["low"]) / 2.0
    return ends.assign(low=ends["low"] - more, high=ends["high"] + more)


def chance_is_known(measured: Sequence[Scores | Costs]) -> bool:
    """Whether seeds say what chance does to every measure that comes of training."""
    scores = [each for each in measured if isinstance(each, Scores)]
    return bool(scores) and all(len(each.errors) for each in scores)
