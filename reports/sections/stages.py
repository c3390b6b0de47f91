"""Where in a network the cost lies: each mix's cost by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.families import Look, look, looks
from reports.graphics.pipes import escaped, pipe_table
from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.stages import (
    REST,
    STACKED,
    by_stage,
    families_of_stages,
    limits_of_stages,
    of_metric,
    stage_metrics,
)
from reports.numbers.units import TIE, Scale, count, percent, plain, scale_of, title
from reports.sections.section import Given, Section

REST_WORDS = "rest: stem, resizing, skips, heads"
MOST = 12  # mixes that are drawn
MANY = 60  # mixes, of more only FEWER are drawn
FEWER = 4
LANES = 2  # costs that are drawn side by side


@dataclass(frozen=True)
class Part:
    """One stage's piece of a bar.

    Args:
        slot: The stage, or "rest".
        slug: How its family is drawn.
        start: Where it begins, as a share of the longest bar.
        width: How long it is.
        says: What it is, in words.
    """

    slot: str
    slug: str
    start: float
    width: float
    says: str


@dataclass(frozen=True)
class Bar:
    """One mix's cost, piece by piece.

    Args:
        parts: In the order of the network.
        total: Their sum.
        says: All of it, for screen readers.
    """

    parts: tuple[Part, ...]
    total: str
    says: str


@dataclass(frozen=True)
class StageLine:
    """One stage of one mix in numbers: a text for each cost, and its place on the roofline."""

    slot: str
    cells: tuple[str, ...]
    roofline: str


@dataclass(frozen=True)
class MixStages(Named):
    """One mix.

    Args:
        bars: One for each cost that is drawn; None where it was not measured.
        lines: Its stages in numbers.
    """

    bars: tuple[Bar | None, ...]
    lines: tuple[StageLine, ...]


@dataclass(frozen=True)
class Stages:
    """The whole section.

    Args:
        lanes: Headings of the costs that are drawn.
        headings: Headings of all costs, for the numbers.
        rows: The mixes; the front first, the others by their first cost.
        left_out: How many mixes are not drawn.
        legend: Families that occur.
        rest: Whether there is a rest beside the stages.
        roofline: Whether stages have a place on the roofline.
        intro: What was measured, in words.
    """

    lanes: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    rows: tuple[MixStages, ...] = ()
    left_out: int = 0
    legend: tuple[Look, ...] = ()
    rest: bool = False
    roofline: bool = False
    intro: str = ""
    rest_words: str = REST_WORDS


def stages(found: Found) -> Stages:
    """Lay the section out; no rows where no cost was measured by stage."""
    table = by_stage(found)
    if table.empty:
        return Stages()
    metrics = stage_metrics(found, table)
    lanes = [name for name in STACKED if name in metrics][:LANES]
    scales = {name: _scale(found, table, name) for name in metrics}
    longest = {
        name: float(of_metric(table, name).groupby("mix", observed=True)["value"].sum().max())
        for name in lanes
    }
    order = _order(found, table, lanes[0] if lanes else metrics[0])
    families = families_of_stages(found)
    notes = limits_of_stages(found)
    drawn_first = order[: MOST if len(order) <= MANY else FEWER]
    rows = []
    for mix in drawn_first:
        mine = table[table["mix"] == mix]
        bars = tuple(
            _bar(found, mine, mix, scales[name], longest[name], families) for name in lanes
        )
        lines = tuple(_line(mine, mix, slot, scales, notes) for slot in mine["slot"].unique())
        rows.append(MixStages(mix, found.label(mix), found.letters.get(mix, ""), bars, lines))
    drawn = {key: family for key, family in families.items() if key[0] in drawn_first}
    return Stages(
        lanes=tuple(scales[name].heading for name in lanes),
        headings=tuple(scales[name].heading for name in metrics),
        rows=tuple(rows),
        left_out=len(order) - len(drawn_first),
        legend=tuple(looks(drawn.values())),
        rest=bool((table["slot"] == REST).any()),
        roofline=any(line.roofline for row in rows for line in row.lines),
        intro=_intro(lanes, table),
    )


def _order(found: Found, table: pd.DataFrame, first: str) -> list[str]:
    totals = of_metric(table, first).groupby("mix", observed=True)["value"].sum().sort_values()
    known = [str(mix) for mix in totals.index]
    front = [mix for mix in found.letters if mix in known]
    return [*front, *(mix for mix in known if mix not in found.letters)]


def _scale(found: Found, table: pd.DataFrame, metric: str) -> Scale:
    return scale_of(metric, found.metrics[metric].unit, of_metric(table, metric)["value"])


def _bar(
    found: Found,
    mine: pd.DataFrame,
    mix: str,
    shown: Scale,
    longest: float,
    families: dict[tuple[str, str], str],
) -> Bar | None:
    rows = of_metric(mine, shown.metric)
    if rows.empty or longest <= 0:
        return None
    total, start, parts = float(rows["value"].sum()), 0.0, []
    for slot, value in rows[["slot", "value"]].to_numpy().tolist():
        family = families.get((mix, slot))
        says = f"{plain(slot)}: {shown.text(value)}, {percent(value / total if total else 0.0)}"
        slug = look(family).slug if family else "rest"
        parts.append(Part(slot, slug, start / longest, value / longest, says))
        start += value
    words = "; ".join(part.says for part in parts)
    return Bar(tuple(parts), shown.text(total), f"{title(shown.metric)}: {words}")


def _line(
    mine: pd.DataFrame, mix: str, slot: str, scales: dict[str, Scale], notes: dict[str, str]
) -> StageLine:
    rows = mine[mine["slot"] == slot].set_index("metric")
    cells = tuple(_cell(rows, shown) for shown in scales.values())
    return StageLine(plain(slot), cells, notes.get(f"{mix}:{slot}", ""))


def _cell(rows: pd.DataFrame, shown: Scale) -> str:
    if shown.metric not in rows.index:
        return shown.number(float("nan"))
    row = rows.loc[[shown.metric], ["value", "low", "high"]].to_numpy(dtype=float)
    value, low, high = row[0]
    spread = shown.spread(low, high).replace(" to ", "–")
    return f"{shown.number(value)} ({spread})" if spread else shown.number(value)


def _intro(lanes: Sequence[str], table: pd.DataFrame) -> str:
    said = "What each stage of each mix costs."
    if lanes:
        said = (
            "Each mix's cost, piece by piece in the order of the network; bars of a column share "
            "one scale."
        )
    if "latency" in lanes:
        said += (
            " A stage was timed by itself on the input that it has inside the network, so stages "
            "need not add up to the latency of the whole."
        )
    modes = [mode for mode in dict.fromkeys(table["mode"]) if mode]
    return said + (f" At{TIE}{', '.join(modes[:3]).replace('x', '×')}." if modes else "")


def collect(given: Given) -> Stages | None:
    """Cost by stage; None where nothing was measured by stage."""
    shown = stages(given.found)
    return shown if shown.rows else None


def markdown(shown: Stages) -> list[str]:
    """What each stage of each mix costs."""
    lines = ["## Where the cost lies", "", escape(shown.intro), ""]
    last = ["Limit"] if shown.roofline else []
    rows = []
    for row in shown.rows:
        for line in row.lines:
            limit = [line.roofline] if last else []
            rows.append(escaped([row.name, line.slot, *line.cells, *limit]))
    heads = ["Mix", "Stage", *shown.headings, *last]
    kinds = "ll" + "r" * len(shown.headings) + "l" * len(last)
    lines += [*pipe_table(escaped(heads), kinds, rows), ""]
    if shown.left_out:
        lines += [f"{count(shown.left_out, 'further mix')} not listed; the record holds all.", ""]
    return lines


SECTION = Section("stages", collect, markdown)
