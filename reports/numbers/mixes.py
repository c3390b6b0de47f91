"""All mixes as a table of texts: every number with its unit and its spread, and the input below."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from reports.analysis.statistics import FEWEST_SEEDS
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric, scale
from reports.numbers.named import Named
from reports.numbers.rankings import rank_texts, ranks
from reports.numbers.sittings import METRIC
from reports.numbers.units import ABSENT, Scale, percent

SHOWN = ("psnr", "gain", "ssim", "ssim_gain")
HIDDEN = ("input_psnr", "input_ssim")
MOST = 400  # mixes that a table lists
FOOTING = ("solved_width", "solved_depth", "footing")
DEGRADED = "degraded input"
ENDS = {"energy": "range", "predicted_latency": "error"}  # costs whose ends are no 95 % interval


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Args:
        metric: Name in the table.
        title: What it is.
        unit: Unit shown.
        spread: What stands beside the number: "± 95 %", "95 %", one of `ENDS` or "".
    """

    metric: str
    title: str
    unit: str
    spread: str


@dataclass(frozen=True)
class Cell:
    """A number as it is shown, the spread beside it, and what it is sorted by ("" is last)."""

    text: str
    spread: str = ""
    sort: str = ""


@dataclass(frozen=True)
class Row(Named):
    """A mix, or the degraded input (its key is "").

    Args:
        probability: How often it is on the front when seeds and latencies are drawn again.
        status: done, partial, diverged, failed, waiting, baseline or input.
        cells: One for each column.
    """

    probability: Cell
    status: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """The table: best quality first, then what has no quality, then the degraded input.

    Args:
        columns: Of numbers.
        rows: One for each mix that is listed.
        left_out: How many mixes are not listed.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    left_out: int = 0


def mixes(found: Found, most: int = MOST) -> Table:
    """All mixes and the degraded input; of many the front, the best, and the zeros of the scale.

    Args:
        found: What was found.
        most: How many mixes are listed at most, beside the front and the baselines.
    """
    scales = [scale(found, metric) for metric in shown_metrics(found)]
    columns = tuple(_column(found, shown) for shown in scales)
    ranked = rank_texts(ranks(found))
    quality = quality_metric(found)
    order = found.table
    if quality in order:
        up = found.metrics[quality].better == "lower"
        order = order.sort_values(quality, ascending=up, na_position="last", kind="stable")
    listed = _listed(found, order, most)
    rows = [_row(found, mix, scales) for mix in listed]
    left = len(order) - len(listed)
    return _with_ranks(Table(columns, (*rows, *_inputs(found, scales)), left), ranked)


def _listed(found: Found, order: pd.DataFrame, most: int) -> list[str]:
    """Keys of the mixes that are listed, in their order."""
    keys = list(map(str, order.index.tolist()))
    if len(keys) <= most:
        return keys
    baselines = {str(mix) for mix in order.index[order["baseline"]]}
    kept = {*list(found.letters)[:most], *baselines}
    kept |= set([key for key in keys if key not in kept][: max(most - len(kept), 0)])
    return [mix for mix in keys if mix in kept]


def _with_ranks(table: Table, ranked: dict[str, tuple[str, int]]) -> Table:
    """The table with the ranks by latency beside the latencies, where there are any."""
    at = next((k for k, column in enumerate(table.columns) if column.metric == METRIC), None)
    if at is None or not ranked:
        return table
    cut = at + 1
    column = Column(f"{METRIC}_rank", "Rank by latency", "", "")
    rows = []
    for row in table.rows:
        text, low = ranked.get(row.mix, (ABSENT, 0))
        cell = Cell(text, sort=str(low) if row.mix in ranked else "")
        rows.append(replace(row, cells=(*row.cells[:cut], cell, *row.cells[cut:])))
    columns = (*table.columns[:cut], column, *table.columns[cut:])
    return replace(table, columns=columns, rows=tuple(rows))


def shown_metrics(found: Found) -> list[str]:
    """Quality first, then costs; only what was measured."""
    trial = [name for name in found.per_seed if name not in (*SHOWN, *HIDDEN)]
    names = [*SHOWN, *trial, *found.cost_metrics, *FOOTING]
    sizes = [str(name) for name in found.table if "@" in str(name)]
    names += [name for name in sizes if not name.endswith(("_low", "_high"))]
    first = [name for name in found.objectives if name in found.per_seed]
    return [name for name in dict.fromkeys(first + names) if name in found.table]


def _column(found: Found, shown: Scale) -> Column:
    spread = ""
    if shown.metric in found.per_seed:
        enough = seed_counts(found, shown.metric).most >= FEWEST_SEEDS
        spread = "± 95 %" if enough else ""
    elif f"{shown.metric}_low" in found.table:
        spread = ENDS.get(shown.metric.partition("@")[0], "95 %")
    return Column(shown.metric, shown.title, shown.unit, spread)


def _row(found: Found, mix: str, scales: list[Scale]) -> Row:
    probability = found.number(mix, "front_probability")
    baseline = bool(found.number(mix, "baseline"))
    status = found.status(mix)
    return Row(
        mix=mix,
        label=found.label(mix),
        letter=found.letters.get(mix, ""),
        probability=Cell(ABSENT)
        if math.isnan(probability)
        else Cell(percent(probability), sort=repr(probability)),
        status="baseline" if baseline and status == "done" else status,
        cells=tuple(_cell(found, mix, shown) for shown in scales),
    )


def _cell(found: Found, mix: str, shown: Scale) -> Cell:
    value = found.number(mix, shown.metric)
    if math.isnan(value):
        return Cell(ABSENT)
    low, high = (found.number(mix, f"{shown.metric}_{end}") for end in ("low", "high"))
    spread = ""
    if shown.metric not in found.per_seed:
        spread = shown.spread(low, high).replace(" to ", "–")
    elif found.number(mix, f"{shown.metric}_n") >= FEWEST_SEEDS:
        spread = "±" + shown.number((high - low) / 2)
    return Cell(shown.number(value), spread, repr(value))


def _inputs(found: Found, scales: list[Scale]) -> list[Row]:
    """What was there before any restoration; a row for each different input."""
    names = [name for name in HIDDEN if name in found.table]
    if not names:
        return []
    inputs = found.table[names].dropna().round(6)
    rows = []
    for values in inputs.drop_duplicates().to_numpy(dtype=float).tolist():
        members = list(map(str, inputs.index[(inputs == values).all(axis=1)].tolist()))
        known = dict(zip(names, values, strict=True))
        cells = tuple(_input_cell(shown, known) for shown in scales)
        rows.append(Row("", _which(found, members, inputs), "", Cell(ABSENT), "input", cells))
    return rows


def _which(found: Found, members: list[str], inputs: pd.DataFrame) -> str:
    """The degraded input, and whose it is where mixes had different ones."""
    if len(members) == len(inputs):
        return DEGRADED
    more = f" and {len(members) - 1} more" if len(members) > 1 else ""
    return f"{DEGRADED} of {found.label(members[0])}{more}"


def _input_cell(shown: Scale, known: dict[str, float]) -> Cell:
    if shown.metric in ("gain", "ssim_gain"):
        return Cell(shown.number(0.0), sort="0.0")
    value = known.get(f"input_{shown.metric}", math.nan)
    return Cell(shown.number(value), sort="" if math.isnan(value) else repr(value))


def heading(column: Column) -> str:
    """Title, unit and spread in one line, for tables without two-line headings."""
    unit = f", {column.unit}" if column.unit else ""
    return f"{column.title}{unit}" + (f" ({column.spread})" if column.spread else "")


def named(row: Row) -> str:
    """Its label, and its status where that is not done."""
    marked = "" if row.status in ("done", "input") else f" [{row.status}]"
    return row.label + marked
