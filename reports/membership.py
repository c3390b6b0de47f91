"""Which mixes are on the front, and how often they are when seeds and latencies are drawn again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reports.analysis.contenders import contenders
from reports.analysis.pareto import Mask, front, front_probability
from reports.analysis.statistics import NORMAL_95, Numbers, jittered, resampled_means
from reports.record import Metric

SEED = 20240229  # of the bootstrap, so that a report can be written twice
REACH = 6.0  # standard errors within which a redrawn cost is taken to stay


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
        draws: Of the bootstrap; 0 leaves the probability absent.
    """
    if not objectives:
        return table.assign(on_front=False, front_probability=math.nan)
    points = _points(table, objectives)
    directions = [metrics[o].better if o in metrics else "higher" for o in objectives]
    known = all(direction in ("higher", "lower") for direction in directions)
    on_front = front(points, directions) if known else np.zeros(len(table), dtype=bool)
    probability = np.full(len(table), math.nan)
    seeds = [per_seed[o].shape[1] for o in objectives if o in per_seed]
    whole = ~np.isnan(points).any(axis=1)
    if draws and known and whole.any() and min(seeds, default=0) > 1:
        chances = _probability(table[whole], per_seed, objectives, directions, draws)
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
    """(mixes,); only those that some draw can put on the front are drawn, for the rest it is 0."""
    able = _able(table, per_seed, objectives, directions)
    found, drawn = np.zeros(len(table)), table[able]
    again = np.stack([_draws(drawn, per_seed, o, draws) for o in objectives], axis=2)
    found[able] = front_probability(again, directions)
    return found


def _able(
    table: pd.DataFrame,
    per_seed: Mapping[str, pd.DataFrame],
    objectives: Sequence[str],
    directions: Sequence[str],
) -> Mask:
    """Mixes that may be on the front in some draw."""
    bounds = np.stack([_bounds(table, per_seed, objective) for objective in objectives], axis=2)
    higher = np.asarray(directions) == "higher"
    best, worst = (np.where(higher == up, bounds[1], bounds[0]) for up in (True, False))
    return contenders(best, worst, directions)


def _bounds(
    table: pd.DataFrame, per_seed: Mapping[str, pd.DataFrame], objective: str
) -> tuple[Numbers, Numbers]:
    """Lowest and highest value that a draw of an objective can have, (mixes,) each."""
    if objective not in per_seed:
        value, low, high = _ends(table, objective).T
        half = REACH * np.nan_to_num((high - low) / (2.0 * NORMAL_95), nan=0.0)
        return value - half, value + half
    values = per_seed[objective].reindex(table.index).to_numpy(dtype=float)
    n = (~np.isnan(values)).sum(axis=1)
    mean, stretch = np.nanmean(values, axis=1), np.sqrt(n / np.maximum(n - 1, 1))
    low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    return mean + (low - mean) * stretch, mean + (high - mean) * stretch


def _draws(
    table: pd.DataFrame, per_seed: Mapping[str, pd.DataFrame], objective: str, number: int
) -> Numbers:
    """(draws, mixes) of one objective; the same seeds are drawn for every objective.

    Mixes that are the same network (only task or training differ) share one timing, and its error.
    """
    rng = np.random.default_rng(SEED)
    if objective in per_seed:
        values = per_seed[objective].reindex(table.index).to_numpy(dtype=float)
        return resampled_means(values, number, rng)
    ends = _ends(table, objective)
    timings, same = np.unique(ends, axis=0, return_inverse=True)
    value, low, high = timings.T
    return jittered(value, low, high, number, rng)[:, same.ravel()]


def _ends(table: pd.DataFrame, objective: str) -> Numbers:
    """(mixes, 3): value and ends of its interval."""
    names = [objective, f"{objective}_low", f"{objective}_high"]
    return table.reindex(columns=names).to_numpy(dtype=float)
