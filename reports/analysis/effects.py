"""What each choice does on average, with everything else held equal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.statistics import Numbers, summarise


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
    """

    metric: str
    effects: tuple[Effect, ...]
    explained: float
    complete: bool

    def of(self, axis: str) -> tuple[Effect, ...]:
        """The effects of one axis."""
        return tuple(effect for effect in self.effects if effect.axis == axis)

    def spread(self, axis: str) -> float:
        """Largest minus smallest effect of an axis; how much the choice matters."""
        values = [effect.value for effect in self.of(axis)]
        return max(values) - min(values) if values else 0.0


def seed_effects(metric: str, levels: pd.DataFrame, values: pd.DataFrame) -> Effects:
    """Effects on what is measured once for each mix and seed; seeds make the interval.

    Args:
        metric: Name of the metric.
        levels: One row per mix, one column per axis, the level's name in each cell.
        values: The same rows, one column per seed; NaN where there is no value.
    """
    levels, names = _varying(levels)
    values = values.reindex(levels.index)
    per_seed = [_solve(levels, names, values[seed]) for seed in values.columns]
    solved = np.array([each for each in per_seed if each is not None])  # (seeds, levels)
    if not len(solved):
        return Effects(metric, (), math.nan, False)
    effects = []
    for position, (axis, level) in enumerate(names):
        summary = summarise(solved[:, position])
        effects.append(
            Effect(
                axis,
                level,
                summary.mean,
                summary.low,
                summary.high,
                summary.n,
                _mixes(levels, values, axis, level),
                summary.excludes_zero,
            )
        )
    means = values.mean(axis=1)
    return Effects(metric, tuple(effects), _explained(levels, means), _complete(levels, values))


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
    levels, names = _varying(levels)
    values = values.reindex(levels.index)
    seen = values.notna()
    weights = _weights(levels[seen], names)
    if weights is None:
        return Effects(metric, (), math.nan, False)
    half = ((high - low).reindex(levels.index)[seen] / 2.0).to_numpy(dtype=float)
    estimates = weights @ values[seen].to_numpy(dtype=float)
    widths = np.sqrt((weights**2) @ (half**2))  # NaN where a mix has no interval
    noise = 1e-9 * float(values.abs().max()) if exact else math.nan  # of the sums, in floats
    effects = tuple(
        Effect(
            axis,
            level,
            float(value),
            float(value - width),
            float(value + width),
            1,
            _mixes(levels, values.to_frame(), axis, level),
            bool(abs(value) > (noise if exact else width)),
        )
        for (axis, level), value, width in zip(names, estimates, widths, strict=True)
    )
    complete = _complete(levels, values.to_frame())
    return Effects(metric, effects, _explained(levels, values), complete)


def _varying(levels: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """The mixes that have a level on every axis, and the axes with something to compare."""
    levels = levels.dropna()
    axes = [axis for axis in levels.columns if levels[axis].nunique() > 1]
    names = [(axis, level) for axis in axes for level in levels[axis].unique()]
    return levels[axes], names


def _design(levels: pd.DataFrame, names: list[tuple[str, str]]) -> tuple[Numbers, Numbers]:
    """Sum-to-zero coding: (mixes, 1 + free levels), and from its coefficients to every level."""
    groups: dict[str, list[str]] = {}
    for axis, level in names:
        groups.setdefault(axis, []).append(level)
    columns, blocks = [np.ones((len(levels), 1))], [np.zeros((0, 1))]
    for axis, members in groups.items():
        free = np.vstack([np.eye(len(members) - 1), -np.ones(len(members) - 1)])
        position = levels[axis].map({level: at for at, level in enumerate(members)})
        columns.append(free[position.to_numpy(dtype=int)])
        blocks.append(free)
    rows, width = sum(map(len, blocks)), sum(block.shape[1] for block in blocks)
    spread, row, column = np.zeros((rows, width)), 0, 0
    for block in blocks:
        spread[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return np.hstack(columns), spread


def _weights(levels: pd.DataFrame, names: list[tuple[str, str]]) -> Numbers | None:
    """(levels, mixes): the effects as weighted sums of the values; None if not identifiable."""
    if not names or not len(levels):
        return None
    design, spread = _design(levels, names)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    weights: Numbers = spread @ np.linalg.pinv(design)
    return weights


def _solve(levels: pd.DataFrame, names: list[tuple[str, str]], values: pd.Series) -> Numbers | None:
    seen = values.notna()
    weights = _weights(levels[seen], names)
    return None if weights is None else weights @ values[seen].to_numpy(dtype=float)


def _explained(levels: pd.DataFrame, values: pd.Series) -> float:
    """Adjusted R^2 of the additive model; NaN where it has as many terms as there are mixes."""
    seen = values.notna()
    levels, names = _varying(levels[seen])
    if not names:
        return math.nan
    design, _ = _design(levels, names)
    target = values[seen].to_numpy(dtype=float)
    total = float(((target - target.mean()) ** 2).sum())
    if len(target) <= design.shape[1] or total == 0.0:
        return math.nan
    fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
    left = float(((target - fitted) ** 2).sum())
    chance = (len(target) - 1) / (len(target) - design.shape[1])
    return 1.0 - float(left / total * chance)


def _complete(levels: pd.DataFrame, values: pd.DataFrame) -> bool:
    combinations = math.prod(levels[axis].nunique() for axis in levels.columns)
    whole = values.reindex(levels.index).notna().all(axis=1)
    return len(levels[whole].drop_duplicates()) == combinations


def _mixes(levels: pd.DataFrame, values: pd.DataFrame, axis: str, level: str) -> int:
    return int(((levels[axis] == level) & values.notna().any(axis=1)).sum())
