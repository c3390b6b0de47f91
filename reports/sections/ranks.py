"""Which is faster: the mixes in the order of their latency, as far as that can be told."""

from __future__ import annotations

from dataclasses import replace

from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.pipes import beside, escaped, pipe_table
from reports.numbers.rankings import Ranks, ranks
from reports.numbers.units import count
from reports.sections.section import Given, Section

LONG = 40  # a ranking of more mixes is shortened
MOST = 8  # mixes that are listed, beside those of the front


def collect(given: Given) -> tuple[Ranks, ...] | None:
    """A ranking for each mode, of many mixes rows only of the first; None without any."""
    found = ranks(given.found)
    if not found or len(found[0].rows) <= LONG:
        return tuple(found) or None
    return (shortened(found[0]), *(replace(shown, rows=()) for shown in found[1:]))


def shortened(shown: Ranks, most: int = MOST) -> Ranks:
    """Of very many mixes the fastest and the front; which is said."""
    rows = tuple(row for at, row in enumerate(shown.rows) if at < most or row.letter)
    if len(rows) == len(shown.rows):
        return shown
    basis = (
        f"{shown.basis} Listed are the fastest and the front, {count(len(rows), 'mix')} of "
        f"{len(shown.rows)}; all latencies are in results.csv."
    )
    return replace(shown, rows=rows, basis=basis)


def markdown(shown: tuple[Ranks, ...]) -> list[str]:
    """Who is faster than whom, in the main mode."""
    first = shown[0]
    lines = ["## Which is faster", "", escape(f"{first.sentence} {first.basis}"), ""]
    rows = []
    for row in first.rows:
        ratio = beside(row.ratio, row.interval)
        rows.append(escaped([row.ranks, row.name, ratio, row.tied]))
    return [*lines, *pipe_table(["Rank", "Mix", "Times the fastest", "Remark"], "llrl", rows), ""]


SECTION = Section("ranks", collect, markdown)
