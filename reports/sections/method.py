"""How it was measured: protocols, machine, versions and everything else a number depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from reports.analysis.statistics import FEWEST_SEEDS
from reports.escaping import escape_markdown as escape
from reports.found import Found
from reports.predicted import PREDICTED, predictions
from reports.results import DRAWS, main_mode
from reports.sections.section import Given, Section
from reports.sections.stages import ROOFLINE
from reports.units import TIE, count, heading, percent, plain, scale_of, title

OWN = ("study_name", "study_text", "question", "objectives", "sources")  # shown elsewhere, or long
MACHINE = "machine"  # subject of the conditions of each round
COUNTED = ("", "MAC", "FLOP", "OP")  # units of what is exact
CPU_FACTS, GPU_FACTS = ("cpu", "machine.cpu"), ("gpu", "machine.gpu")


@dataclass(frozen=True)
class Protocol:
    """How one measure was found.

    Args:
        measure: Its name.
        unit: Raw unit in the record.
        better: Which direction is better, in words; "" for neither.
        protocol: In words.
        spread: What intervals beside its numbers are, or why there are none.
        modes: What it was measured on: sizes, and whatever is not the default; the main one first.
        place: Device, scan back end and machine.
    """

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


@dataclass(frozen=True)
class Method:
    """What stands under the numbers.

    Args:
        protocols: How each measure was found.
        conditions: What the machine was like meanwhile.
        facts: Facts of the run: versions, machine, commit.
        trials: Facts of the trials, each with the values that occurred.
        notes: Remarks, by topic.
        study: The study file.
    """

    protocols: tuple[Protocol, ...]
    conditions: tuple[Condition, ...]
    facts: tuple[tuple[str, str], ...]
    trials: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    study: str
    draws: int = DRAWS


def method(found: Found) -> Method:
    """Everything the record says about how."""
    known = found.facts.items()
    measured = {*found.measurements["metric"], *found.per_seed}
    notes = found.notes[found.notes["topic"] != ROOFLINE]  # these stand beside their stages
    return Method(
        protocols=tuple(_protocol(found, name) for name in found.metrics if name in measured),
        conditions=conditions(found),
        facts=tuple(
            (_readable(name), _words(text)) for name, text in known if name not in OWN and text
        ),
        trials=_trial_facts(found),
        notes=tuple(
            (heading(topic), text)
            for topic, text in notes[["topic", "text"]].drop_duplicates().to_numpy().tolist()
        )
        + tuple((title(PREDICTED), text) for text in predictions(found)),
        study=found.facts.get("study_text", ""),
    )


def conditions(found: Found) -> tuple[Condition, ...]:
    """What was read of the machine round by round, over all sittings."""
    rows = found.samples[found.samples["subject"] == MACHINE]
    return tuple(
        _condition(found, str(name), of_name["value"])
        for name, of_name in rows.groupby("metric", sort=False)
    )


def _condition(found: Found, name: str, values: pd.Series) -> Condition:
    metric = found.metrics.get(name)
    shown = scale_of(name, metric.unit if metric else "", values)
    meaning = metric.protocol.rpartition("a round: ")[2] if metric else ""
    ends = shown.spread(float(values.min()), float(values.max())).replace(" to ", "–")
    middle = shown.number(float(values.median()))
    return Condition(title(name), shown.unit, middle, ends, len(values), meaning)


def _protocol(found: Found, name: str) -> Protocol:
    metric = found.metrics[name]
    rows = found.measurements[found.measurements["metric"] == name]
    whole = rows[rows["subject"].isin(found.table.index)]
    rows = rows if whole.empty else whole  # stages only where whole networks were not measured
    modes = [mode.replace("x", "×") for mode in dict.fromkeys(rows["mode"]) if mode]
    main = main_mode(rows).get(name, "").replace("x", "×")
    modes.sort(key=lambda mode: mode != main)
    return Protocol(
        measure=title(name),
        unit=metric.unit,
        better="" if metric.better == "none" else f"{metric.better} is better",
        protocol=metric.protocol,
        spread=_spread(found, name, rows),
        modes=", ".join(modes),
        place=_place(found, rows),
    )


def _spread(found: Found, name: str, rows: pd.DataFrame) -> str:
    """What its intervals are, and how wide they are in the middle."""
    if name in found.per_seed:
        seeds = found.per_seed[name].shape[1]
        if seeds < FEWEST_SEEDS:
            return f"none: {count(seeds, 'seed')}"
        return f"{percent(0.95)} over {seeds} seeds (t)"
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
    for device in dict.fromkeys(rows["device"]):
        if not device:
            continue
        names = GPU_FACTS if str(device).startswith("cuda") else CPU_FACTS
        machine = next((found.facts[name] for name in names if name in found.facts), "")
        words.append(f"{device} ({machine})" if machine else str(device))
    backends = [backend for backend in dict.fromkeys(rows["backend"]) if backend]
    if backends:
        words.append(f"scan back end {' and '.join(backends)}")
    return ", ".join(words)


def _trial_facts(found: Found) -> tuple[tuple[str, str], ...]:
    rows = []
    seeds = sorted(found.trials["seed"].unique())
    if seeds:
        rows.append(("Seeds of the trials", ", ".join(str(seed) for seed in seeds)))
        hours = float(found.trials["seconds"].sum())
        rows.append(("Training time, all trials", _duration(hours)))
    for name, of_name in found.trial_facts.groupby("name", sort=False):
        values = list(of_name["value"].unique())
        text = ", ".join(values[:3]) if len(values) <= 3 else count(len(values), "different value")
        rows.append((_readable(str(name)), text))
    return tuple(rows)


def _readable(name: str) -> str:
    """machine.cpu -> Machine: cpu."""
    group, _, rest = name.partition(".")
    return f"{heading(group)}: {rest}" if rest else heading(group)


def _words(text: str) -> str:
    """Settings kept as a JSON object, as words: steps 400, batch 8."""
    if not text.startswith("{"):
        return text
    try:
        settings = json.loads(text)
    except ValueError:
        return text
    return ", ".join(f"{plain(name)} {_value(value)}" for name, value in settings.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return str(value)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def collect(given: Given) -> Method:
    """How it was measured."""
    return method(given.found)


def markdown(shown: Method) -> list[str]:
    """How each measure was found, and what the machine was like meanwhile."""
    lines = ["## How it was measured", ""]
    for row in shown.protocols:
        spread = f"spread: {row.spread}"
        words = (row.unit, row.better, row.protocol, spread, row.modes, row.place)
        said = "; ".join(part for part in words if part)
        lines.append(f"- {escape(row.measure)}: {escape(said)}")
    for seen in shown.conditions:
        value = f"{seen.middle} {seen.unit} ({seen.ends}, {seen.rounds} rounds)"
        said = f"{escape(value)}; {escape(seen.meaning)}"
        lines.append(f"- While timing, {escape(seen.name)}: {said}")
    facts = (*shown.facts, *shown.trials, *shown.notes)
    return lines + [f"- {escape(name)}: {escape(text)}" for name, text in facts]


SECTION = Section("method", collect, markdown)
