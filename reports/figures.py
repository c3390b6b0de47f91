"""The report's figures as PNG and SVG files, and the front from a table, for notebooks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from reports.answering.answer import cost_metric, quality_metric
from reports.answering.colours import telling_slot
from reports.ink.curves import curves_figure
from reports.ink.effects import effects_figure
from reports.ink.front import front_figure as whole_front_figure
from reports.ink.style import FAINT, INK, SCREEN, blank, inked, save, save_all
from reports.numbers.found import Found
from reports.numbers.units import scale_of

ENDINGS = ("png", "svg")


def draw_report(found: Found, folder: Path) -> list[Path]:
    """Accuracy against cost, the effects of the choices and the learning curves, as files.

    Args:
        found: What was found.
        folder: Where they go.
    """
    question = found.facts.get("question", "")
    quality, cost, slot = quality_metric(found), cost_metric(found), telling_slot(found)
    figures = {
        "accuracy_vs_latency": whole_front_figure(found, SCREEN, quality, cost, slot, question),
        "effects": effects_figure(found, SCREEN),
        "curves": curves_figure(found, SCREEN),
    }
    written = []
    for name, figure in figures.items():
        paths = [folder / f"{name}.{ending}" for ending in ENDINGS]
        written += save_all(figure, paths, SCREEN)
    return written


def draw_front(
    table: pd.DataFrame, path: Path | str, *, quality: str = "", cost: str = "latency"
) -> Path:
    """Draw accuracy against cost into a file; see `front_figure`.

    Args:
        table: What `results` returns, or part of it.
        path: File to write; its ending chooses the format.
        quality: Column that goes up.
        cost: Column that goes across.

    Raises:
        ValueError: A column is missing, or no mix has both.
    """
    return save(front_figure(table, quality=quality, cost=cost), Path(path), SCREEN)


def front_figure(table: pd.DataFrame, *, quality: str = "", cost: str = "latency") -> Figure:
    """Accuracy against cost with the front as a staircase, from a table of results.

    Args:
        table: What `results` returns, or part of it.
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
    x, y = rows[cost] / across.factor, rows[quality] / up.factor
    best = rows["on_front"].to_numpy(dtype=bool)
    with inked(SCREEN):
        figure, (axes,) = blank(SCREEN, 4.6)
        axes.scatter(x[~best], y[~best], s=26, color=FAINT, linewidths=0, label="other mixes")
        axes.scatter(x[best], y[best], s=40, color=INK, linewidths=0, zorder=3, label="front")
        axes.step(x[best], y[best], where="post", color=INK, linewidth=1.2)
        axes.set_xlabel(SCREEN.shown(across.heading))
        axes.set_ylabel(SCREEN.shown(up.heading))
        axes.legend(frameon=False)
    return figure
