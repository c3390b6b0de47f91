"""What a search weighs: the study's objectives, by what is known of every mix before the timing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.searches.space import Goal, Seen, Space

# What is timed or metered never steers a search: it would come to other mixes the next time, on
# another machine, or when it is gone through again after it was cut off.
IN_PLACE: Mapping[str, tuple[str, ...]] = {
    "latency": ("predicted_latency", "macs"),
    "energy": ("predicted_latency", "macs"),
}


@dataclass(frozen=True)
class Weighed:
    """What a search knows of earlier mixes, in numbers.

    Args:
        goals: What is weighed, named as the metric that it is read from.
        values: For each row its numbers, in the order of the goals; None where it has none that
            compare.
    """

    goals: tuple[Goal, ...]
    values: tuple[tuple[float, ...] | None, ...]


def weigh(space: Space, seen: Sequence[Seen], least: int = 1) -> Weighed:
    """The numbers that a search learns from.

    Only rows of one length of training compare. The longest is taken that enough mixes have had
    (Falkner et al. 2018, BOHB, section 3.2), or else the one that most have had.

    Args:
        space: The study, with its objectives.
        seen: What was tried.
        least: How many mixes are enough.
    """
    rung = _rung(seen, least)
    compared = [row.status in ("done", "partial") and row.rung == rung for row in seen]
    rows = [row for row, same in zip(seen, compared, strict=True) if same]
    goals = tuple(_known(space.goals, rows))
    values = tuple(
        tuple(row.values[goal.name] for goal in goals) if same and goals else None
        for row, same in zip(seen, compared, strict=True)
    )
    return Weighed(goals, values)


def weighed_words(space: Space, known: Sequence[str]) -> str:
    """What the search will weigh, in one line.

    Args:
        space: The study.
        known: The metrics that mixes have before the timing, beside those of their training.
    """
    parts = []
    for goal in space.goals:
        place = next((name for name in IN_PLACE.get(goal.name, ()) if name in known), "")
        parts.append(f"{place} in place of {goal.name}" if place else goal.name)
    return f"the search weighs {' and '.join(dict.fromkeys(parts))}"


def _rung(seen: Sequence[Seen], least: int) -> int:
    """The training step of the rows that are compared, 0 for whole trainings."""
    count = Counter(row.rung for row in seen if row.status in ("done", "partial"))
    longest = sorted(count, key=lambda rung: -rung if rung else -math.inf)
    enough = [rung for rung in longest if count[rung] >= least]
    return enough[0] if enough else max(longest, key=lambda rung: count[rung], default=0)


def _known(goals: Sequence[Goal], rows: Sequence[Seen]) -> list[Goal]:
    """The objectives that every one of the rows has a finite number for, each metric once."""
    found: dict[str, Goal] = {}
    for goal in goals:
        for name in IN_PLACE.get(goal.name, (goal.name,)):
            if rows and all(math.isfinite(row.values.get(name, math.nan)) for row in rows):
                found.setdefault(name, Goal(name, goal.better))
                break
    return list(found.values())
