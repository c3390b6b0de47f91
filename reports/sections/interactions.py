"""Which choices do more or less together than apart, as heat maps."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.estimates import Values
from reports.analysis.interactions import Interaction, interactions
from reports.answering.answer import quality_metric, scale
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.pipes import beside, escaped, pipe_table
from reports.numbers.found import Found
from reports.numbers.measured import finer_for, quality_values
from reports.numbers.sources import in_percent
from reports.numbers.units import Scale, plain, spoken
from reports.sections.section import Given, Section
from reports.wording.heat import doubt, names, reading, title, untold, verdict

STEPS = 4  # of colour, each way
OPEN = 2  # heat maps that are seen at once
LISTED = 12  # heat maps in all


@dataclass(frozen=True)
class Cell:
    """Two levels together.

    Args:
        text: What they do beyond the sum of their effects, with its sign.
        interval: Its 95 % interval in words; "" without one.
        step: Its colour, from -4 to 4.
        claimed: Whether the data support it.
    """

    text: str
    interval: str
    step: int
    claimed: bool


@dataclass(frozen=True)
class Pair:
    """Two axes.

    Args:
        axes: The one in rows, the one in columns.
        columns: Levels of the second.
        rows: Level by level of the first, its cells.
        verdict: Whether they interact, in words.
        interacts: The same.
        largest: The largest cell, in words.
        share: Of the variance between mixes.
        doubt: What these mixes cannot tell it from; "" where there is nothing.
    """

    axes: tuple[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    verdict: str
    interacts: bool
    largest: str
    share: str
    doubt: str


@dataclass(frozen=True)
class Heat:
    """All heat maps.

    Args:
        title: What they say, in a line.
        sentences: How to read them.
        heading: Name and unit of what is in the cells.
        limits: What the darkest colours stand for, in words: least, most.
        pairs: Every pair that can be judged, the surest first.
        open: How many of them have their heat map seen at once.
        drawn: How many have a heat map at all.
        untold: Which pairs cannot be judged, in a sentence; "" if there is none.
    """

    title: str
    sentences: tuple[str, ...]
    heading: str
    limits: tuple[str, str]
    pairs: tuple[Pair, ...]
    open: int
    drawn: int
    untold: str


def collect(given: Given) -> Heat | None:
    """The interactions of a run; None where no two choices vary."""
    return heat(given.found)


def heat(found: Found) -> Heat | None:
    """Every pair of axes; None where there is none that can be judged."""
    if quality_metric(found) not in found.table:
        return None
    measured = quality_values(found)
    judged = interactions(measured)
    if not judged.pairs:
        return None
    cells = [cell for pair in judged.pairs for row in pair.cells for cell in row]
    shown = finer_for(scale(found, quality_metric(found)), cells)
    limit = max(abs(cell.value) for cell in cells)
    surest = sum(pair.interacts for pair in judged.pairs)
    return Heat(
        title=title(judged, shown),
        sentences=tuple(reading(judged, measured, spoken(shown.title))),
        heading=shown.heading,
        limits=(shown.signed(-limit), shown.signed(limit)),
        pairs=tuple(_pair(pair, shown, limit, measured) for pair in judged.pairs),
        open=min(max(surest, 1), OPEN),
        drawn=min(len(judged.pairs), LISTED),
        untold=untold(judged),
    )


def markdown(shown: Heat) -> list[str]:
    """The verdicts, and the cells of the pairs that interact."""
    lines = [f"## {escape(shown.title)}", "", escape(" ".join(shown.sentences)), ""]
    heads = ["Choices", "Largest", "Share of the variance", "Verdict"]
    rows = [
        escaped([names(pair.axes), pair.largest, pair.share, pair.verdict]) for pair in shown.pairs
    ]
    lines += [*pipe_table(heads, "lrrl", rows), ""]
    for pair in shown.pairs[: shown.drawn]:
        lines += _markdown_of(pair, shown.heading) if pair.interacts else []
    return [*lines, escape(shown.untold), ""] if shown.untold else lines


def _markdown_of(pair: Pair, heading: str) -> list[str]:
    lines = [f"{escape(names(pair.axes))}, {escape(heading)} beyond the sum of both:", ""]
    rows = [
        escaped([level, *(beside(cell.text, cell.interval) for cell in cells)])
        for level, cells in pair.rows
    ]
    heads, kinds = escaped(["", *pair.columns]), "l" + "r" * len(pair.columns)
    return [*lines, *pipe_table(heads, kinds, rows), ""]


def _pair(pair: Interaction, shown: Scale, limit: float, measured: Values) -> Pair:
    rows = tuple(
        (
            level,
            tuple(
                Cell(
                    shown.signed(cell.value).removesuffix(shown.unit).rstrip(),
                    shown.spread(cell.low, cell.high),
                    round(STEPS * cell.value / limit) if limit else 0,
                    cell.claimed,
                )
                for cell in cells
            ),
        )
        for level, cells in zip(pair.levels[0], pair.cells, strict=True)
    )
    return Pair(
        (plain(pair.axes[0]), plain(pair.axes[1])),
        pair.levels[1],
        rows,
        verdict(pair, measured),
        pair.interacts,
        shown.text(pair.largest),
        in_percent(pair.share),
        doubt(pair.mixed_with),
    )


SECTION = Section("interactions", collect, markdown)
