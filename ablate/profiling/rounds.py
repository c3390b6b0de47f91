"""Interleaved rounds: in each, everything is timed once, in an order drawn anew.

Whatever slows the machine down then slows all of them alike, and drops out of their ratios.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, TypeVar

import numpy as np
import torch

from ablate.profile import Profile
from ablate.profiling.conditions import disturbed, usual
from ablate.profiling.levelling import speed_probe
from ablate.profiling.samples import LatencySample, settled
from ablate.profiling.timing import Call, CpuTimer, Timed, Timer, calls_in_a_visit, warm_up

LEAST_ROUNDS: Final = 10  # before an interval is believed
LOOK_EVERY: Final = 5  # rounds; two looks in a row must agree
LEAST_IN_BUDGET: Final = 3  # rounds, however small the budget

Watch = Callable[[], Mapping[str, float]]
Ended = Literal["rounds", "interval", "budget"]
Done = TypeVar("Done")


class LatencyError(ValueError):
    """A network cannot be timed; the message names it and says why."""


@dataclass(frozen=True, kw_only=True)
class RoundConditions:
    """The state of the machine during one round.

    Args:
        process: Number of the process in the sitting.
        round: Number of the round in the process.
        values: What could be read, by name (`ablate.profiling.conditions.MEANINGS`).
        reasons: Why the round is not to be trusted, in words; empty where it is.
    """

    process: int
    round: int
    values: Mapping[str, float]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """What one process measured.

    Args:
        samples: Every subject in every round.
        conditions: One per round; none where nobody watched.
        ended: Why no more rounds were done: all were, the intervals were narrow enough, or the
            budget was spent.
    """

    samples: tuple[LatencySample, ...]
    conditions: tuple[RoundConditions, ...] = ()
    ended: Ended = "rounds"


def run_rounds(
    calls: Mapping[str, Call],
    *,
    profile: Profile,
    process: int,
    seed: int,
    timer: Timer,
    report: Callable[[int, int], None] = lambda done, rounds: None,
    where: str = "",
    watch: Watch | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Rounds:
    """Time anything that can be called, side by side: in each round every call, in random order.

    Args:
        calls: What is timed, by subject; run without gradients.
        profile: Rounds, threads, and when to stop before all rounds are done.
        process: Number of this process in the sitting, from 0.
        seed: Fixes the order of the rounds, together with `process`.
        timer: What times the calls.
        report: Told after each round how many rounds of how many are done.
        where: On what, for the message when a call fails.
        watch: Says what state the machine is in; asked after each round, outside what is timed.
        clock: Seconds, for the budget.

    Raises:
        LatencyError: A call raises; the message names it.
    """
    order = np.random.default_rng((seed, process))
    probe = speed_probe() if isinstance(timer, CpuTimer) else None
    names = sorted(calls)
    visits: list[dict[str, Timed]] = []
    seen: list[Mapping[str, float]] = []
    ended: Ended = "rounds"
    with undisturbed(profile.threads), torch.inference_mode():
        visit = _visitor(calls, timer, probe, where)
        began = clock()
        while len(visits) < profile.rounds:
            turn = order.permutation(names).tolist()
            visits.append({subject: visit(subject) for subject in turn})
            if watch:
                seen.append(dict(watch()))
            report(len(visits), profile.rounds)
            if len(visits) < profile.rounds and (why := _enough(visits, profile, clock() - began)):
                ended = why
                break
    conditions = _judged(seen, process)
    spoilt = {row.round for row in conditions if row.reasons}
    return Rounds(samples=_samples(visits, process, spoilt), conditions=conditions, ended=ended)


def time_calls(
    calls: Mapping[str, Call],
    *,
    profile: Profile,
    process: int,
    seed: int,
    timer: Timer,
    report: Callable[[int, int], None] = lambda done, rounds: None,
    where: str = "",
    watch: Watch | None = None,
) -> list[LatencySample]:
    """The samples of `run_rounds`, which see.

    Raises:
        LatencyError: A call raises; the message names it.
    """
    done = run_rounds(
        calls,
        profile=profile,
        process=process,
        seed=seed,
        timer=timer,
        report=report,
        where=where,
        watch=watch,
    )
    return list(done.samples)


def _enough(
    visits: Sequence[Mapping[str, Timed]], profile: Profile, seconds: float
) -> Ended | None:
    """Why no more rounds are needed, or allowed; None where they go on."""
    count = len(visits)
    allowed = profile.budget / profile.processes
    if profile.budget and seconds >= allowed and count >= LEAST_IN_BUDGET:
        return "budget"
    if profile.interval and count >= LEAST_ROUNDS and count % LOOK_EVERY == 0:
        names = sorted(visits[0])
        table = np.array([[visit[name].seconds for name in names] for visit in visits])
        earlier = table[:-LOOK_EVERY]  # narrow by chance once is not enough
        if names and settled(table, profile.interval) and settled(earlier, profile.interval):
            return "interval"
    return None


def _judged(seen: Sequence[Mapping[str, float]], process: int) -> tuple[RoundConditions, ...]:
    """The conditions of each round, held against what was usual in this process."""
    normal = usual(seen)
    return tuple(
        RoundConditions(
            process=process, round=number, values=values, reasons=disturbed(values, normal)
        )
        for number, values in enumerate(seen)
    )


def _samples(
    visits: Sequence[Mapping[str, Timed]], process: int, spoilt: set[int]
) -> tuple[LatencySample, ...]:
    """Every visit, in the order in which it was done."""
    samples = (
        LatencySample(subject=subject, process=process, round=number, **vars(timed))
        for number, visit in enumerate(visits)
        for subject, timed in visit.items()
    )
    return tuple(replace(s, flagged=True) if s.round in spoilt else s for s in samples)


def _visitor(
    calls: Mapping[str, Call], timer: Timer, probe: Callable[[], float] | None, where: str
) -> Callable[[str], Timed]:
    """What times one of the calls, by its subject; all are warm."""
    counts = {subject: _count(subject, timer, call, where) for subject, call in calls.items()}

    def visit(subject: str) -> Timed:
        once = partial(_visit, timer, calls[subject], counts[subject], probe)
        return _named(subject, where, once)

    return visit


def _visit(timer: Timer, call: Call, count: int, probe: Callable[[], float] | None) -> Timed:
    """Untimed calls first: another network has just had the caches."""
    before = probe() if probe else math.nan
    for _ in range(timer.untimed):
        call()
    timed = timer.time(call, count)
    return replace(timed, beside=(before + probe()) / 2) if probe else timed


def _count(subject: str, timer: Timer, call: Call, where: str) -> int:
    """Warm a network up and settle how many of its calls make a timed stretch."""
    return calls_in_a_visit(timer, _named(subject, where, partial(warm_up, timer, call)))


def _named(subject: str, where: str, do: Callable[[], Done]) -> Done:
    """What a network is asked to do; what goes wrong carries its name."""
    try:
        return do()
    except Exception as error:
        raise LatencyError(f"'{subject}' cannot be timed{where}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """What an error says first."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def undisturbed(threads: int) -> Iterator[None]:
    """So many threads, and no garbage collection in the middle of a call."""
    before, collecting = torch.get_num_threads(), gc.isenabled()
    gc.collect()
    gc.disable()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if collecting:
            gc.enable()
