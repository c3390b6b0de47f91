"""How it was measured: protocols, machine, versions and everything else a number depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from reports.graphics.escaping import escape_markdown as escape
from reports.methods.details import Paragraph, details, in_markdown
from reports.methods.settings import settings_of
from reports.numbers.found import Found
from reports.numbers.predicted import PREDICTED, predictions
from reports.numbers.protocols import Condition, Protocol, conditions, protocols
from reports.numbers.stages import ROOFLINE
from reports.numbers.units import count, heading, plain, title
from reports.sections.section import Given, Section

# Shown elsewhere, or long.
OWN = ("study_name", "study_text", "question", "objectives", "sources", "fidelity")


@dataclass(frozen=True)
class Method:
    """What stands under the numbers.

    Args:
        details: All of it in words, ready for a paper.
        protocols: How each measure was found.
        conditions: What the machine was like meanwhile.
        facts: Facts of the run: versions, machine, commit.
        trials: Facts of the trials, each with the values that occurred.
        notes: Remarks, by topic.
        study: The study file.
    """

    details: tuple[Paragraph, ...]
    protocols: tuple[Protocol, ...]
    conditions: tuple[Condition, ...]
    facts: tuple[tuple[str, str], ...]
    trials: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    study: str


def method(found: Found) -> Method:
    """Everything the record says about how."""
    known = found.facts.items()
    notes = found.notes[found.notes["topic"] != ROOFLINE]  # these stand beside their stages
    return Method(
        details=details(found, settings_of(found.path)),
        protocols=protocols(found),
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


def _trial_facts(found: Found) -> tuple[tuple[str, str], ...]:
    rows = []
    seeds = sorted(found.trials["seed"].unique())
    if seeds:
        rows.append(("Seeds of the trials", ", ".join(str(seed) for seed in seeds)))
        hours = float(found.trials["seconds"].sum())
        rows.append(("Training time, all trials", _duration(hours)))
    for name, of_name in found.trial_facts.groupby("name", sort=False, observed=True):
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
    """All of it in words; then how each measure was found, and the machine meanwhile."""
    lines = ["## How it was measured", ""]
    for line in in_markdown(shown.details):
        lines += [line, ""]
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
