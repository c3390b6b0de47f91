"""How the mixes learned: one line for each, the front's in ink and with their letters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.answering.answer import quality_metric
from reports.graphics.families import look, whole
from reports.ink.style import FAINT, Style, blank, empty, inked
from reports.numbers.curves import curve_name, mean_curves
from reports.numbers.found import Found
from reports.numbers.units import title

MOST = 500  # lines behind those of the front
HEIGHT = 0.62  # of the figure, as a share of its width
LETTERS = 8  # lines with a letter at their end


def curves_figure(found: Found, style: Style) -> Figure:
    """Validation quality over training (the loss where that was scored once), means over seeds."""
    name = curve_name(found) if not found.curve.empty else quality_metric(found)
    curves = mean_curves(found, name) if not found.curve.empty else pd.DataFrame()
    with inked(style):
        if curves.empty:
            return empty(style, "No learning curve has been recorded yet")
        figure, (axes,) = blank(style, HEIGHT * style.width)
        _held(axes, curves, rises=_rises(found, name))
        _others(axes, curves)
        _chosen(axes, found, curves, style)
        unit = found.metrics[name].unit if name in found.metrics else ""
        axes.set_xlabel("Step")
        axes.set_ylabel(style.shown(title(name)) + (f" ({unit})" if unit else ""))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    return figure


def _others(axes: Axes, curves: pd.DataFrame) -> None:
    steps = curves.columns.to_numpy(dtype=float)
    many = len(curves) > MOST
    drawn = curves.to_numpy(dtype=float)[:: -(-len(curves) // MOST)]
    if many:  # one piece is drawn far faster than hundreds
        lines = [np.stack([steps, row], axis=1)[~np.isnan(row)] for row in drawn]
        kept = LineCollection(lines, colors=FAINT, linewidths=0.5, alpha=0.5, zorder=1)
        kept.set_rasterized(True)
        axes.add_collection(kept, autolim=True)
        axes.autoscale_view(scaley=False)
        return
    for row in drawn:
        seen = ~np.isnan(row)
        axes.plot(steps[seen], row[seen], color=FAINT, linewidth=0.5, alpha=0.5, zorder=1)


def _chosen(axes: Axes, found: Found, curves: pd.DataFrame, style: Style) -> None:
    """The mixes of the front over all others, with their letters at the end."""
    steps = curves.columns.to_numpy(dtype=float)
    families = whole(found.stages[found.stages["mix"].isin(list(found.letters))])
    ends = []
    for mix, letter in list(found.letters.items())[:LETTERS]:
        if mix not in curves.index:
            continue
        row = curves.loc[mix].to_numpy(dtype=float)
        seen = ~np.isnan(row)
        color = look(families.get(mix, "")).color
        axes.plot(steps[seen], row[seen], color=color, linewidth=1.2, zorder=2)
        ends.append((float(row[seen][-1]), float(steps[seen][-1]), letter, color))
    _at_the_ends(axes, sorted(ends), style)


def _at_the_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], style: Style) -> None:
    """Letters from the lowest line up, moved apart where lines end together."""
    low, high = axes.get_ylim()
    line = 1.02 * style.text / (72 * HEIGHT * style.width) * (high - low) / 0.8
    above = -math.inf
    for value, step, letter, color in ends:
        above = max(value, above + line)
        axes.annotate(
            f" {letter}",
            (step, value),
            (step, above),
            va="center",
            fontweight="bold",
            color=color,
        )


def _rises(found: Found, name: str) -> bool:
    return name in found.metrics and found.metrics[name].better == "higher"


def _held(axes: Axes, curves: pd.DataFrame, *, rises: bool) -> None:
    """The few worst values, of the first steps, do not press all others together."""
    values = curves.to_numpy(dtype=float)
    low, high = np.nanquantile(values, [0.04, 1.0] if rises else [0.0, 0.96])
    room = 0.06 * (high - low) or 0.5
    axes.set_ylim(float(low - room), float(high + room))
