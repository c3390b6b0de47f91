"""What the picture of a network is made of: boxes, lines and a few letters, at their places."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.graphics.families import Look
from reports.numbers.units import percent

LETTER, SWATCH, PAD = 7.0, 13.0, 8.0  # widths: of a letter, of a family's shape, of the air
CELLS, LINE, FOOT = 13.0, 14.0, 25.0  # heights: cells and air, a line of words, what is below
CELL = 4.0  # height of a cell
ROOM = 1.5  # between cells


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
        words: What fills it.
        lines: The same, in lines that fit.
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
    words: str
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
    def cut(self) -> bool:
        """Whether not all of its words had room."""
        return bool(self.lines) and self.lines[-1].endswith("…")

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def inner(self) -> tuple[float, float]:
        """Where what stands in it begins and ends, across."""
        return round(self.x + PAD, 1), round(self.x + self.width - PAD, 1)

    @property
    def bar(self) -> float:
        """How long its share of the cost is drawn; as wide as the box inside for all of it."""
        return 0.0 if math.isnan(self.share) else round(self.share * (self.width - 2 * PAD), 1)

    @property
    def cell_places(self) -> tuple[tuple[float, float, Look], ...]:
        """Left edge, width and look of each block's cell."""
        if not self.cells:
            return ()
        step = (self.width - 2 * PAD + ROOM) / len(self.cells)
        return tuple(
            (round(self.x + PAD + at * step, 1), round(step - ROOM, 1), cell)
            for at, cell in enumerate(self.cells)
        )

    @property
    def kind_places(self) -> tuple[tuple[float, float, Look], ...]:
        """Left edge, upper edge and look of each family's shape, before the words."""
        return tuple(
            (round(self.x + PAD + at * SWATCH, 1), self.y + CELLS + 1.0, kind)
            for at, kind in enumerate(self.kinds)
        )

    @property
    def line_places(self) -> tuple[tuple[float, float, str], ...]:
        """Left end and base line of each line of words."""
        left = round(self.x + PAD + SWATCH * len(self.kinds), 1)
        return tuple(
            (left, self.y + CELLS + LINE * (at + 1) - 4.0, line)
            for at, line in enumerate(self.lines)
        )

    @property
    def foot(self) -> float:
        """Base line of its name and its share."""
        return self.y + self.height - 12.0


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
