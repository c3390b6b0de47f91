"""The plot as figures for papers draw it: one pair of measures, coloured by family."""

from __future__ import annotations

from dataclasses import dataclass

from reports.answer import answer
from reports.families import Look, in_order
from reports.found import Found
from reports.goals import quality_metric, scale
from reports.plot.drawing import Panel, Point, panel, staircase
from reports.plot.plot import Plot, plot

__all__ = ["Panel", "Point", "Scatter", "scatter", "staircase"]


@dataclass(frozen=True)
class Scatter:
    """The whole figure.

    Args:
        panels: The accuracy against the cost of the study; none before anything was measured.
        quality: Name and unit of what is up the plot.
        slots: Slots whose family may colour the points.
        slot: The slot that colours them.
        legends: For each slot its families.
        families: Slot -> mix -> how it is drawn.
        interval: What the vertical bars are; "" if there are none.
    """

    panels: tuple[Panel, ...]
    quality: str
    slots: tuple[str, ...]
    slot: str
    legends: dict[str, list[Look]]
    families: dict[str, dict[str, Look]]
    interval: str


def scatter(found: Found, shown: Plot | None = None) -> Scatter:
    """Lay the figure out.

    Args:
        found: What was found.
        shown: What the plot can show, where that is known already.
    """
    shown = shown or plot(found, answer(found))
    quality = quality_metric(found)
    families = {
        name: dict(zip(shown.mixes[: shown.competing], of, strict=False))
        for name, of in shown.colours.items()
    }
    return Scatter(
        panels=(panel(found, shown, shown.x, shown.y),) if shown.x else (),
        quality=scale(found, quality).heading if quality in found.table else quality,
        slots=tuple(families),
        slot=shown.slot,
        legends={name: in_order(of.values()) for name, of in families.items()},
        families=families,
        interval=shown.measure(shown.y).spread if shown.y else "",
    )
