"""Windows of work and of idleness, from one step of an energy counter to another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ablate.profiling._energy_meter import Meter
from ablate.profiling._nvml_answers import Absent
from ablate.profiling.conditions import Conditions

Call = Callable[[], object]
Work = Callable[[], int]

SECONDS: float = 1.0  # of a window, at least
STEPS: int = 20  # of the counter in a window, at least: a step more or less is 5 %
_STRETCH = 20e-3  # seconds between looks at the counter while it works
SETTLE: float = 0.2  # seconds of each state before its window: power follows work with a delay


@dataclass(frozen=True)
class Window:
    """Between two steps of the counter: seconds, joules, calls, and the machine after it."""

    seconds: float
    joules: float
    calls: int
    conditions: Conditions

    @property
    def watts(self) -> float:
        """Drawn on average."""
        return self.joules / self.seconds


@dataclass(frozen=True)
class Round:
    """The window of every call by subject, and the idle power before and after them."""

    idle: tuple[float, float]
    windows: Mapping[str, Window]

    @property
    def idle_watts(self) -> float:
        """Drawn by idling, as it was in the middle of the round."""
        return sum(self.idle) / 2


def stretch(call: Call, meter: Meter) -> Work | Absent:
    """So many calls that looking at the counter between stretches costs nothing.

    Returns:
        What runs them and says how many, or why the call cannot be run.
    """
    try:
        for _ in range(2):  # the first may compile or allocate
            begun = meter.clock()
            call()
            meter.finish()
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        return Absent(f"cannot be run: {reason}")
    calls = math.ceil(_STRETCH / max(meter.clock() - begun, 1e-6))

    def work() -> int:
        for _ in range(calls):
            call()
        meter.finish()
        return calls

    return work


def rounds(
    works: Mapping[str, Work],
    meter: Meter,
    watch: Callable[[], Conditions],
    *,
    period: float,
    repeats: int,
    seed: int,
) -> Iterator[Round]:
    """Idle, all work, idle, all work, ..., idle; in each round in an order drawn anew.

    Raises:
        Lost: The counter cannot be read any more.
    """

    def window(work: Work) -> Window:
        return _window(work, meter, watch, period)

    order = np.random.default_rng(seed)
    before = window(meter.idle).watts
    for _ in range(repeats):
        names = order.permutation(sorted(works)).tolist()
        windows = {name: window(works[name]) for name in names}
        after = window(meter.idle).watts
        yield Round((before, after), windows)
        before = after


def _window(work: Work, meter: Meter, watch: Callable[[], Conditions], period: float) -> Window:
    """Work, and from one step of the counter to another count seconds, joules and calls."""
    settled = meter.clock() + max(SETTLE, 5 * period)
    while meter.clock() < settled:
        work()
    meter.to_step(work)
    begun, before, calls = meter.clock(), meter.joules(), 0
    while meter.clock() - begun < max(SECONDS, STEPS * period):
        calls += work()
    calls += meter.to_step(work)
    ended, after = meter.clock(), meter.joules()
    return Window(ended - begun, after - before, calls, watch())
