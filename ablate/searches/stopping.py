"""When a search proposes no more: a budget is spent, or nothing gets better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.searches.space import Goal, Seen
from reports.analysis.statistics import Numbers
from reports.analysis.volume import hypervolume

GROWN = 1e-3  # relative: a hypervolume that grows by less has not changed
BEYOND = 0.1  # of each goal's range, from its worst value to the corner that volumes are taken from
FEWEST = 8  # mixes of a batch that is cut up, so that there is something to look at


@dataclass(frozen=True, kw_only=True)
class Stop:
    """When a search ends before its strategy is through; what was found is confirmed and timed.

    Args:
        trials: Trials to begin at most, however far they are trained; 0 for any number.
        hours: Hours of wall-clock time, over all continuations of the run; 0 for any.
        device_hours: Hours of training, summed over all trials; 0 for any.
        flat: End when the hypervolume of the objectives has not grown in so many trials; 0 never.
    """

    trials: int = 0
    hours: float = 0.0
    device_hours: float = 0.0
    flat: int = 0

    @property
    def looks(self) -> bool:
        """Whether a batch must be cut into small ones, so that there is something to look at."""
        return bool(self.hours or self.device_hours or self.flat)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a search has taken so far.

    Args:
        hours: Of wall-clock time.
        device_hours: Of training, summed over trials.
    """

    hours: float = 0.0
    device_hours: float = 0.0


def time_is_up(stop: Stop, spent: Spent) -> str:
    """Which budget of time is spent, in words; empty where none is."""
    for given, used, what in (
        (stop.hours, spent.hours, "hours"),
        (stop.device_hours, spent.device_hours, "device hours"),
    ):
        if given and used >= given:
            return f"{used:.3g} of {given:g} {what} are spent"
    return ""


def why_to_stop(
    seen: Sequence[Seen], stop: Stop, spent: Spent, goals: Sequence[Goal], seeds: int
) -> str:
    """Why to propose nothing new, in words; empty where nothing says so.

    Args:
        seen: A row for every mix and rung.
        stop: The rules.
        spent: Time so far.
        goals: The objectives.
        seeds: Trials of each mix, at least.
    """
    if reason := time_is_up(stop, spent):
        return reason
    begun = trials_begun(seen, seeds)
    if stop.trials and begun + max(seeds, 1) > stop.trials:
        return f"{begun} of {stop.trials} trials were begun"
    if stop.flat and is_flat(seen, stop.flat, goals, seeds):
        return f"the hypervolume has not grown in the last {stop.flat} trials"
    return ""


def most_at_once(stop: Stop, seeds: int) -> int | None:
    """Mixes of a batch, where rules are looked at between batches; None for all of them.

    Args:
        stop: The rules.
        seeds: Trials of each mix.
    """
    if not stop.looks:
        return None
    return max(FEWEST, math.ceil(stop.flat / max(seeds, 1)))


def trials_begun(seen: Sequence[Seen], seeds: int) -> int:
    """How many trials the rows stand for: a trial that rested and went on is one."""
    return sum(_trials(seen, seeds).values())


def is_flat(seen: Sequence[Seen], trials: int, goals: Sequence[Goal], seeds: int) -> bool:
    """Whether the latest trials left the hypervolume of all objectives as it was.

    Volumes are taken from one corner: a tenth of each objective's range beyond the worst value of
    all whole trainings. A mix that was left at a rung adds nothing. While no earlier mix was
    trained to its end nothing is flat.

    Args:
        seen: A row for every mix and rung, in the order in which mixes were proposed.
        trials: How many of the latest.
        goals: The objectives.
        seeds: Trials of each mix, at least.
    """
    begun, latest = _trials(seen, seeds), set[str]()
    for key in reversed(begun):
        if sum(begun[other] for other in latest) >= trials:
            break
        latest.add(key)
    whole = {row.key: row for row in seen if row.status == "done" and not row.rung}
    points = _points(list(whole.values()), goals)
    known = ~np.isnan(points).any(axis=1)
    earlier = np.array([key not in latest for key in whole], dtype=bool) & known
    if not earlier.any() or sum(begun[key] for key in latest) < trials:
        return False
    before, now = (_volume(points[some], points[known], goals) for some in (earlier, known))
    return now <= before * (1.0 + GROWN)


def _trials(seen: Sequence[Seen], seeds: int) -> dict[str, int]:
    """Trials of each mix, in the order in which they were first seen."""
    found: dict[str, int] = {}
    for row in seen:
        found[row.key] = max(found.get(row.key, max(seeds, 1)), row.trials)
    return found


def _points(rows: Sequence[Seen], goals: Sequence[Goal]) -> Numbers:
    values = [[row.values.get(goal.name, math.nan) for goal in goals] for row in rows]
    return np.array(values, dtype=float).reshape(len(rows), len(goals))


def _volume(points: Numbers, every: Numbers, goals: Sequence[Goal]) -> float:
    """Hypervolume of some points, in units of the ranges of all."""
    signs = np.array([-1.0 if goal.better == "higher" else 1.0 for goal in goals])
    costs, all_costs = points * signs, every * signs
    best, worst = all_costs.min(axis=0), all_costs.max(axis=0)
    ranges = np.where(worst > best, worst - best, 1.0)
    scaled = (costs - best) / ranges
    corner = (worst - best) / ranges + BEYOND
    return hypervolume(scaled, ["lower"] * len(goals), list(corner))
