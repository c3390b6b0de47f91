"""How the mixes learned: one small plot for each level of the choice that matters most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.statistics import Numbers
from reports.answering.answer import quality_effects, scale, strongest
from reports.graphics.axes import Axis, axis, svg_path
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.families import Look
from reports.numbers.curves import curve_name, followed_words, mean_curves
from reports.numbers.fillings import families_of_levels
from reports.numbers.found import Found
from reports.numbers.units import count, plain, title
from reports.sections.section import Given, Section

MOST_PANELS = 24
MOST_LINES = 16  # mixes that are drawn; of more, so many spread evenly over the ranking


@dataclass(frozen=True)
class Line:
    """One mix's curve, its mean over seeds: points across and down, from 0 to 1."""

    mix: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Panel:
    """The mixes with one level.

    Args:
        title: The level.
        look: Its family, if it has one.
        says: How many mixes, and where they end.
        lines: Their curves.
    """

    title: str
    look: Look | None
    says: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Learning:
    """The figure; without panels before anything was recorded.

    Args:
        heading: What goes up, with its unit.
        axis: The axis the panels stand for; "" for one panel of all.
        panels: One for each level.
        xticks: Positions and labels: steps.
        yticks: Positions and labels.
        left_out: How many levels there are beyond those drawn.
        lines_of: How many mixes there are, where not all of them are drawn; else 0.
        note: Whose curves were read, where not those of all.
    """

    heading: str
    axis: str
    panels: tuple[Panel, ...]
    xticks: tuple[tuple[float, str], ...]
    yticks: tuple[tuple[float, str], ...]
    left_out: int = 0
    lines_of: int = 0
    note: str = ""

    @property
    def drawn(self) -> int:
        """How many lines there are."""
        return sum(len(panel.lines) for panel in self.panels)

    @property
    def all_curves(self) -> str:
        """Every curve as one path."""
        return "".join(svg_path(line.points) for panel in self.panels for line in panel.lines)


def learning(found: Found, name: str = "") -> Learning:
    """Validation quality over training, or the loss where quality was scored only once.

    Args:
        found: What was found.
        name: The curve; by default the quality, else the curve with the most points.
    """
    name = name or curve_name(found)
    curves = mean_curves(found, name)
    if curves.empty:
        return Learning(name, "", (), (), ())
    steps = [float(step) for step in curves.columns]
    across = axis(steps, ticks=4, pad=0.0)
    values = curves.to_numpy(dtype=float)
    low, high = np.nanquantile(values, [0.04, 1.0] if _rises(found, name) else [0.0, 0.96])
    down = axis([float(low), float(high)], ticks=4)
    drawn = _spread(curves)
    lines = {
        str(curves.index[at]): Line(str(curves.index[at]), _places(steps, values[at], across, down))
        for at in drawn
    }
    split = strongest(quality_effects(found))
    unit = found.metrics[name].unit if name in found.metrics else ""
    heading = f"{title(name)}, {unit}" if unit else title(name)
    panels = _panels(found, split, name, curves, lines)
    return Learning(
        heading=heading,
        axis=plain(split),
        panels=panels[:MOST_PANELS],
        left_out=max(len(panels) - MOST_PANELS, 0),
        lines_of=len(curves) if len(drawn) < len(curves) else 0,
        note=followed_words(found),
        xticks=tuple((across.at(tick), across.label(tick)) for tick in across.ticks),
        yticks=tuple((1 - down.at(tick), down.label(tick)) for tick in down.ticks),
    )


def _spread(curves: pd.DataFrame) -> list[int]:
    """Which mixes are drawn: all, or as many as can be told apart, evenly over where they end."""
    if len(curves) <= MOST_LINES:
        return list(range(len(curves)))
    ends = np.argsort(curves.ffill(axis=1).iloc[:, -1].to_numpy(), kind="stable")
    places = np.linspace(0, len(ends) - 1, MOST_LINES).round().astype(int)
    return sorted(ends[places].tolist())


def _rises(found: Found, name: str) -> bool:
    return name in found.metrics and found.metrics[name].better == "higher"


def _places(
    steps: list[float], row: Numbers, across: Axis, down: Axis
) -> tuple[tuple[float, float], ...]:
    return tuple(
        (across.at(step), 1.0 - down.clipped(value))
        for step, value in zip(steps, row, strict=True)
        if not np.isnan(value)
    )


def _panels(
    found: Found, split: str, name: str, curves: pd.DataFrame, lines: dict[str, Line]
) -> tuple[Panel, ...]:
    if not split:
        return (Panel("All mixes", None, count(len(curves), "mix"), tuple(lines.values())),)
    shown = families_of_levels(found, split)
    levels = found.levels.loc[found.levels.index.isin(curves.index), split].dropna()
    panels = []
    for level in dict.fromkeys(levels):
        members = list(map(str, levels.index[levels == level].tolist()))
        ends = curves.loc[members].ffill(axis=1).iloc[:, -1]
        says = f"{count(len(members), 'mix')}, {_ending(found, name, float(ends.mean()))}"
        own = tuple(lines[mix] for mix in members if mix in lines)
        panels.append(Panel(str(level), shown.get(str(level)), says, own))
    return tuple(panels)


def _ending(found: Found, name: str, value: float) -> str:
    text = scale(found, name).text(value) if name in found.table else f"{value:.3g}"
    return f"mean {text}"


def collect(given: Given) -> Learning | None:
    """The curves; None before any was recorded."""
    shown = learning(given.found)
    return shown if shown.panels else None


def markdown(shown: Learning) -> list[str]:
    """The figure beside the report."""
    lines = ["## How they learned", "", "![Learning curves](figures/curves.png)", ""]
    return [*lines, *([escape(shown.note), ""] if shown.note else [])]


SECTION = Section("curves", collect, markdown)
