"""How a search spends training steps and seeds, and what it is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ablate.mix import Choice
from ablate.searches.space import Goal, Seen
from ablate.searches.stopping import Stop

WHOLE = 0  # the rung of a training that came to its end


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where trainings rest to be compared, and who is trained again in the end.

    Args:
        rungs: Training steps, ascending, at which every mix rests and is compared with the others;
            one that another beats with confidence goes no further.
        keep: The part of the mixes at a rung that goes on at least, the best by Pareto rank.
        confirm: Seeds that the mixes on the front are trained with in the end; 0 for no more than
            the others.
    """

    rungs: tuple[int, ...] = ()
    keep: float = 0.5
    confirm: int = 0

    def after(self, rung: int) -> int:
        """The rung after one of them; 0, the end of the training, after the last."""
        at = self.rungs.index(rung) + 1
        return self.rungs[at] if at < len(self.rungs) else WHOLE

    @property
    def first(self) -> int:
        """Where a new mix rests first; 0 where it is trained to its end at once."""
        return self.rungs[0] if self.rungs else WHOLE


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """Everything that decides what a search proposes, beside what it has seen.

    Args:
        search: The strategy and its knobs.
        goals: The objectives.
        seeds: Trials of each mix.
        by_seed: Names of those goals that are measured by trial, so that seeds differ in them; the
            others belong to the mix.
        schedule: Rungs and confirmation.
        stop: When to propose no more.
    """

    search: Choice
    goals: tuple[Goal, ...]
    seeds: int
    by_seed: frozenset[str] = frozenset({"psnr", "ssim"})
    schedule: Schedule = field(default_factory=Schedule)
    stop: Stop = field(default_factory=Stop)


def furthest(seen: Sequence[Seen]) -> list[Seen]:
    """For each mix the row of its longest training, the last of several; as first seen in order."""
    found: dict[str, Seen] = {}
    for row in seen:
        known = found.get(row.key)
        if known is None or _progress(row) >= _progress(known):
            found[row.key] = row
    return list(found.values())


def _progress(row: Seen) -> float:
    return row.rung or float("inf")
