"""What rungs, confirmation and the rules for stopping mean for a study, before it is run."""

from __future__ import annotations

import math

from ablate.searches.rungs import REPLICATED, REPLICATES
from ablate.searches.schedule import WHOLE, Schedule
from ablate.searches.stopping import Stop, most_at_once


def schedule_words(
    schedule: Schedule, stop: Stop, mixes: int, seeds: int, steps: int
) -> tuple[str, ...]:
    """Where mixes rest, who is confirmed and when the search ends, a line each.

    Args:
        schedule: Rungs and confirmation.
        stop: When to propose no more.
        mixes: How many are tried, at most.
        seeds: Trials of each mix.
        steps: Of a whole training.
    """
    lines = _rung_words(schedule, mixes, seeds, steps)
    ends = _stop_words(stop, most_at_once(stop, seeds))
    return (*lines, *([ends] if ends else []))


def within_budget(stop: Stop, mixes: int, seeds: int) -> int:
    """How many of the mixes the budget of trials has room for."""
    return min(mixes, stop.trials // seeds) if stop.trials else mixes


def least_steps(schedule: Schedule, steps: int) -> float:
    """The part of all training steps that is done where only `keep` goes on from each rung."""
    ends = [*(rung for rung in schedule.rungs if rung < steps), steps]
    done, share, before = 0.0, 1.0, 0
    for end in ends:
        done += share * (end - before)
        share, before = share * schedule.keep, end
    return done / steps


def _rung_words(schedule: Schedule, mixes: int, seeds: int, steps: int) -> list[str]:
    """What rungs and confirmation mean for so many mixes, a line each."""
    lines = []
    if schedule.rungs:
        left, parts = float(mixes), []
        for rung in schedule.rungs:
            left *= schedule.keep
            after = schedule.after(rung)
            goal = f"step {after}" if after != WHOLE else f"the end (step {steps})"
            parts.append(f"at least {max(math.ceil(left - 1e-9), 1)} go on to {goal}")
        share = 100 * least_steps(schedule, steps)
        lines.append(
            f"rungs: all {mixes} mixes rest at step {schedule.first}, {', '.join(parts)}: "
            f"{share:.0f} % of the training steps, and more where mixes cannot be told apart"
        )
        if seeds == 1:
            lines.append(
                f"the first {min(REPLICATED, mixes)} mixes have {REPLICATES} seeds at step "
                f"{schedule.first}, to learn how far seeds scatter"
            )
    if schedule.confirm > seeds:
        lines.append(
            f"confirm: mixes on the front get {schedule.confirm} seeds in the end, "
            f"{schedule.confirm - seeds} more each; that comes on top"
        )
    return lines


def _stop_words(stop: Stop, batch: int | None) -> str:
    """The rules in one line; empty without any.

    Args:
        stop: The rules.
        batch: Mixes of a batch at most, after which they are looked at.
    """
    rules = [
        f"{stop.trials} trials" * bool(stop.trials),
        f"{stop.hours:g} h" * bool(stop.hours),
        f"{stop.device_hours:g} h of training" * bool(stop.device_hours),
        f"{stop.flat} trials without a larger hypervolume" * bool(stop.flat),
    ]
    named = " or ".join(rule for rule in rules if rule)
    if not named:
        return ""
    looks = f"; looked at after every {batch} mixes at most" if batch else ""
    return f"stop: after {named}{looks}"
