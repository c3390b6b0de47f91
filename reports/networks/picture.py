"""What the picture of a network is made of: boxes, lines and a few letters, at their places."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.families import Look
from reports.units import percent


@dataclass(frozen=True)
class Box:
    """A stage.

    Args:
        slot: The stage, as the study calls it.
        x: Left edge.
        y: Upper edge.
        width: Of the box.
        height: Of the box.
        name: The stage in words, with its channels where they are known.
        lines: What fills it, in lines that fit.
        kinds: How its families are drawn, each once.
        cells: How each of its blocks is drawn, in order.
        share: Its share of the network's cost; NaN if unknown.
        says: All of it in words.
    """

    slot: str
    x: float
    y: float
    width: float
    height: float
    name: str
    lines: tuple[str, ...]
    kinds: tuple[Look, ...]
    cells: tuple[Look, ...]
    share: float
    says: str

    @property
    def percent(self) -> str:
        """Its share of the cost in words; "" if unknown."""
        return "" if math.isnan(self.share) else percent(self.share)

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Line:
    """A join: along the way (it ends in an arrow), or a skip past what lies between."""

    points: tuple[tuple[float, float], ...]
    skip: bool

    @property
    def path(self) -> str:
        """As an SVG path."""
        return "M" + "L".join(f"{x:.5g} {y:.5g}" for x, y in self.points)


@dataclass(frozen=True)
class Note:
    """A few letters, centred: a resolution."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """The picture.

    Args:
        width: Of the field that it lies in.
        height: Of the field.
        boxes: The stages, in the order in which an image passes them.
        lines: The joins.
        notes: Resolutions.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    notes: tuple[Note, ...]

    @property
    def says(self) -> str:
        """All of it in words."""
        return "; ".join(box.says for box in self.boxes)
