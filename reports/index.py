"""One page over many runs: what each asked, how far it is, the best that it found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.analysis.pareto import front
from reports.answering.answer import answer, cost_metric, quality_metric, scale
from reports.graphics.axes import Axis, axis, wants_log
from reports.numbers.found import Found
from reports.numbers.results import collect
from reports.numbers.units import count, plain
from reports.page.rendering import page
from reports.record import Reading
from reports.whole import write_whole

DOTS = 150  # mixes that a small plot shows beside its front
PAD = 0.08


@dataclass(frozen=True)
class Entry:
    """A run to list, as far as its record does not say it.

    Args:
        name: Of its folder.
        record: Its record.
        report: Where its report lies, as the page links to it; "" where there is none.
        state: Whether it goes on, and if not how it ended.
        when: When something was recorded last, in words.
        problem: Why it cannot be read; "" where it can.
    """

    name: str
    record: Path
    report: str
    state: str
    when: str
    problem: str = ""


@dataclass(frozen=True)
class Sketch:
    """Accuracy against the first cost, small; positions from top left, as shares of the plot.

    Args:
        dots: Mixes off the front, as many as are shown.
        members: The front.
        steps: Corners of its staircase.
        says: What it shows, in words.
    """

    dots: tuple[tuple[float, float], ...]
    members: tuple[tuple[float, float], ...]
    steps: tuple[tuple[float, float], ...]
    says: str


@dataclass(frozen=True)
class Line:
    """A run in the list.

    Args:
        entry: As it was given.
        study: Name of its study.
        question: What it asks.
        date: When it began.
        mixes: How many.
        done: Trials that came to their end.
        broken: Trials that failed or diverged.
        members: Mixes on the front.
        best: The mix with the best mean; "" before any has finished.
        numbers: Quality and cost of that mix, in words.
        sort: Its quality as a number; "" where there is none.
        sketch: The front, small; None where nothing was measured.
    """

    entry: Entry
    study: str = ""
    question: str = ""
    date: str = ""
    mixes: int = 0
    done: int = 0
    broken: int = 0
    members: int = 0
    best: str = ""
    numbers: str = ""
    sort: str = ""
    sketch: Sketch | None = None


def write_index(entries: Iterable[Entry], file: Path, place: str) -> Path:
    """Write the page.

    Args:
        entries: The runs, in their order.
        file: Where it goes; links in `entries` are relative to its folder.
        place: What the runs are of, in words, for the title.

    Returns:
        The file.
    """
    write_whole(file, index(entries, place))
    return file


def index(entries: Iterable[Entry], place: str) -> str:
    """The page over many runs."""
    lines = [line(entry) for entry in entries]
    values = {"lines": lines, "place": place, "intro": _intro(lines)}
    return page("index.html", ["index"], {"mixes": {}}, values)


def line(entry: Entry) -> Line:
    """What the record of a run says, in a line.

    Raises:
        RecordError: It cannot be read.
    """
    if entry.problem:
        return Line(entry)
    with Reading.open(entry.record) as record:
        found = collect(record, draws=0)
    statuses = found.trials["status"]
    best = answer(found).best
    quality = quality_metric(found)
    return Line(
        entry=entry,
        study=plain(found.facts.get("study_name", "")),
        question=found.facts.get("question", ""),
        date=(found.facts.get("started") or found.facts.get("created", ""))[:10],
        mixes=int((~found.table["baseline"]).sum()),
        done=int((statuses == "done").sum()),
        broken=int(statuses.isin(["failed", "diverged"]).sum()),
        members=len(found.letters),
        best=found.label(best) if best else "",
        numbers=_numbers(found, best) if best else "",
        sort=repr(found.number(best, quality)) if best else "",
        sketch=sketch(found),
    )


def sketch(found: Found) -> Sketch | None:
    """The front over the first cost; None where no mix has both."""
    quality, cost = quality_metric(found), cost_metric(found)
    if not cost or quality not in found.ranked:
        return None
    table = found.ranked.dropna(subset=[quality, cost])
    if table.empty:
        return None
    better = [found.metrics[name.partition("@")[0]].better for name in (cost, quality)]
    best = front(table[[cost, quality]].to_numpy(dtype=float), better)
    costs = table[cost].tolist()
    x = axis(costs, log=wants_log(costs), pad=PAD)
    y = axis(table[quality].tolist(), pad=PAD)
    members = sorted(_places(table[best], quality, cost, x, y, flip=better[1] == "lower"))
    rest = table[~best].iloc[:: max(1, math.ceil(len(table) / DOTS))]
    up, across = scale(found, quality), scale(found, cost)
    return Sketch(
        dots=tuple(_places(rest, quality, cost, x, y, flip=better[1] == "lower")),
        members=tuple(members),
        steps=_staircase(members) if better[0] == "lower" else (),
        says=f"{up.heading} against {across.heading}: {count(len(members), 'mix')} on the front",
    )


def _places(
    table: pd.DataFrame, quality: str, cost: str, x: Axis, y: Axis, *, flip: bool
) -> Iterable[tuple[float, float]]:
    for value, price in table[[quality, cost]].to_numpy(dtype=float).tolist():
        up = y.clipped(value)
        yield round(x.clipped(price), 3), round(up if flip else 1.0 - up, 3)


def _staircase(members: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Down to each member, and on to the next at its height: what no mix of the run beats."""
    corners: list[tuple[float, float]] = []
    for x, y in members:
        corners += [(x, corners[-1][1]), (x, y)] if corners else [(x, y)]
    return (*corners, (1.0, corners[-1][1]))


def _numbers(found: Found, best: str) -> str:
    names = dict.fromkeys([quality_metric(found), cost_metric(found)])
    texts = [scale(found, name).text(found.number(best, name)) for name in names if name]
    return ", ".join(texts)


def _intro(lines: Sequence[Line]) -> str:
    if not lines:
        return "No runs are here yet."
    trials = sum(line.done for line in lines)
    broken = sum(line.broken for line in lines)
    words = f"{count(len(lines), 'run')}, {count(trials, 'finished trial')}"
    return f"{words}; {broken} failed or diverged." if broken else f"{words}."
