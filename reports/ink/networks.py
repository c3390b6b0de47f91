"""Networks as small pictures of their stages, by the same layout as on the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.ink.style import FAINT, INK, PLAIN, Style, empty, inked
from reports.networks.drawn import Drawn
from reports.networks.picture import CELL, PAD, Box, Drawing

ACROSS = 2  # in a row of a page
WIDE = 5.0  # inches from which two have room beside each other
HEAD = 34.0  # room above a picture for its name, in the picture's units
LETTERS = 46  # of a name in a line
WORDS, NAMES = 9.5, 8.5  # sizes of letters, in the picture's units


def networks_figure(drawn: Sequence[Drawn], style: Style, most: int = 4) -> Figure:
    """The networks beside and below each other.

    Args:
        drawn: The section of the report: networks in the order of the front.
        style: How it is drawn.
        most: How many at most.
    """
    shown = list(drawn)[:most]
    with inked(style):
        if not shown:
            return empty(style, "No mix has stages yet")
        across = ACROSS if style.width >= WIDE and len(shown) > 1 else 1
        down = math.ceil(len(shown) / across)
        scale = style.width / across / (max(each.picture.width for each in shown) + 2 * PAD)
        height = max(each.picture.height for each in shown) + HEAD
        figure = Figure(figsize=(style.width, scale * height * down))
        grid = figure.subplots(down, across, squeeze=False).ravel()
        figure.subplots_adjust(0, 0, 1, 1, 0, 0)
        for axes in grid:
            axes.set_axis_off()
        for axes, each in zip(grid, shown, strict=False):
            _field(axes, each.picture, height)
            _title(axes, each, style, scale)
            _draw(axes, each.picture, style, scale)
    return figure


def _field(axes: Axes, picture: Drawing, height: float) -> None:
    axes.set_xlim(-PAD, picture.width + PAD)
    axes.set_ylim(height - HEAD, -HEAD)  # down, as pictures on the page


def _title(axes: Axes, each: Drawn, style: Style, scale: float) -> None:
    label = style.shown(each.label)
    name = label if len(label) <= LETTERS else label[: LETTERS - 1] + "…"
    text = f"{each.letter}  {name}" if each.letter else name
    size = WORDS * 1.1 * scale * 72
    axes.text(0, -HEAD + 12, text, fontsize=size, fontweight="bold", color=INK)
    axes.text(0, -HEAD + 24, style.shown(each.numbers), fontsize=size * 0.9, color=PLAIN)


def _draw(axes: Axes, picture: Drawing, style: Style, scale: float) -> None:
    for line in picture.lines:
        x, y = zip(*line.points, strict=True)
        color, way = (FAINT, ":") if line.skip else (INK, "-")
        axes.plot(x, y, color=color, linestyle=way, linewidth=0.7, zorder=1)
    for box in picture.boxes:
        _box(axes, box, style, scale)
    for note in picture.notes:
        axes.text(note.x, note.y, note.text, ha="center", color=PLAIN, fontsize=NAMES * scale * 72)


def _box(axes: Axes, box: Box, style: Style, scale: float) -> None:
    outline: dict[str, Any] = {
        "facecolor": "white",
        "edgecolor": PLAIN,
        "linewidth": 0.6,
        "zorder": 2,
    }
    axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, **outline))
    for left, width, cell in box.cell_places:
        at = (left, box.y + 0.6 * CELL)
        axes.add_patch(Rectangle(at, width, CELL, facecolor=cell.color, linewidth=0, zorder=3))
    for x, y, kind in box.kind_places:
        marked: dict[str, Any] = {"markersize": 5.5 * scale * 72, "markeredgewidth": 0, "zorder": 3}
        axes.plot(x + 6, y + 7, kind.marker, color=kind.color, **marked)
    for x, y, text in box.line_places:
        axes.text(x, y, style.shown(text), fontsize=WORDS * scale * 72, color=INK, zorder=3)
    small: dict[str, Any] = {"fontsize": NAMES * scale * 72, "color": PLAIN, "zorder": 3}
    axes.text(box.x + PAD, box.foot, style.shown(box.name), **small)
    axes.text(box.x + box.width - PAD, box.foot, box.percent, ha="right", **small)
    if box.bar:
        at = (box.x + PAD, box.y + box.height - 0.9 * CELL)
        axes.add_patch(Rectangle(at, box.bar, 1.6, facecolor=PLAIN, linewidth=0, zorder=3))
