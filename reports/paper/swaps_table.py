"""A paper's table of swaps: what it changes to put one level in the place of another."""

from __future__ import annotations

from collections.abc import Sequence

from reports.graphics.escaping import escape_latex
from reports.graphics.sheet import Sheet, beside, bold
from reports.numbers.units import count, percent
from reports.sections.swaps import Change, Row, Swaps

MOST = 24  # rows
MISSING = escape_latex("–")


def swaps_sheet(shown: Swaps) -> Sheet:
    """The table, the largest difference first; bold is what is claimed.

    Args:
        shown: The section of the report.
    """
    listed = [*shown.rows, *shown.more][:MOST]
    left = len(shown.rows) + len(shown.more) + shown.left_out - len(listed)
    level = escape_latex(percent(0.95))
    return Sheet(
        caption=(
            "What one replacement changes, all else equal: mean differences with their "
            f"{level} intervals, towards the better quality."
        ),
        label="tab:swaps",
        columns=["l", "l", "l", *["r" * len(shown.headings)]],
        head=["Choice", "Replace", "By", *map(escape_latex, shown.headings)],
        rows=[_row(row) for row in listed],
        rules=_rules(listed),
        notes=_notes(listed, left),
        wide=True,
    )


def _row(row: Row) -> list[str]:
    names = (row.axis, row.before, row.after)
    return [*map(escape_latex, names), *(_cell(each) for each in (row.quality, *row.costs))]


def _cell(change: Change | None) -> str:
    if change is None:
        return MISSING
    text = escape_latex(change.text)
    return f"{bold(text) if change.sure else text} {beside(change.interval)}".strip()


def _rules(rows: Sequence[Row]) -> frozenset[int]:
    """A rule where what is claimed ends."""
    first = next((at for at, row in enumerate(rows) if not row.quality.sure), 0)
    return frozenset({first} if first else ())


def _notes(rows: Sequence[Row], left: int) -> str:
    level = escape_latex(percent(0.95))
    text = "No difference in quality is claimed."
    if any(row.quality.sure for row in rows):
        text = (
            f"Bold: qualities whose differences hold together, {level} over all comparisons "
            "(Holm), and costs whose interval leaves out 0."
        )
    return f"{text} {count(left, 'smaller swap')} not listed." if left else text
