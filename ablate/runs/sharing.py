"""A fixed share of a study's trials, for one of several hosts that know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ablate.folder import RunError
from ablate.searches import strategies
from ablate.study import Study


class Keyed(Protocol):
    """A trial, as far as it matters whose it is."""

    @property
    def row(self) -> str:
        """Its key in the record."""


SomeTrial = TypeVar("SomeTrial", bound=Keyed)


@dataclass(frozen=True)
class Share:
    """One of several shares of equal size, to a trial.

    Args:
        number: Which, from 1.
        of: How many there are.
    """

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Share:
        """The share that is written as 2/8.

        Raises:
            RunError: That is no share.
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise RunError(f"--shard: expected i/n with i from 1 to n, such as 2/8; got '{text}'")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def suffix(self) -> str:
        """What the name of its run ends with."""
        return f"shard-{self.number}-of-{self.of}"

    def part(self, trials: Sequence[SomeTrial]) -> list[SomeTrial]:
        """Those of a batch that belong to this share, in their order.

        Trials are dealt out in the order of their keys, which are as good as random: shares differ
        by one trial at most, and costly mixes are spread over them.
        """
        dealt = sorted({trial.row for trial in trials})[self.number - 1 :: self.of]
        mine = set(dealt)
        return [trial for trial in trials if trial.row in mine]


def require_shareable(study: Study) -> None:
    """See that what a study trains does not depend on what came of it, so that shares are fixed.

    Raises:
        RunError: It does; the message says how.
    """
    if reason := _unsteady(study):
        raise RunError(
            f"--shard: {reason}, and a share knows only its own trials; "
            f"run it whole (ablate run --engine ray), or choose a design: {_listed(_designs())}"
        )


def _unsteady(study: Study) -> str:
    """Why a study's trials depend on what came of others; empty where they do not."""
    name = study.search.name
    if name in strategies and strategies[name].facts.get("adaptive"):
        return f"the search {name} proposes by what it has seen"
    if study.schedule.rungs:
        return "[search] rungs compares all mixes at each rung"
    if study.schedule.confirm:
        return "[search] confirm needs the front of all mixes"
    return "[search.stop] looks at all trials" if study.stop.looks else ""


def _designs() -> list[str]:
    return [name for name in strategies if not strategies[name].facts.get("adaptive")]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
