"""What changed in a study since its run began, key by key, and what of it may change."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ablate.searches import strategies
from ablate.study import Study
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
# Unless what is tried next depends on what was found: these decide what was found to be good, and
# a search that is gone through again would come to other mixes than it has tried.
STEERING: Final = ("training.seeds", "report.objectives")
SHOWN: Final = 8  # changes that a message lists
ABSENT: Final = "not given"


@dataclass(frozen=True)
class Change:
    """One key of a study that has another value than it had.

    Args:
        name: training.steps, network.stage[2].block ...
        before: Its value as TOML writes it, or "not given".
        now: The same.
        steers: Whether it decides what the search of this study tries next.
    """

    name: str
    before: str
    now: str
    steers: bool = False

    @property
    def allowed(self) -> bool:
        """Whether a run can go on with it."""
        if self.steers:
            return False
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
    study = _parsed(before)
    old, new = dict(_leaves(study)), dict(_leaves(_parsed(now)))
    steering = STEERING if _text_learns(study) else ()
    names = [*old, *(name for name in new if name not in old)]
    return [
        Change(name, old.get(name, ABSENT), new.get(name, ABSENT), name in steering)
        for name in names
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]


def steering_changes(facts: Mapping[str, str], study: Study) -> list[Change]:
    """What is different of all that steers a search; nothing for one that learns of nothing.

    Args:
        facts: Of the run.
        study: That it is to go on with.
    """
    if not _learns(study.search.name, study.schedule.rungs):
        return []
    seeds, objectives = STEERING
    weighed = list(study.report.objectives)
    return [
        Change(name, show(before), show(now), steers=True)
        for name, before, now in (
            (seeds, int(facts.get("seeds", study.seeds)), study.seeds),
            (objectives, json.loads(facts.get("objectives", json.dumps(weighed))), weighed),
        )
        if before != now
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


def _learns(strategy: str, rungs: object) -> bool:
    """Whether what a search tries next, and how far, depends on what it has found."""
    known = strategies[strategy].facts if strategy in strategies else {}
    return bool(known.get("adaptive") or rungs)


def _text_learns(study: Mapping[str, Any]) -> bool:
    search = study.get("search", {})
    return _learns(str(search.get("strategy", "")), search.get("rungs"))


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
