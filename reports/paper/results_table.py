"""The main table of a paper: the mixes of the front, the best one and the zeros of the scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reports.analysis.statistics import FEWEST_SEEDS
from reports.answering.answer import quality_metric
from reports.graphics.escaping import escape_latex
from reports.graphics.sheet import Sheet, beside, bold
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.mixes import ENDS, Cell, Column, Row, Table
from reports.numbers.units import ABSENT, count, percent, plain, spoken, title
from reports.paper.best import Best, best_of

MOST = 20  # mixes
COLUMNS = 6  # of numbers
FIRST = ("psnr", "gain", "ssim", "params", "macs", "latency", "peak_memory", "energy")
AXES = 4  # up to so many the choices have a column each
TRAINED = ("done", "partial")
ZEROS = 3  # rows of degraded inputs, where tasks differ
ALIKE = r"$^{\dagger}$"


def results_sheet(found: Found, table: Table) -> Sheet:
    """The front and the zeros; bold is what is the best of its column beyond doubt.

    Args:
        found: What was found.
        table: All mixes, as the report lists them.
    """
    rows = _rows(found, table)
    sheet = _sheet(found, table, rows)
    return replace(sheet, label="tab:results", wide=True)


def all_sheet(found: Found, table: Table) -> Sheet:
    """The same of every mix that the report lists."""
    kept = {*TRAINED, "baseline", "input"}
    sheet = _sheet(found, table, [row for row in table.rows if row.status in kept])
    return replace(sheet, label="tab:all")


def _sheet(found: Found, table: Table, rows: Sequence[Row]) -> Sheet:
    chosen = _columns(found, table)
    keys = [row.mix for row in rows if row.mix and row.status != "baseline"]
    best = {table.columns[at].metric: _best(found, table.columns[at], keys) for at in chosen}
    axes = [str(axis) for axis in found.levels]
    axes = axes if len(axes) <= AXES else []
    zeros = next((at for at, row in enumerate(rows) if row.status in ("baseline", "input")), 0)
    return Sheet(
        caption=_caption(found),
        label="",
        columns=["l", "l" * len(axes) if axes else r"p{0.36\linewidth}", "r" * len(chosen)],
        head=[
            "",
            *(map(escape_latex, map(plain, axes)) if axes else ["Mix"]),
            *(_heading(table.columns[at]) for at in chosen),
        ],
        rows=[
            [
                row.letter,
                *_names(found, row, axes),
                *(_cell(row, table.columns[at].metric, row.cells[at], best) for at in chosen),
            ]
            for row in rows
        ],
        rules=frozenset({zeros} if zeros else ()),
        notes=_notes(found, best.values(), rows),
    )


def _columns(found: Found, table: Table) -> list[int]:
    """Places of the columns that a paper has room for: objectives first, then what is usual."""
    known = {column.metric: at for at, column in enumerate(table.columns)}
    wanted = dict.fromkeys([quality_metric(found), *found.objectives, *FIRST])
    if "psnr" in known and quality_metric(found) != "gain":
        wanted.pop("gain", None)  # the degraded input has a row of its own
    chosen = [known[name] for name in wanted if name in known][:COLUMNS]
    return sorted(chosen)


def _rows(found: Found, table: Table) -> list[Row]:
    """The front and the best, the best first; then baselines and the degraded input."""
    trained = [row for row in table.rows if row.status in TRAINED]
    front = [row for row in trained if row.letter]
    kept = front[:MOST] if front else trained[:MOST]
    if trained and trained[0] not in kept:
        kept = [trained[0], *kept[: MOST - 1]]
    inputs = [row for row in table.rows if row.status == "input"][:ZEROS]
    return [*kept, *(row for row in table.rows if row.status == "baseline"), *inputs]


def _best(found: Found, column: Column, keys: Sequence[str]) -> Best:
    known = column.metric in found.table
    return best_of(found, column.metric, keys) if known and len(keys) > 1 else Best()


def _names(found: Found, row: Row, axes: Sequence[str]) -> list[str]:
    """Its levels, a cell each; or its label."""
    if not axes or not row.mix or row.status == "baseline":
        return [escape_latex(row.label), *([""] * (len(axes) - 1))]
    levels = found.levels.loc[row.mix]
    return [escape_latex(str(levels[axis])) for axis in axes]


def _heading(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return escape_latex(column.title + unit)


def _cell(row: Row, metric: str, cell: Cell, best: Mapping[str, Best]) -> str:
    found = best[metric]
    text = escape_latex(cell.text.replace(ABSENT, "–"))
    if row.mix and row.mix == found.mix and found.alone:
        text = bold(text)
    elif found.judged and not found.alone and row.mix in {found.mix, *found.alike}:
        text += ALIKE
    return f"{text} {beside(cell.spread)}".strip()


def _caption(found: Found) -> str:
    question = escape_latex(found.facts.get("question", ""))
    seeds = seed_counts(found)
    means = f" Means over {seeds.words}." if seeds.most > 1 else ""
    level = escape_latex(percent(0.95))
    enough = seeds.most >= FEWEST_SEEDS
    spread = f" $\\pm$ is half the {level} interval over seeds." if enough else ""
    ranges = [spoken(title(name)) for name in found.cost_metrics if ENDS.get(name) == "range"]
    other = f", of {' and '.join(ranges)} the range" if ranges else ""
    ends = f" In brackets {level} intervals of costs{other}." if found.cost_metrics else ""
    return f"{question}{means}{spread}{ends}".strip()


def _notes(found: Found, columns: Iterable[Best], rows: Sequence[Row]) -> str:
    """What bold and the dagger mean, as far as they occur, and what is left out."""
    known = [each for each in columns if each.mix]
    said = []
    if any(each.alone for each in known):
        said.append(
            f"Bold: better than every other mix in the table ({percent(0.95)}; accuracies paired "
            "by seed, all comparisons of a column together, stepwise over all pairs)."
        )
    text = escape_latex(" ".join(said))
    if any(each.judged and not each.alone for each in known):
        text += f" {ALIKE}Best of its column, or not distinguishable from the best."
    if not all(each.judged for each in known):
        text += " Columns with neither mark support no claim."
    text += " Letters mark the front." if found.letters else ""
    left = len(found.ranked) - sum(row.status in TRAINED for row in rows)
    text += f" {count(left, 'more mix')} in the full table." if left > 0 else ""
    return text.strip()
