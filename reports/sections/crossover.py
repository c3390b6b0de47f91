"""Where one block overtakes another as images, widths or batches grow, where that was timed."""

from __future__ import annotations

from dataclasses import dataclass

from reports.crossing.plots import Table, kinds, looks_of, plot
from reports.crossing.reading import FILE, Crossing, CrossingError, Crossings, read_crossings
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.lines import Curve, Plot
from reports.graphics.pipes import escaped, pipe_table
from reports.sections.section import Given, Section

UNITS = {"size": "px", "width": "channels", "batch": "images"}
VERBS = {"latency": "is faster than", "memory": "takes less memory than"}


@dataclass(frozen=True)
class Crossover:
    """The section.

    Args:
        sentences: What was found, in words.
        how: Where and how it was measured.
        plots: One for each axis and quantity.
        tables: Their numbers.
        keys: The legend: a line for each contestant.
        problem: Why the file beside the record is of no use; empty where it is.
    """

    sentences: tuple[str, ...] = ()
    how: str = ""
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    keys: tuple[Curve, ...] = ()
    problem: str = ""


def collect(given: Given) -> Crossover | None:
    """What lies beside the record; None where nothing does."""
    path = given.record.parent / FILE
    if not path.exists():
        return None
    try:
        return crossover(read_crossings(path))
    except CrossingError as error:
        return Crossover(problem=str(error).replace(str(path), FILE))


def crossover(found: Crossings) -> Crossover:
    """Lay plots and tables out."""
    looks = looks_of(found)
    drawn = [plot(found, kind, looks) for kind in kinds(found)]
    base = ", ".join(f"{name} {value}" for name, value in found.base.items())
    how = "Blocks by themselves"
    how += f"; while one measure varies, the others stay at {base}" if base else ""
    return Crossover(
        sentences=found.sentences or _sentences(found),
        how=f"{how}. {found.how}." if found.how else f"{how}.",
        plots=tuple(one for one, _ in drawn),
        tables=tuple(table for _, table in drawn),
        keys=tuple(Curve(name, slug, dash, ()) for name, (slug, dash) in looks.items()),
    )


def _sentences(found: Crossings) -> tuple[str, ...]:
    """Of a file that has no sentences: every crossing, and what could not be run."""
    crossed = [_words(one) for one in found.crossings]
    lost = [f"{name} cannot be run: {reason}" for name, reason in found.dropped.items()]
    return (*(crossed or ["No block overtakes another in the range that was timed"]), *lost)


def _words(one: Crossing) -> str:
    unit, verb = UNITS.get(one.axis, one.axis), VERBS.get(one.quantity, "takes less than")
    return (
        f"below {one.at:.3g} {unit} {one.below} {verb} {one.above}, above it the other way round "
        f"(95 % interval {one.low:.3g} to {one.high:.3g})"
    )


def markdown(shown: Crossover) -> list[str]:
    """Sentences and tables."""
    lines = ["## Where blocks cross over", ""]
    if shown.problem:
        return [*lines, escape(shown.problem), ""]
    lines += [*(f"- {escape(text)}" for text in shown.sentences), "", escape(shown.how), ""]
    for table in shown.tables:
        kinds = "r" * len(table.heads)
        lines += [escape(table.title), "", *pipe_table(escaped(table.heads), kinds, table.rows), ""]
    return lines


SECTION = Section("crossover", collect, markdown)
