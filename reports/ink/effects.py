"""The mean effect of each choice: a lane for the accuracy and one for the cost, with intervals."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.analysis.effects import Effect, Effects
from reports.answering.answer import (
    choice_costs,
    cost_metric,
    quality_effects,
    quality_metric,
    scale,
)
from reports.graphics.families import Look
from reports.ink.style import FAINT, PLAIN, Style, bare, empty, inked
from reports.numbers.fillings import families_of_levels
from reports.numbers.found import Found
from reports.numbers.units import Scale, plain

MOST = 60  # levels that a figure has room for
ROW, GAP = 0.17, 0.12  # inches


def effects_figure(found: Found, style: Style) -> Figure:
    """A dot for each level, against the mean of its axis; filled where the data support it."""
    quality, cost = quality_metric(found), cost_metric(found)
    lanes = [(scale(found, quality), quality_effects(found))] if quality in found.scales else []
    if cost in found.scales:
        lanes.append((scale(found, cost), choice_costs(found, cost)))
    lanes = [(shown, effects) for shown, effects in lanes if effects.effects]
    with inked(style):
        rows = _rows(lanes[0][1]) if lanes else []
        if not rows:
            return empty(style, "No choice can be compared yet")
        axes_named = len({axis for axis, _ in rows})
        figure = Figure(
            figsize=(style.width, 0.5 + ROW * len(rows) + GAP * axes_named), layout=style.layout
        )
        grid = figure.subplots(1, len(lanes), sharey=True, squeeze=False)[0]
        heights = _heights(rows)
        looks = {
            axis: families_of_levels(found, axis)
            for axis in dict.fromkeys(axis for axis, _ in rows)
        }
        for axes, (shown, effects) in zip(grid, lanes, strict=True):
            _lane(axes, shown, effects, rows, heights, looks, style)
        labels = [style.shown(f"{plain(axis)}: {level}")[:60] for axis, level in rows]
        grid[0].set_yticks(heights, labels)
        grid[0].set_ylim(min(heights) - 0.7, max(heights) + 0.7)
    return figure


def _rows(effects: Effects) -> list[tuple[str, str]]:
    return [(effect.axis, effect.level) for effect in effects.effects][:MOST]


def _heights(rows: list[tuple[str, str]]) -> list[float]:
    """From the top down, with room between axes."""
    heights: list[float] = []
    for at, (axis, _) in enumerate(rows):
        step = 1.0 if at and axis == rows[at - 1][0] else 1.0 + GAP / ROW
        heights.append((heights[-1] if heights else 0.0) - step)
    return heights


def _lane(
    axes: Axes,
    shown: Scale,
    effects: Effects,
    rows: list[tuple[str, str]],
    heights: list[float],
    looks: dict[str, dict[str, Look]],
    style: Style,
) -> None:
    bare(axes)
    axes.axvline(0.0, color=FAINT, linewidth=0.7, zorder=0)
    by_row = {(effect.axis, effect.level): effect for effect in effects.effects}
    for row, height in zip(rows, heights, strict=True):
        if row in by_row:
            own = looks[row[0]].get(row[1])
            _dot(axes, by_row[row], shown.factor, height, own.color if own else PLAIN)
    unit = f" ({shown.unit})" if shown.unit else ""
    axes.set_xlabel(f"{style.shown(shown.title)}{unit}")
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.12)


def _dot(axes: Axes, effect: Effect, factor: float, height: float, color: str) -> None:
    low, high = effect.low / factor, effect.high / factor
    if not math.isnan(low) and not math.isnan(high):
        axes.plot((low, high), (height, height), color=color, linewidth=1.0, alpha=0.65)
    face = color if effect.claimed else "white"
    at = effect.value / factor
    axes.plot(at, height, "o", markersize=3.6, color=color, markerfacecolor=face, zorder=3)
