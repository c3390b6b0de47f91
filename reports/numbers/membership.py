"""Which mixes are on the front, and how often they are when seeds and latencies are drawn again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reports.analysis.pareto import front
from reports.analysis.redrawing import redraw
from reports.analysis.statistics import Numbers
from reports.numbers.objectives import chance_is_known, objective
from reports.record import Metric


def with_front(
    table: pd.DataFrame,
    per_seed: Mapping[str, pd.DataFrame],
    objectives: Sequence[str],
    metrics: Mapping[str, Metric],
    draws: int,
) -> pd.DataFrame:
    """The table with on_front and front_probability; absent where an objective was not measured.

    Args:
        table: One row per mix, see `results`.
        per_seed: For each metric of trials: rows mixes, columns seeds.
        objectives: Metrics that make the front.
        metrics: All metrics by name.
        draws: Of seeds and timings; 0 leaves the probability absent.
    """
    if not objectives:
        return table.assign(on_front=False, front_probability=math.nan)
    points = _points(table, objectives)
    directions = [metrics[o].better if o in metrics else "higher" for o in objectives]
    known = all(direction in ("higher", "lower") for direction in directions)
    on_front = front(points, directions) if known else np.zeros(len(table), dtype=bool)
    probability = np.full(len(table), math.nan)
    whole = np.asarray(~np.isnan(points).any(axis=1))
    if draws and known and whole.any():
        chances = _probability(table.loc[whole], per_seed, objectives, directions, draws)
        probability[whole] = chances
    return table.assign(on_front=on_front, front_probability=probability)


def _points(table: pd.DataFrame, objectives: Sequence[str]) -> Numbers:
    """(mixes, objectives); NaN for mixes that do not count."""
    counts = table["status"].isin(["done", "partial"])
    columns = [table[o] if o in table else pd.Series(np.nan, table.index) for o in objectives]
    points = np.stack([column.to_numpy(dtype=float) for column in columns], axis=1)
    points[~counts.to_numpy()] = np.nan
    return points


def _probability(
    table: pd.DataFrame,
    per_seed: Mapping[str, pd.DataFrame],
    objectives: Sequence[str],
    directions: Sequence[str],
    draws: int,
) -> Numbers:
    """(mixes,); NaN where seeds can't tell what chance does, 0 for those on no draw's front."""
    measured = [objective(table, per_seed, name) for name in objectives]
    if not chance_is_known(measured):
        return np.full(len(table), math.nan)
    redrawn, found = redraw(measured, directions, draws), np.zeros(len(table))
    found[redrawn.at] = redrawn.probability
    return found
