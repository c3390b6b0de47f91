"""The table of mixes: every number with its unit and its spread, the degraded input below."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.statistics import FEWEST_SEEDS
from reports.graphics.escaping import escape_markdown
from reports.graphics.pipes import pipe_table
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.mixes import MOST, Table, heading, mixes, named
from reports.sections.section import Given, Section

LONG = 60  # a table of more is cut in the page
SEEN = 32  # mixes that are left of it


def table_intro(found: Found) -> str:
    """What the numbers of the table are."""
    seeds = seed_counts(found)
    text = f"Means over {seeds.words}. " if seeds.most else _untrained(found)
    if seeds.fewest < seeds.most:
        text += "From mixes with fewer is taken what their seeds add for all mixes alike. "
    if seeds.most >= FEWEST_SEEDS:
        text += "± is half the 95\u00a0% interval over seeds. "
    if "latency" in found.table:
        text += "Where a rank by latency is a range, the mix is not separable from others. "
    if found.letters:
        text += "Letters mark the front. "
    if found.table["front_probability"].notna().any():
        text += (
            "The front probability says how often a mix is on the front when seeds and latencies "
            "are drawn again. "
        )
    return text.strip()


def _untrained(found: Found) -> str:
    ended = bool((found.trials["status"] == "done").any())
    return "" if ended else "Nothing has been trained yet. "


@dataclass(frozen=True)
class Mixes:
    """The section.

    Args:
        intro: What the numbers are.
        table: All mixes.
        picked: Key of the mix that is looked at first.
    """

    intro: str
    table: Table
    picked: str


def collect(given: Given) -> Mixes:
    """The table with its words."""
    found = given.found
    first = given.said.best or next(iter(found.letters), "")
    table = mixes(found, SEEN if len(found.table) > LONG else MOST)
    return Mixes(f"{table_intro(found)}{_left_out(found, table)}", table, first)


def _left_out(found: Found, table: Table) -> str:
    if not table.left_out:
        return ""
    shown = len(found.table) - table.left_out
    return (
        f" Listed are {shown} of {len(found.table):,} mixes: the front, the baselines and the best "
        "of the others; all are in results.csv."
    )


def markdown(shown: Mixes) -> list[str]:
    """A pipe table; the front's mixes carry their letter."""
    return ["## All mixes", "", shown.intro, "", *listed(shown.table), ""]


def listed(table: Table) -> list[str]:
    """The table in Markdown."""
    heads = ["Front", "Mix", *(heading(column) for column in table.columns), "Front probability"]
    rows = []
    for row in table.rows:
        cells = [f"{cell.text} {cell.spread}".strip() for cell in row.cells]
        rows.append([row.letter, escape_markdown(named(row)), *cells, row.probability.text])
    return pipe_table(heads, "ll" + "r" * (len(heads) - 2), rows)


SECTION = Section("mixes", collect, markdown)
