"""How each number was found: protocol, spread, sizes, device; and the machine meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.analysis.once import once
from reports.analysis.statistics import FEWEST_SEEDS
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.predicted import PREDICTED
from reports.numbers.results import main_mode
from reports.numbers.units import TIE, count, percent, scale_of, title

MACHINE = "machine"  # subject of the conditions of each round
COUNTED = ("", "MAC", "FLOP", "OP")  # units of what is exact
CPU_FACTS, GPU_FACTS = ("cpu", "machine.cpu"), ("gpu", "machine.gpu")


@dataclass(frozen=True)
class Protocol:
    """How one measure was found.

    Args:
        metric: Its name in the record.
        measure: Its name.
        unit: Raw unit in the record.
        better: Which direction is better, in words; "" for neither.
        protocol: In words.
        spread: What intervals beside its numbers are, or why there are none.
        modes: What it was measured on: sizes, and whatever is not the default; the main one first.
        place: Device, scan back end and machine.
    """

    metric: str
    measure: str
    unit: str
    better: str
    protocol: str
    spread: str
    modes: str
    place: str


@dataclass(frozen=True)
class Condition:
    """What the machine was like while networks were timed.

    Args:
        name: Of the reading.
        unit: Its unit.
        middle: Median over rounds.
        ends: Lowest to highest.
        rounds: How many rounds were looked at.
        meaning: In words.
    """

    name: str
    unit: str
    middle: str
    ends: str
    rounds: int
    meaning: str


@once
def protocols(found: Found) -> tuple[Protocol, ...]:
    """One for each metric that was measured."""
    measured = {*found.measurements["metric"].unique(), *found.per_seed}
    return tuple(protocol_of(found, name) for name in found.metrics if name in measured)


def conditions(found: Found) -> tuple[Condition, ...]:
    """What was read of the machine round by round, over all sittings."""
    rows = found.samples[found.samples["subject"] == MACHINE]
    return tuple(
        _condition(found, str(name), of_name["value"])
        for name, of_name in rows.groupby("metric", sort=False, observed=True)
    )


def protocol_of(found: Found, name: str) -> Protocol:
    """How one metric was found."""
    metric = found.metrics[name]
    rows = found.costs[found.costs["metric"] == name]
    if rows.empty:  # stages only where whole networks were not measured
        rows = found.measurements[found.measurements["metric"] == name]
    modes = [mode.replace("x", "×") for mode in rows["mode"].unique() if mode]
    main = main_mode(rows).get(name, "").replace("x", "×")
    modes.sort(key=lambda mode: mode != main)
    return Protocol(
        metric=name,
        measure=title(name),
        unit=metric.unit,
        better="" if metric.better == "none" else f"{metric.better} is better",
        protocol=metric.protocol,
        spread=_spread(found, name, rows),
        modes=", ".join(modes),
        place=_place(found, rows),
    )


def _condition(found: Found, name: str, values: pd.Series) -> Condition:
    metric = found.metrics.get(name)
    shown = scale_of(name, metric.unit if metric else "", values)
    meaning = metric.protocol.rpartition("a round: ")[2] if metric else ""
    ends = shown.spread(float(values.min()), float(values.max())).replace(" to ", "–")
    middle = shown.number(float(values.median()))
    return Condition(title(name), shown.unit, middle, ends, len(values), meaning)


def _spread(found: Found, name: str, rows: pd.DataFrame) -> str:
    """What its intervals are, and how wide they are in the middle."""
    if name in found.per_seed:
        seeds = seed_counts(found, name)
        if seeds.most < FEWEST_SEEDS:
            return f"none: {seeds.words}" if seeds.most else "none"
        return f"{percent(0.95)} over {seeds.of_intervals} (t)"
    known_ends = rows.dropna(subset=["low", "high"])
    known_ends = known_ends[known_ends["value"] > 0]
    if known_ends.empty:
        return "none: counted" if found.metrics[name].unit in COUNTED else "none: one number each"
    half = ((known_ends["high"] - known_ends["low"]) / 2 / known_ends["value"]).median()
    return f"{_ends(name, int(known_ends['n'].median()))} (median ±{100 * half:.1f}{TIE}%)"


def _ends(name: str, n: int) -> str:
    """What the ends of an interval are."""
    if name == "energy":
        return f"least to greatest of {count(n, 'window')}"
    if name == PREDICTED:
        return f"error on {count(n, 'unseen mix')}" if n else "error of the fit"
    return f"{percent(0.95)} over {count(n, 'visit')}"


def _place(found: Found, rows: pd.DataFrame) -> str:
    """Device, back end and the name of the machine's part: cpu (EPYC), scan back end c."""
    words = []
    for device in rows["device"].unique():
        if not device:
            continue
        names = GPU_FACTS if str(device).startswith("cuda") else CPU_FACTS
        machine = next((found.facts[name] for name in names if name in found.facts), "")
        words.append(f"{device} ({machine})" if machine else str(device))
    backends = [backend for backend in rows["backend"].unique() if backend]
    if backends:
        words.append(f"scan back end {' and '.join(backends)}")
    return ", ".join(words)
