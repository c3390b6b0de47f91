"""Accuracy against cost: every mix as a point in the colour and shape of its family, the front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from reports.analysis.pareto import front
from reports.analysis.statistics import FEWEST_SEEDS, Numbers
from reports.graphics.axes import axis, wants_log
from reports.graphics.families import Look, in_order, look
from reports.ink.style import INK, PLAIN, Style, blank, empty, inked
from reports.numbers.fillings import families
from reports.numbers.found import Found
from reports.numbers.units import plain

MANY = 2000  # points; more are stored as dots, or the file is too large for a paper
NARROW = 5.0  # inches below which a legend has no room beside the points
BARS = 400  # points with error bars at most


def front_figure(
    found: Found, style: Style, quality: str, cost: str, slot: str = "", title: str = ""
) -> Figure:
    """Accuracy up, cost across, with the staircase of the mixes that no other beats in these two.

    Args:
        found: What was found.
        style: How it is drawn.
        quality: Column that goes up.
        cost: Column that goes across; on a logarithmic axis where it stretches far.
        slot: Slot whose family colours the points; "" takes each mix as a whole.
        title: Heading, for styles that have one.
    """
    table = found.ranked
    known = [name for name in (quality, cost) if name and name in table]
    rows = table.dropna(subset=known) if len(known) == 2 else table.iloc[:0]
    with inked(style):
        if rows.empty:
            return empty(style, "No mix has both an accuracy and a cost yet")
        figure, (axes,) = blank(style, (0.62 if style.width >= NARROW else 0.78) * style.width)
        _points(axes, found, rows, (quality, cost), _looks(found, rows, slot))
        _staircase(axes, found, rows, (quality, cost))
        _letters(axes, found, rows, (quality, cost), style)
        _scales(axes, found, rows, (quality, cost))
        _legend(axes, style, style.shown(plain(slot)) if slot else None)
        if style.titled and title:
            axes.set_title(style.shown(title)[:120], loc="left")
    return figure


def _legend(axes: Axes, style: Style, title: str | None) -> None:
    """Beside the points, as no corner is free for sure; above them in a column."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "title": title}
    if style.width < NARROW:
        place = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": 3}
        place |= {"columnspacing": 1.2, "borderpad": 0.0}
    axes.legend(frameon=False, handletextpad=0.3, **place)


def _looks(found: Found, rows: pd.DataFrame, slot: str) -> dict[str, Look]:
    """Mix -> how it is drawn."""
    of_all = dict(zip(found.levels.index.tolist(), families(found, slot), strict=True))
    kinds = {family: look(family) for family in set(of_all.values())}
    return {mix: kinds[of_all[mix]] for mix in rows.index.tolist()}


def _points(
    axes: Axes,
    found: Found,
    rows: pd.DataFrame,
    pair: tuple[str, str],
    looks: Mapping[str, Look],
) -> None:
    quality, cost = pair
    up, across = found.scales[quality].factor, found.scales[cost].factor
    of_row = np.array([looks[mix].slug for mix in rows.index.tolist()])
    for each in in_order(looks.values()):
        own = rows[of_row == each.slug]
        x, y = (own[cost] / across).to_numpy(), (own[quality] / up).to_numpy()
        if len(rows) <= BARS:
            bars: dict[str, Any] = {
                "ecolor": each.color,
                "elinewidth": 0.7,
                "alpha": 0.55,
                "zorder": 2,
            }
            axes.errorbar(
                x, y, _ends(own, quality, up), _ends(own, cost, across), fmt="none", **bars
            )
        axes.scatter(
            x,
            y,
            s=18,
            marker=each.marker,
            color=each.color,
            linewidths=0,
            zorder=3,
            label=each.name,
            rasterized=len(rows) > MANY,
        )


def _ends(rows: pd.DataFrame, name: str, factor: float) -> Numbers | None:
    """How far the interval reaches below and above, (2, rows); None without one.

    An accuracy has one where there are seeds enough, as in the page.
    """
    if f"{name}_low" not in rows or rows[f"{name}_low"].isna().all():
        return None
    low, high = (rows[f"{name}_{end}"].astype(float) for end in ("low", "high"))
    if f"{name}_n" in rows:
        enough = rows[f"{name}_n"] >= FEWEST_SEEDS
        low, high = low.where(enough), high.where(enough)
    reach = np.stack([rows[name] - low, high - rows[name]]).astype(float) / factor
    return np.clip(np.nan_to_num(reach), 0.0, None)


def _best(found: Found, rows: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    """The mixes that no other beats in these two, from the left."""
    better = [found.metrics[name.partition("@")[0]].better for name in pair]
    mask = front(rows[list(pair)].to_numpy(dtype=float), better)
    return rows[mask].sort_values(pair[1])


def _staircase(axes: Axes, found: Found, rows: pd.DataFrame, pair: tuple[str, str]) -> None:
    better = [found.metrics[name.partition("@")[0]].better for name in pair]
    if "none" in better:
        return
    best = _best(found, rows, pair)
    x = best[pair[1]] / found.scales[pair[1]].factor
    y = best[pair[0]] / found.scales[pair[0]].factor
    where: Literal["post", "pre"] = "post" if better[1] == "lower" else "pre"
    axes.step(x, y, where=where, color=INK, linewidth=0.9, zorder=1)


def _letters(
    axes: Axes, found: Found, rows: pd.DataFrame, pair: tuple[str, str], style: Style
) -> None:
    """The letters by which tables and sentences call the mixes of the front."""
    up, across = found.scales[pair[0]].factor, found.scales[pair[1]].factor
    for mix in rows.index.intersection(list(found.letters)):
        y, x = (found.number(str(mix), name) for name in pair)
        at = (x / across, y / up)
        axes.annotate(
            found.letters[str(mix)],
            at,
            (-4, 4),
            textcoords="offset points",
            ha="right",
            fontsize=style.text,
            fontweight="bold",
            color=INK,
        )


def _scales(axes: Axes, found: Found, rows: pd.DataFrame, pair: tuple[str, str]) -> None:
    """Round numbers in plain text along both axes, and their names."""
    quality, cost = pair
    up, across = found.scales[quality], found.scales[cost]
    x, y = (rows[cost] / across.factor).tolist(), (rows[quality] / up.factor).tolist()
    log = wants_log(x)
    rightwards, upwards = axis(x, log=log), axis(y)
    axes.set_xscale("log" if log else "linear")
    axes.set_xlim(rightwards.low, rightwards.high)
    axes.set_ylim(upwards.low, upwards.high)
    for line, shown in ((axes.xaxis, rightwards), (axes.yaxis, upwards)):
        line.set_major_locator(FixedLocator(shown.ticks))
        line.set_major_formatter(FixedFormatter([shown.label(tick) for tick in shown.ticks]))
        line.set_minor_locator(NullLocator())
        line.set_minor_formatter(NullFormatter())
        line.label.set_color(PLAIN)
    axes.set_xlabel(_heading(across.title, across.unit) + (" (log scale)" if log else ""))
    axes.set_ylabel(_heading(up.title, up.unit))


def _heading(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title
