"""What the mixes of a run have in common in how they are trained, and where they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reports.numbers.found import Found
from reports.numbers.units import count, plain
from reports.record import Reading

MOST = 4  # values that are listed one by one
Choice = Mapping[str, object]
Several = Mapping[str, tuple[object, ...]]


@dataclass(frozen=True)
class Settings:
    """The different settings among the mixes of a run.

    Args:
        data: Where images come from: choices, each with name and knobs.
        degradations: What is done to them.
        topologies: How stages are joined.
        training: For each setting of the training the values that occur.
    """

    data: tuple[Choice, ...] = ()
    degradations: tuple[Choice, ...] = ()
    topologies: tuple[Choice, ...] = ()
    training: Several = field(default_factory=dict)

    def value(self, name: str) -> object:
        """A setting of the training that all mixes share; None where they do not, or unknown."""
        values = self.training.get(name, ())
        return values[0] if len(values) == 1 else None

    def said(self, name: str) -> str:
        """The values of a setting in words: 400; 100 or 400; "" if unknown."""
        return either(words(value) for value in self.training.get(name, ()))


def settings_of(path: Path) -> Settings:
    """Read them from a record.

    Raises:
        RecordError: It cannot be read.
    """
    with Reading.open(path) as record:
        rows, facts = record.settings(), record.facts()
    tasks, trainings, topologies = (dict.fromkeys(row[at] for row in rows) for at in range(3))
    told = [_read(text) for text in tasks if text]
    known = [_read(text) for text in trainings if text]
    known = known or [_read(facts[name]) for name in ("training",) if name in facts]
    return Settings(
        data=_different(task.get("data") for task in told),
        degradations=_different(task.get("degradation") for task in told),
        topologies=_different(_read(text) for text in topologies if text),
        training=_values(known),
    )


def block_names(found: Found) -> tuple[str, ...]:
    """The blocks of all stages, as they are registered, in the order in which they are met."""
    texts = found.stages.loc[found.stages["depth"] > 0, "blocks"].unique()
    names = (re.match(r"[\w.-]+", part) for text in texts for part in str(text).split(" + "))
    return tuple(dict.fromkeys(name[0] for name in names if name and name[0] != "empty"))


def choice_words(choice: Choice) -> str:
    """A choice with its knobs: gaussian noise (sigma 25)."""
    knobs = knobs_of(choice)
    inside = ", ".join(f"{plain(name)} {words(value)}" for name, value in knobs.items())
    name = plain(str(choice.get("name", "")))
    return f"{name} ({inside})" if inside else name


def knobs_of(choice: Choice) -> dict[str, object]:
    """The knobs of a choice; those that say nothing are left out."""
    knobs = choice.get("knobs")
    listed = knobs if isinstance(knobs, list) else []
    pairs = [pair for pair in listed if isinstance(pair, list) and len(pair) == 2]
    return {str(name): value for name, value in pairs if value not in (None, "", [])}


def names_within(choice: Choice) -> tuple[str, ...]:
    """The name of a choice, and of those in its knobs: of a mixture, what it is of."""
    found = [str(choice.get("name", ""))]
    for value in knobs_of(choice).values():
        several = value if isinstance(value, list) else [value]
        found += [name for each in several if isinstance(each, dict) for name in names_within(each)]
    return tuple(dict.fromkeys(found))


def words(value: object) -> str:
    """A value of a setting in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return choice_words(value)
    if isinstance(value, list):
        return "[" + ", ".join(words(each) for each in value) + "]"
    return str(value)


def either(texts: Iterable[str], thing: str = "different value") -> str:
    """Texts joined by commas and or; how many there are, where there are many."""
    listed = list(dict.fromkeys(texts))
    if len(listed) > 2 * MOST:
        return count(len(listed), thing)
    return " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def _read(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _different(choices: Iterable[object]) -> tuple[Choice, ...]:
    known = {json.dumps(each, sort_keys=True): each for each in choices if isinstance(each, dict)}
    return tuple(known.values())


def _values(settings: Iterable[Mapping[str, object]]) -> Several:
    found: dict[str, dict[str, object]] = {}
    for each in settings:
        for name, value in each.items():
            found.setdefault(name, {})[json.dumps(value)] = value
    return {name: tuple(values.values()) for name, values in found.items()}
