"""What one swap changes: a level replaced by another, to the quality and to the cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.analysis.estimates import Values
from reports.analysis.swaps import Swap
from reports.answering.answer import quality_metric, scale
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.families import Look
from reports.graphics.pipes import beside, escaped, pipe_table
from reports.numbers.fillings import families_of_levels
from reports.numbers.found import Found
from reports.numbers.goals import higher_is_better
from reports.numbers.measured import finer_for, quality_values
from reports.numbers.swapped import Named, cost_swaps, named, quality_swaps
from reports.numbers.units import TIE, Scale, count, plain
from reports.sections.section import Given, Section
from reports.wording.swaps import basis, reading, remark, title, unseen

FIRST = 10  # rows that are seen at once
LONG = 40  # a table of more rows is cut
LISTED = 10  # rows that are left of it
COSTS = 2


@dataclass(frozen=True)
class Change:
    """One number of a row.

    Args:
        text: With its sign, without the unit.
        interval: Its 95 % interval in words; "" without one.
        sure: Whether it is a difference that the data support.
        swap: The numbers behind it, raw.
    """

    text: str
    interval: str
    sure: bool
    swap: Swap


@dataclass(frozen=True)
class Row:
    """One level replaced by another, towards the better quality.

    Args:
        axis: The choice, for example a stage.
        before: The level that is replaced.
        after: The level in its place.
        looks: Their families, where the axis alone decides what fills a stage.
        quality: What it does to the quality.
        costs: What it does to the costs; None where they were not measured.
        basis: What the difference is a mean of.
        remark: What follows, in a word or two.
    """

    axis: str
    before: str
    after: str
    looks: tuple[Look | None, Look | None]
    quality: Change
    costs: tuple[Change | None, ...]
    basis: str
    remark: str


@dataclass(frozen=True)
class Swaps:
    """The table.

    Args:
        title: What it says, in a line.
        sentences: How to read it.
        unseen: What it could not have seen; "" where nothing tells.
        headings: Name and unit of the quality, then of the costs.
        rows: Seen at once, the largest difference first.
        more: Folded away.
        left_out: How many further swaps are in neither.
    """

    title: str
    sentences: tuple[str, ...]
    unseen: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    more: tuple[Row, ...]
    left_out: int


def collect(given: Given) -> Swaps | None:
    """The swaps of a run; None where no two levels can be compared."""
    return swap_table(given.found)


def swap_table(found: Found) -> Swaps | None:
    """Every swap, the largest difference first; None where no two levels can be compared."""
    made = quality_swaps(found)
    if not made:
        return None
    measured = quality_values(found)
    shown = finer_for(scale(found, quality_metric(found)), made)
    costs = [_costs(found, metric) for metric in found.cost_metrics[:COSTS]]
    looks = {axis: families_of_levels(found, axis) for axis in dict.fromkeys(s.axis for s in made)}
    listed = made if len(made) <= LONG else made[:LISTED]
    more_is_better = bool(costs) and higher_is_better(found, found.cost_metrics[0])
    dear = -1.0 if more_is_better else 1.0
    rows = [_row(swap, shown, costs, dear, looks[swap.axis], measured) for swap in listed]
    return Swaps(
        title=title(made[0], shown),
        sentences=tuple(reading(made, measured)),
        unseen=unseen(made, measured, shown),
        headings=(shown.heading, *(each.heading for each, _ in costs)),
        rows=tuple(rows[:FIRST]),
        more=tuple(rows[FIRST:]),
        left_out=len(made) - len(rows),
    )


def markdown(shown: Swaps) -> list[str]:
    """The table, with what is folded away."""
    heads = ["Choice", "Replace", "By", *shown.headings, "From", "Remark"]
    lines = [f"## {escape(shown.title)}", "", escape(" ".join(shown.sentences)), ""]
    rows = []
    for row in (*shown.rows, *shown.more):
        changes = [_cell(change) for change in (row.quality, *row.costs)]
        cells = [row.axis, row.before, row.after, *changes, row.basis, row.remark]
        rows.append(escaped(cells))
    lines += pipe_table(escaped(heads), "lll" + "r" * len(shown.headings) + "ll", rows)
    if shown.unseen:
        lines += ["", escape(shown.unseen)]
    if shown.left_out:
        lines += ["", f"{count(shown.left_out, 'smaller swap')} not listed: swaps.csv."]
    return [*lines, ""]


def _cell(change: Change | None) -> str:
    return "–" if change is None else beside(change.text, change.interval)


def _costs(found: Found, metric: str) -> tuple[Scale, dict[Named, Swap]]:
    """How a cost is shown, and its swaps."""
    by_name = cost_swaps(found, metric)
    return finer_for(scale(found, metric), by_name.values()), by_name


def _row(
    swap: Swap,
    shown: Scale,
    costs: Sequence[tuple[Scale, dict[Named, Swap]]],
    dear: float,
    looks: dict[str, Look],
    measured: Values,
) -> Row:
    """A row; `dear` is the sign of what costs more."""
    name = named(swap)
    changes = tuple(
        _change(by_name[name], of, _apart(by_name[name])) if name in by_name else None
        for of, by_name in costs
    )
    first = changes[0].swap if changes and changes[0] and changes[0].sure else None
    cheaper = "" if first is None else "cheaper" if dear * first.value < 0.0 else "dearer"
    return Row(
        plain(swap.axis),
        swap.before,
        swap.after,
        (looks.get(swap.before), looks.get(swap.after)),
        _change(swap, shown, swap.claimed),
        changes,
        basis(swap, measured),
        remark(swap.claimed, cheaper),
    )


def _apart(swap: Swap) -> bool:
    """Whether the interval of a cost leaves out 0; what has none is exact or unknown."""
    return swap.claimed if math.isnan(swap.low) else not swap.low <= 0.0 <= swap.high


def _change(swap: Swap, shown: Scale, sure: bool) -> Change:
    text = shown.signed(swap.value).removesuffix(TIE + shown.unit)
    return Change(text, shown.spread(swap.low, swap.high), sure, swap)


SECTION = Section("swaps", collect, markdown)
