"""Several calls timed in the same rounds, so that a busy machine disturbs their ratios little."""

from __future__ import annotations

import gc
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ablate.profiling.timing import Call, Timed, Timer, calls_in_a_visit, warm_up

Array = NDArray[np.float64]
Name = TypeVar("Name", bound=Hashable)

FEWEST = 5  # rounds, however long they take, unless fewer are asked for
LONG = 0.1  # seconds of a call, from which on the caches it finds matter no more
SLOW = 0.5  # seconds of a call, from which on it takes part in the first rounds only
FEW = 3  # of these rounds
DRAWS = 4000  # of the bootstrap


@dataclass(frozen=True)
class Ratio:
    """A median over rounds, and the 95 % interval of it that resampled rounds give."""

    median: float
    low: float
    high: float


def time_calls(
    calls: Mapping[Name, Call], timer: Timer, *, most: int, seconds: float, seed: int
) -> dict[Name, Array]:
    """Seconds of each call in each round; the order within a round is drawn anew.

    CPU seconds where they stand for the work, which is with one thread. Slow calls have fewer
    rounds than others, the first ones.

    Args:
        calls: By name.
        timer: What times them.
        most: Rounds.
        seconds: After which no further rounds are begun, once there are `FEWEST`.
        seed: Fixes the orders.
    """
    lengths = {name: _warmed(timer, call) for name, call in calls.items()}
    counts = {name: calls_in_a_visit(timer, length) for name, length in lengths.items()}
    quick = [name for name, length in lengths.items() if length < SLOW]
    visit = sum(lengths[name] * (counts[name] + _untimed(timer, lengths[name])) for name in quick)
    rounds = min(most, max(FEWEST, math.floor(seconds / max(visit, 1e-9))))
    order, found = np.random.default_rng(seed), {name: list[float]() for name in calls}
    gc.collect()
    for number in range(rounds):
        names = list(calls) if number < FEW else quick
        for name in (names[at] for at in order.permutation(len(names))):
            for _ in range(_untimed(timer, lengths[name])):
                calls[name]()
            found[name].append(_seconds(timer.time(calls[name], counts[name])))
    return {name: np.array(values) for name, values in found.items()}


def ratio(others: Array, ours: Array) -> Ratio:
    """How many times as long others take as ours, in each round that both had part in."""
    rounds = min(len(others), len(ours))
    quotients = others[:rounds] / ours[:rounds]
    draws = np.random.default_rng(0).choice(quotients, (DRAWS, len(quotients)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return Ratio(float(np.median(quotients)), float(low), float(high))


def _warmed(timer: Timer, call: Call) -> float:
    """Seconds of a call once it is warm, which a slow one is after its first."""
    first = timer.time(call, 1).seconds
    return first if first > SLOW else warm_up(timer, call, most=8)


def _untimed(timer: Timer, length: float) -> int:
    """Calls before the timed ones: others have just had the caches."""
    return timer.untimed if length < LONG else 0


def _seconds(timed: Timed) -> float:
    return timed.seconds if math.isnan(timed.cpu_seconds) else timed.cpu_seconds
