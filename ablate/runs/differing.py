"""What changed in a study since its run began, key by key, and what of it may change."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ablate.study.values import show

# What a run can be given anew: nothing that was measured depends on it.
MAY_CHANGE: Final = (
    "question",
    "name",
    "report",
    "search.confirm",
    "search.stop",
    "training.seeds",
    "training.timeout",
)
SHOWN: Final = 8  # changes that a message lists
ABSENT: Final = "not given"


@dataclass(frozen=True)
class Change:
    """One key of a study that has another value than it had.

    Args:
        name: training.steps, network.stage[2].block ...
        before: Its value as TOML writes it, or "not given".
        now: The same.
    """

    name: str
    before: str
    now: str

    @property
    def allowed(self) -> bool:
        """Whether a run can go on with it."""
        return any(self.name == key or self.name.startswith(f"{key}.") for key in MAY_CHANGE)

    @property
    def words(self) -> str:
        """training.steps: 4 -> 5."""
        return f"{self.name}: {self.before} -> {self.now}"


def changes(before: str, now: str) -> list[Change]:
    """What is different between two studies, in the order of their keys.

    Args:
        before: The text of one: TOML, or JSON where it was a dictionary.
        now: The text of the other.
    """
    old, new = dict(_leaves(_parsed(before))), dict(_leaves(_parsed(now)))
    names = [*old, *(name for name in new if name not in old)]
    return [
        Change(name, old.get(name, ABSENT), new.get(name, ABSENT))
        for name in names
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]


def change_words(found: list[Change]) -> str:
    """Changes as people are told: those that a run cannot take, then those that it can."""
    refused = [change.words for change in found if not change.allowed]
    allowed = [change.words for change in found if change.allowed]
    parts = [f"may not change: {_listed(refused)}"] * bool(refused)
    parts += [f"may change: {_listed(allowed)}"] * bool(allowed)
    return "; ".join(parts)


def _listed(words: list[str]) -> str:
    more = f", and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def _parsed(text: str) -> Mapping[str, Any]:
    """The tables of a study; none where the text cannot be read any more."""
    for read in (tomllib.loads, json.loads):
        try:
            found = read(text)
        except ValueError:
            continue
        if isinstance(found, Mapping):
            return found
    return {}


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every value by its place; lists of tables are counted from 1, other lists are values."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{name}[{number}]")
    else:
        yield name, show(value)
