"""The figures as PNG and SVG files, for papers and talks; they draw and decide nothing."""

from __future__ import annotations

import math
import os
import textwrap
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.families import Look
from reports.sections.choices import Choices
from reports.sections.learning import Learning
from reports.sections.scatter import Panel, Scatter
from reports.units import scale_of

TITLE_WIDTH = 80  # letters
INK, FAINT, PLAIN = "#1c1f23", "#b9b6ae", "#3d4248"


def draw_front(
    table: pd.DataFrame, path: Path | str, *, quality: str = "", cost: str = "latency"
) -> Path:
    """Draw accuracy against cost with the front as a staircase, from a table of results.

    Args:
        table: What `results` returns, or part of it.
        path: File to write; its ending chooses the format.
        quality: Column that goes up; by default psnr, or gain where the front is drawn over it.
        cost: Column that goes across.

    Raises:
        ValueError: A column is missing, or no mix has both.
    """
    quality = quality or ("gain" if "gain" in table.attrs.get("objectives", ()) else "psnr")
    for column in (quality, cost, "on_front", "label"):
        if column not in table:
            raise ValueError(
                f"the table has no column {column!r}; it has {', '.join(map(str, table.columns))}"
            )
    rows = table.dropna(subset=[quality, cost]).sort_values(cost)
    if rows.empty:
        raise ValueError(f"no mix has both {quality} and {cost}")
    units = table.attrs.get("units", {"psnr": "dB", "latency": "s", "peak_memory": "byte"})
    across = scale_of(cost, units.get(cost, ""), rows[cost])
    up = scale_of(quality, units.get(quality, ""), rows[quality])
    figure, axes = _paper(7.2, 4.6)
    x, y = rows[cost] / across.factor, rows[quality] / up.factor
    best = rows["on_front"].to_numpy(dtype=bool)
    axes.scatter(x[~best], y[~best], s=26, color=FAINT, linewidths=0, label="other mixes")
    axes.scatter(x[best], y[best], s=40, color=INK, linewidths=0, zorder=3, label="front")
    axes.step(x[best], y[best], where="post", color=INK, linewidth=1.2)
    axes.set_xlabel(across.heading, parse_math=False)
    axes.set_ylabel(up.heading, parse_math=False)
    axes.legend(frameon=False, fontsize=8)
    return _save(figure, Path(path))


def draw_scatter(shown: Scatter, paths: list[Path], title: str) -> None:
    """The scatter of the report, coloured by family."""
    if not shown.panels:
        _empty(paths, "No mix has both an accuracy and a cost yet")
        return
    panel = shown.panels[0]
    figure, axes = _paper(7.6, 4.8)
    for look in shown.legends[shown.slot]:
        _points(axes, panel, shown, look)
    for point in panel.points:
        if point.letter:
            at = (point.x, 1 - point.y)
            axes.annotate(
                point.letter,
                at,
                (-5, 5),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                fontweight="bold",
                color=INK,
                parse_math=False,
            )
    axes.plot(
        [x for x, _ in panel.steps],
        [1 - y for _, y in panel.steps],
        color=INK,
        linewidth=1.1,
        zorder=1,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    _ticks(axes, panel.xticks, panel.yticks)
    axes.set_xlabel(panel.heading + (" (log scale)" if panel.log else ""), parse_math=False)
    axes.set_ylabel(shown.quality, parse_math=False)
    # matplotlib's own wrapping reads mathematics into "$", whatever parse_math says
    axes.set_title(textwrap.fill(title, TITLE_WIDTH), loc="left", fontsize=10, parse_math=False)
    legend = axes.legend(  # beside the plot: with seven families no corner of it is free
        frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), title=shown.slot
    )
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)
        text.set_fontsize(8)
    for path in paths:
        _save(figure, path)


def draw_effects(shown: Choices, paths: list[Path]) -> None:
    """Mean effect of each choice: a lane for the quality, a lane for the cost."""
    rows = [(axis, level) for axis, levels in shown.axes for level in levels]
    if not rows:
        _empty(paths, "No choice can be compared yet")
        return
    figure = Figure(figsize=(8.0, 0.9 + 0.27 * (len(rows) + len(shown.axes))))
    lanes = figure.subplots(1, len(shown.headings), sharey=True, squeeze=False)[0]
    heights, labels, height, last = [], [], 0.0, ""
    for axis, level in rows:
        height -= 1.0 if axis == last else 1.8
        heights.append(height)
        labels.append(f"{axis}: {level.name}")
        last = axis
    for at, axes in enumerate(lanes):
        _bare(axes)
        axes.axvline(0.5, color=FAINT, linewidth=0.8, zorder=0)  # no effect
        for (_, level), y in zip(rows, heights, strict=True):
            lane = level.lanes[at]
            if lane is None:
                continue
            color = level.look.color if level.look else PLAIN
            if lane.ends:
                axes.plot(lane.ends, (y, y), color=color, linewidth=1.4, alpha=0.6)
            face = color if lane.claimed else "white"
            axes.plot(lane.at, y, "o", markersize=5, color=color, markerfacecolor=face)
            axes.annotate(
                lane.text,
                (1.01, y),
                fontsize=7,
                va="center",
                annotation_clip=False,
                parse_math=False,
            )
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.set_title(shown.headings[at], loc="left", fontsize=9, parse_math=False)
    lanes[0].set_yticks(heights, labels)
    _literal(lanes[0])
    for path in paths:
        _save(figure, path)


def draw_curves(shown: Learning, paths: list[Path]) -> None:
    """Learning curves, one small plot for each level of the strongest choice."""
    if not shown.panels:
        _empty(paths, "No learning curve has been recorded yet")
        return
    columns = min(len(shown.panels), 4)
    rows = math.ceil(len(shown.panels) / columns)
    figure = Figure(figsize=(2.3 * columns + 0.6, 2.0 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, panel in zip(grid, shown.panels, strict=False):
        _bare(axes)
        for other in shown.panels:
            color = (panel.look.color if panel.look else PLAIN) if other is panel else FAINT
            alpha, order = (0.9, 2) if other is panel else (0.35, 1)
            for line in other.lines:
                axes.plot(
                    [x for x, _ in line.points],
                    [1 - y for _, y in line.points],
                    color=color,
                    linewidth=0.8,
                    alpha=alpha,
                    zorder=order,
                )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        _ticks(axes, shown.xticks, shown.yticks)
        axes.set_title(panel.title, loc="left", fontsize=8, parse_math=False)
    for axes in grid[len(shown.panels) :]:
        axes.set_visible(False)
    figure.supxlabel("Step", fontsize=8)
    figure.supylabel(shown.heading, fontsize=8, parse_math=False)
    for path in paths:
        _save(figure, path)


def _points(axes: Axes, panel: Panel, shown: Scatter, look: Look) -> None:
    members = [p for p in panel.points if shown.families[shown.slot].get(p.mix) == look]
    for point in members:
        alpha = 1.0 if point.on_front else 0.45
        y = 1 - point.y
        if point.across:
            axes.plot(point.across, (y, y), color=look.color, linewidth=0.8, alpha=alpha, zorder=2)
        if point.down:
            axes.plot(
                (point.x, point.x),
                [1 - end for end in point.down],
                color=look.color,
                linewidth=0.8,
                alpha=alpha,
                zorder=2,
            )
        axes.plot(
            point.x,
            y,
            look.marker,
            color=look.color,
            markersize=6 if point.on_front else 5,
            markeredgewidth=0,
            alpha=alpha,
            zorder=2,
        )
    axes.plot([], [], look.marker, color=look.color, linestyle="none", label=look.name)


def _paper(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    _bare(axes)
    return figure, axes


def _bare(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(labelsize=8, color=FAINT)


def _ticks(
    axes: Axes, xticks: tuple[tuple[float, str], ...], yticks: tuple[tuple[float, str], ...]
) -> None:
    axes.set_xticks([at for at, _ in xticks], [label for _, label in xticks])
    axes.set_yticks([1 - at for at, _ in yticks], [label for _, label in yticks])
    _literal(axes)


def _literal(axes: Axes) -> None:
    """A dollar sign in a name is a dollar sign."""
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)
        text.set_fontsize(8)


def _empty(paths: list[Path], words: str) -> None:
    figure, axes = _paper(5.0, 2.0)
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=9, parse_math=False)
    for path in paths:
        _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    """Whole or not at all: what was drawn before stays until then."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    kind, undated = path.suffix.removeprefix(".") or "png", _undated(path)
    try:
        figure.savefig(draft, format=kind, dpi=200, bbox_inches="tight", metadata=undated)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _undated(path: Path) -> dict[str, None] | None:
    """No date in the file, so that the same report is the same bytes."""
    return {"Date": None} if path.suffix == ".svg" else None
