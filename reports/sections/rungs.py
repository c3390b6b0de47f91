"""Rungs: where mixes rested to be compared, which went no further, and whether that was fair."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from reports.analysis.statistics import kendall
from reports.answering.answer import quality_metric
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.pipes import pipe_table
from reports.numbers.found import Found
from reports.numbers.quality import GAINS
from reports.numbers.units import ABSENT, count, scale_of
from reports.sections.section import Given, Section

FEWEST = 3  # mixes whose order can be compared

Qualities = Mapping[str, tuple[float, int]]  # by mix: mean over seeds, and their number


@dataclass(frozen=True)
class Rung:
    """One step at which mixes rested.

    Args:
        step: Training steps.
        mixes: How many came to it.
        went_on: How many of them were trained further.
        agreement: How like the order there and in the end are, of those that came to their end.
    """

    step: int
    mixes: int
    went_on: int
    agreement: str


@dataclass(frozen=True)
class Stopped:
    """A mix that was left at a rung.

    Args:
        mix: Its key.
        label: Its label.
        step: Where.
        quality: What it came to there, as text.
        seeds: How many are behind that.
    """

    mix: str
    label: str
    step: int
    quality: str
    seeds: int


@dataclass(frozen=True)
class Rungs:
    """What happened at the rungs of a search; without any, no rungs.

    Args:
        sentence: In words.
        heading: What the quality of stopped mixes is, with its unit.
        rungs: In the order of their steps.
        rows: The mixes that were stopped, the furthest and then the best first.
    """

    sentence: str = ""
    heading: str = ""
    rungs: tuple[Rung, ...] = ()
    rows: tuple[Stopped, ...] = ()


def rungs(found: Found) -> Rungs:
    """Every rung of the search, and the mixes that were left there."""
    if found.partials.empty:
        return Rungs()
    metric = quality_metric(found)
    steps = {int(step): _qualities(found, metric, int(step)) for step in _steps(found)}
    stopped = found.table[found.table["status"] == "stopped"]
    where = {str(mix): int(stopped["stopped_at"][mix]) for mix in stopped.index}
    values = [quality for at in steps.values() for quality, _ in at.values()]
    unit = found.metrics[metric].unit if metric in found.metrics else ""
    scale = scale_of(metric, unit, values)
    rows = [
        Stopped(
            mix, found.label(mix), at, _text(steps[at], mix, scale.number), _seeds(steps[at], mix)
        )
        for mix, at in where.items()
    ]
    better = -1.0 if metric in found.metrics and found.metrics[metric].better == "lower" else 1.0
    rows.sort(
        key=lambda row: (-row.step, -better * steps[row.step].get(row.mix, (-math.inf, 0))[0])
    )
    return Rungs(
        sentence=_sentence(len(where), len(found.table)),
        heading=f"{scale.title}, {scale.unit}" if scale.unit else scale.title,
        rungs=tuple(_rung(found, metric, step, at, where) for step, at in steps.items()),
        rows=tuple(rows),
    )


def _steps(found: Found) -> list[int]:
    return sorted(int(step) for step in found.partials["step"].unique())


def _qualities(found: Found, metric: str, step: int) -> Qualities:
    """Mean over seeds of each mix that rested at a step, where it was scored."""
    rested = found.partials[found.partials["step"] == step][["key", "mix"]]
    rows = found.measurements.merge(rested, left_on="subject", right_on="key")
    table = rows.pivot_table(
        index="subject", columns="metric", values="value", aggfunc="last", observed=True
    )
    owners = rested.set_index("key")["mix"]
    values = _scored(table, metric)
    if values is None:
        return {}
    by_mix = values.dropna().groupby(owners.reindex(values.dropna().index), observed=True)
    return {str(mix): (float(each.mean()), len(each)) for mix, each in by_mix}


def _scored(table: pd.DataFrame, metric: str) -> pd.Series | None:
    """The metric of each trial; a gain is what it is called after, less the same of the input."""
    raw = next((name for name, gain in GAINS.items() if gain.name == metric), "")
    if metric in table:
        return table[metric]
    if raw in table and f"input_{raw}" in table:
        return table[raw] - table[f"input_{raw}"]
    return None


def _rung(
    found: Found, metric: str, step: int, qualities: Qualities, stopped: Mapping[str, int]
) -> Rung:
    mixes = set(found.partials[found.partials["step"] == step]["mix"])
    left = sum(stopped.get(mix) == step for mix in mixes)
    whole = [mix for mix in qualities if not math.isnan(found.number(mix, metric))]
    agreement = ABSENT
    if len(whole) >= FEWEST:
        there = [qualities[mix][0] for mix in whole]
        tau = kendall(there, [found.number(mix, metric) for mix in whole])
        if not math.isnan(tau):
            agreement = f"Kendall's tau {tau:.2f} of {count(len(whole), 'mix')}"
    return Rung(step, len(mixes), len(mixes) - left, agreement)


def _sentence(stopped: int, mixes: int) -> str:
    said = (
        f"{count(stopped, 'mix')} of {mixes} went no further than a rung"
        if stopped
        else ("Every mix went on from every rung")
    )
    return (
        f"{said}. Whoever stopped there was not among the best by Pareto rank, and another mix "
        "beat it with confidence in every objective; its numbers are of a shorter training and "
        "stand nowhere else. Whether the short training judged fairly can be seen only of those "
        "that went on: tau is 1 where their order stayed, 0 where it was by chance."
    )


def _text(qualities: Qualities, mix: str, number: Callable[[float], str]) -> str:
    return number(qualities[mix][0]) if mix in qualities else ABSENT


def _seeds(qualities: Qualities, mix: str) -> int:
    return qualities[mix][1] if mix in qualities else 0


def collect(given: Given) -> Rungs | None:
    """Every rung; None where the search had none."""
    shown = rungs(given.found)
    return shown if shown.rungs else None


def markdown(shown: Rungs) -> list[str]:
    """Where mixes rested, and which were left there."""
    lines = ["## Left at a rung", "", escape(shown.sentence), ""]
    heads = ["Step", "Mixes", "Went on", "Order there and at the end"]
    numbers = ((rung.step, rung.mixes, rung.went_on) for rung in shown.rungs)
    words = (escape(rung.agreement) for rung in shown.rungs)
    rows = [[*map(str, own), said] for own, said in zip(numbers, words, strict=True)]
    lines += pipe_table(heads, "rrrl", rows)
    if shown.rows:
        heads = ["Mix", "Stopped at", escape(shown.heading), "Seeds"]
        rows = [
            [escape(row.label), f"step {row.step}", row.quality, str(row.seeds)]
            for row in shown.rows
        ]
        lines += ["", *pipe_table(heads, "lrrr", rows)]
    return [*lines, ""]


SECTION = Section("rungs", collect, markdown)
