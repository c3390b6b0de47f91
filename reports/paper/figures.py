"""The figures of a paper kit, as wide as a column and as a page, as PDF and SVG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from reports.answering.answer import cost_metric, quality_metric
from reports.answering.colours import telling_slot
from reports.ink.curves import curves_figure
from reports.ink.effects import effects_figure
from reports.ink.front import front_figure
from reports.ink.networks import networks_figure
from reports.ink.style import COLUMN, PAGE, Style, save_all
from reports.sections import drawings
from reports.sections.section import Given

WIDTHS = {"column": COLUMN, "page": PAGE}
ENDINGS = ("pdf", "svg")
FOLDER = "figures"
NAMES = tuple(
    f"{FOLDER}/{name}_{width}.{ending}"
    for name in ("front", "effects", "curves", "networks")
    for width in WIDTHS
    for ending in ENDINGS
)


def draw_figures(given: Given, folder: Path) -> dict[str, Path]:
    """Draw all figures.

    Args:
        given: The run.
        folder: Of the kit; the folder of figures in it is made if it is missing.

    Returns:
        Name in the kit, figures/front_column.pdf -> path of each file.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}
    for name, draw in _figures(given).items():
        for width, style in WIDTHS.items():
            files = [f"{FOLDER}/{name}_{width}.{ending}" for ending in ENDINGS]
            paths = save_all(draw(style), [folder / file for file in files], style)
            written |= dict(zip(files, paths, strict=True))
    return written


def _figures(given: Given) -> dict[str, Callable[[Style], Figure]]:
    found = given.found
    quality, cost, slot = quality_metric(found), cost_metric(found), telling_slot(found)
    figures: dict[str, Callable[[Style], Figure]] = {
        "front": lambda style: front_figure(found, style, quality, cost, slot),
        "effects": lambda style: effects_figure(found, style),
        "curves": lambda style: curves_figure(found, style),
    }
    shown = drawings.collect(given)
    if shown is not None:
        figures["networks"] = lambda style: networks_figure(shown.drawn, style)
    return figures
