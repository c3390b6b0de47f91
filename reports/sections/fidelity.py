"""Was the short training a fair judge? Its checkpoints, and a longer training of a few mixes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.answering.answer import quality_metric, scale
from reports.fidelity.checkpoints import course
from reports.fidelity.drawing import drawing
from reports.fidelity.judging import BEST, Checkpoint, Judged, judged
from reports.fidelity.longer import longer
from reports.fidelity.shown import LongShown, long_shown
from reports.fidelity.words import CAVEAT, interval, number, said
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.lines import Plot
from reports.graphics.pipes import beside, escaped, pipe_table
from reports.numbers.curves import followed_words
from reports.numbers.units import ABSENT, Scale, percent
from reports.sections.section import Given, Section

Cell = tuple[str, str]  # a number, and its interval


@dataclass(frozen=True)
class Row:
    """One checkpoint.

    Args:
        place: Its step, or its part of the training.
        taus: Tau for each band of accuracy.
        other_seed: Tau with the end of another seed.
        best: How many of its best three are among the result's.
        lost: What whoever had taken its best mix would have lost.
        settled: How often the best three had settled.
    """

    place: str
    taus: tuple[Cell, ...]
    other_seed: str
    best: Cell
    lost: str
    settled: str


@dataclass(frozen=True)
class Fidelity:
    """The section.

    Args:
        sentences: What the checkpoints say; none without any.
        caveat: How far that goes.
        heading: The metric with its unit.
        bands: Headings of the bands of accuracy.
        rows: The checkpoints.
        plot: Tau over the training.
        longer: What longer trainings say.
    """

    sentences: tuple[str, ...]
    caveat: str
    heading: str
    bands: tuple[str, ...]
    rows: tuple[Row, ...]
    plot: Plot | None
    longer: tuple[LongShown, ...]


def collect(given: Given) -> Fidelity | None:
    """Checkpoints and longer trainings, where there are any."""
    found = given.found
    trained = course(found)
    judges = judged(trained) if trained else None
    long = tuple(long_shown(found, one) for one in longer(found))
    if judges is None and not long:
        return None
    shown = scale(found, quality_metric(found))
    read = tuple(filter(None, [followed_words(found)]))
    return Fidelity(
        sentences=(*said(judges, shown), *read) if judges else (),
        caveat=CAVEAT if judges else "",
        heading=shown.heading,
        bands=tuple(f"{name}, {n}" for name, n in judges.bands.items()) if judges else (),
        rows=tuple(_row(judges, one, shown) for one in judges.checkpoints) if judges else (),
        plot=drawing(judges) if judges else None,
        longer=long,
    )


def _row(judges: Judged, one: Checkpoint, shown: Scale) -> Row:
    where = f"{one.step:,}" if one.step else percent(one.part)
    best = one.best
    ends = "" if math.isnan(best.low) else f"{BEST * best.low:.0f} to {BEST * best.high:.0f}"
    return Row(
        place=f"{where} (end)" if one is judges.checkpoints[-1] else where,
        taus=tuple(_tau(one, name) for name in judges.bands),
        other_seed=number(one.other_seed),
        best=(f"{BEST * best.share:.0f}", ends),
        lost=shown.number(one.lost),
        settled=ABSENT if math.isnan(one.settled) else percent(one.settled),
    )


def _tau(one: Checkpoint, band: str) -> Cell:
    if band not in one.bands:
        return ABSENT, ""
    return number(one.bands[band].tau), interval(one.bands[band])


def markdown(shown: Fidelity) -> list[str]:
    """Sentences and tables."""
    lines = ["## Was the short training a fair judge?", ""]
    if shown.rows:
        heads = ["Step", *(f"tau, {band}" for band in shown.bands), "tau, other seed"]
        heads += [f"of the best {BEST}", f"lost, {shown.heading}", f"best {BEST} settled"]
        lines += [escape(" ".join([*shown.sentences, shown.caveat])), ""]
        lines += [*pipe_table(escaped(heads), "r" * len(heads), map(_cells, shown.rows)), ""]
    for one in shown.longer:
        lines += _longer_lines(one, shown.heading)
    return lines


def _cells(row: Row) -> list[str]:
    *taus, best = (beside(text, ends) for text, ends in (*row.taus, row.best))
    return [row.place, *taus, row.other_seed, best, row.lost, row.settled]


def _longer_lines(one: LongShown, heading: str) -> list[str]:
    lines = [escape(" ".join(one.sentences)), ""]
    lines += [*(f"- {escape(text)}" for text in one.reversed), ""] if one.reversed else []
    rows = []
    for row in one.rows:
        short, long = (" ".join(part for part in pair if part) for pair in (row.short, row.long))
        rows.append([escape(row.name), short, str(row.ranks[0]), long, str(row.ranks[1])])
    heads = ["Mix", f"Short, {escape(heading)}", "Rank", "Long", "Rank"]
    return [*lines, *pipe_table(heads, "lrrrr", rows), ""]


SECTION = Section("fidelity", collect, markdown)
