"""All trials behind the numbers: each mix's trainings, seed by seed, with their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.answering.answer import quality_metric
from reports.graphics.escaping import escape_markdown as escape
from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.units import ABSENT, Scale, count, scale_of
from reports.sections.section import Given, Section

MOST = 180  # trials that are all listed one by one
SEEN = 24  # that are listed of more
INPUTS = "input_"  # metrics of the degraded input, the same for all
METRICS = 4  # columns of numbers at most
COLUMNS = ["key", "mix", "seed", "status", "reason", "seconds"]


@dataclass(frozen=True)
class Line:
    """One trial.

    Args:
        key: Its key in the record.
        seed: Its seed.
        status: done, or how it ended and why.
        cells: What was measured of it, a text for each heading.
        seconds: How long it took, in seconds.
    """

    key: str
    seed: int
    status: str
    cells: tuple[str, ...]
    seconds: str


@dataclass(frozen=True)
class Group(Named):
    """The trials of one mix.

    Args:
        lines: Its trials, by seed.
    """

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Trials:
    """The whole section.

    Args:
        intro: What is listed, and what is left out by which rule.
        headings: What was measured, with units.
        groups: Mixes in the order of the table: best first.
        left_out: How many trials are not listed.
    """

    intro: str
    headings: tuple[str, ...]
    groups: tuple[Group, ...]
    left_out: int


def trials(found: Found, most: int = MOST) -> Trials | None:
    """Every trial, or with many of them those of the front and of the best mixes; None without any.

    Args:
        found: What was found.
        most: How many trials are listed at most; a mix is listed whole or not at all.
    """
    if found.trials.empty:
        return None
    chosen = listed(found, most)
    rows = found.trials[found.trials["mix"].isin(chosen)].sort_values("seed", kind="stable")
    values = _values(found, rows)
    names = [str(name) for name in values]
    shown = [scale_of(name, found.metrics[name].unit, values[name]) for name in names]
    cells = _cells(values, shown)
    lines: dict[str, list[Line]] = {mix: [] for mix in chosen}
    for key, mix, seed, status, reason, seconds in rows[COLUMNS].to_numpy().tolist():
        said = f"{status}: {reason}" if reason else status
        measured = cells.get(key, (ABSENT,) * len(shown))
        lines[mix].append(Line(key, seed, said, measured, f"{seconds:.1f}"))
    return Trials(
        intro=_intro(found, len(rows), len(chosen), most),
        headings=tuple(scale.heading for scale in shown),
        groups=tuple(
            Group(mix, found.label(mix), found.letters.get(mix, ""), tuple(lines[mix]))
            for mix in chosen
        ),
        left_out=len(found.trials) - len(rows),
    )


def listed(found: Found, most: int = MOST) -> list[str]:
    """Mixes whose trials are listed, best first; the front before all others where not all are."""
    sizes = Counter(found.trials["mix"].tolist())
    order = [mix for mix in _by_quality(found) if mix in sizes]
    if sum(sizes.values()) <= most:
        return order
    front = [mix for mix in order if mix in found.letters]
    kept, left = set(), most
    for mix in dict.fromkeys([*front, *order]):
        left -= sizes[mix]
        if left < 0:
            break
        kept.add(mix)
    return [mix for mix in order if mix in kept]


def markdown(shown: Trials) -> list[str]:
    """In Markdown only how many there are and where to get them."""
    total = sum(len(group.lines) for group in shown.groups) + shown.left_out
    they = "it is" if total == 1 else "they are"
    where = f"{they} listed on the page, and as a table by: ablate export RUN --csv trials.csv"
    return ["## Trials", "", escape(f"{count(total, 'trial')}; {where}."), ""]


def _by_quality(found: Found) -> list[str]:
    """All mixes, best quality first."""
    quality, table = quality_metric(found), found.table
    if quality in table:
        up = found.metrics[quality].better == "lower"
        table = table.sort_values(quality, ascending=up, na_position="last", kind="stable")
    return list(map(str, table.index.tolist()))


def _values(found: Found, rows: pd.DataFrame) -> pd.DataFrame:
    """What was measured of these trials: rows trials, columns metrics, as it is in the record."""
    known = [name for name in found.per_seed if not name.startswith(INPUTS)]
    first = [name for name in found.objectives if name in known]
    own = found.measurements
    own = own[own["metric"].isin(known)]
    own = own[own["subject"].isin(rows["key"])]
    own = own.drop_duplicates(["subject", "metric"], keep="last")
    measured = set(own["metric"])
    names = [name for name in dict.fromkeys(first + known) if name in measured]
    wide = own.pivot(index="subject", columns="metric", values="value").astype(float)
    return wide.reindex(columns=names[:METRICS])


def _cells(values: pd.DataFrame, shown: Sequence[Scale]) -> dict[str, tuple[str, ...]]:
    """Key of each trial -> its numbers as texts."""
    rows = zip(map(str, values.index), values.to_numpy(dtype=float).tolist(), strict=True)
    return {
        key: tuple(scale.number(value) for scale, value in zip(shown, numbers, strict=True))
        for key, numbers in rows
    }


def _intro(found: Found, trials: int, mixes: int, most: int) -> str:
    said = (
        "What the numbers rest on: accuracies belong to trials, one for each mix and seed; costs "
        "belong to the mix."
    )
    total = len(found.trials)
    if trials == total:
        return said
    return (
        f"{said} Listed are {count(trials, 'trial')} of {count(mixes, 'mix')}: those of the front, "
        f"then of the best, as a page holds {most} at most. All {total} as a table: ablate export "
        "RUN --csv trials.csv"
    )


def _collect(given: Given) -> Trials | None:
    few = len(given.found.trials) <= MOST
    return trials(given.found, MOST if few else SEEN)


def anchors(shown: Trials) -> dict[str, str]:
    """Key of each mix whose trials are listed -> where they stand in the page."""
    return {group.mix: f"trials-{group.mix}" for group in shown.groups}


SECTION = Section("trials", _collect, markdown, anchors=anchors)
