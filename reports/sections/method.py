"""How it was measured: protocols, machine, versions and everything else a number depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from reports.found import Found
from reports.results import main_mode
from reports.units import count, heading, plain, title

OWN = ("study_name", "study_text", "question", "objectives")


@dataclass(frozen=True)
class Method:
    """What stands under the numbers.

    Args:
        protocols: Metric, unit, direction, protocol and what it was measured on.
        facts: Facts of the run: versions, machine, commit.
        trials: Facts of the trials, each with the values that occurred.
        notes: Remarks, by topic.
        study: The study file.
    """

    protocols: tuple[tuple[str, str, str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    trials: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    study: str


def method(found: Found) -> Method:
    """Everything the record says about how."""
    known = found.facts.items()
    measured = {*found.measurements["metric"], *found.per_seed}
    return Method(
        protocols=tuple(_protocol(found, name) for name in found.metrics if name in measured),
        facts=tuple(
            (_readable(name), _words(text)) for name, text in known if name not in OWN and text
        ),
        trials=_trial_facts(found),
        notes=tuple(
            (heading(topic), text)
            for topic, text in found.notes[["topic", "text"]].drop_duplicates().to_numpy().tolist()
        ),
        study=found.facts.get("study_text", ""),
    )


def _protocol(found: Found, name: str) -> tuple[str, str, str, str, str]:
    metric = found.metrics[name]
    rows = found.measurements[found.measurements["metric"] == name]
    sizes = [mode.replace("x", "×") for mode in dict.fromkeys(rows["mode"]) if mode]
    main = main_mode(rows).get(name, "").replace("x", "×")
    sizes.sort(key=lambda size: size != main)
    where = [", ".join(sizes)] if sizes else []
    for column in ("device", "backend"):
        where += [" and ".join(value for value in dict.fromkeys(rows[column]) if value)]
    better = "" if metric.better == "none" else f"{metric.better} is better"
    placed = ", ".join(part for part in where if part)
    return title(name), metric.unit, better, metric.protocol, placed


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
