"""Whether the clocks that time networks can be trusted: work of known length, timed by them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from statistics import median, quantiles

import torch

from ablate.profiling._known_work import Kernel, kernel_for
from ablate.profiling._nvml_answers import Absent, attempt
from ablate.profiling.timing import Timed, Timer, timer_for

__all__ = ["Kernel", "SelfTest", "kernel_for", "self_test", "words"]

_REPEATS = 20
_DOUBLING_TOLERANCE = 0.05
_HOST_TOLERANCE = 0.05  # the host also waits for the launch and the end
_SPREAD_TOLERANCE = 0.05  # of the upper decile over the least
_FLAGGED_TOLERANCE = 0.2  # share of the repeats


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What became of timing work of known length.

    The clock is judged by the least of the repeats, which nothing disturbed; the others show how
    quiet the machine is.

    Args:
        device: What did the work.
        work: The work in words.
        expected: Its length in seconds, or why it is not known.
        least: Its length as timed, in seconds: the least of the repeats.
        median: Their median.
        high: Their upper decile.
        doubled: How many times longer twice the work took, by the least of each.
        host: Its length by the host's clock, with waiting for it, in seconds: the least.
        step: The smallest step that the host's clock makes, in seconds; none if it made none.
        problems: Why the clock is not to be trusted; empty where it is, and where a machine that
            is not quiet may be the reason.
        disturbances: Why what is timed now will spread, and what may come of that; empty where
            the machine is quiet.
    """

    device: str
    work: str
    expected: float | Absent
    least: float
    median: float
    high: float
    doubled: float
    host: float
    step: float | None
    problems: tuple[str, ...]
    disturbances: tuple[str, ...]


@dataclass(frozen=True)
class _Repeats:
    """Seconds of the known work by the timer and by the host, of work once and twice."""

    known: list[Timed] = field(default_factory=list)
    host: list[float] = field(default_factory=list)
    once: list[float] = field(default_factory=list)
    twice: list[float] = field(default_factory=list)


def self_test(
    device: torch.device,
    *,
    kernel: Kernel | None = None,
    timer: Timer | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> SelfTest | Absent:
    """Time work of known length, and twice the work, as networks are timed; half a second or so.

    Args:
        device: What does the work.
        kernel: The work; none for what suits the device.
        timer: What times it; none for what times networks there.
        clock: The host's clock, in seconds.

    Returns:
        What was found, or why the work could not be done.
    """
    if kernel is None and device.type == "cuda" and not torch.cuda.is_available():
        return Absent("PyTorch sees no CUDA device")

    def test() -> SelfTest:
        return _test(device, kernel or kernel_for(device), timer or timer_for(device, 1), clock)

    return attempt(test)


def words(found: SelfTest) -> str:
    """The test in a sentence: the verdict first."""
    unquiet = f"the machine is not quiet ({'; '.join(found.disturbances)})" * bool(
        found.disturbances
    )
    verdict = "; ".join(filter(None, (*found.problems, unquiet))) or "good"
    known = found.expected
    length = (
        f", of unknown length ({known.reason}), "
        if isinstance(known, Absent)
        else (f" of {known * 1e3:.2f} ms ")
    )
    step = "made no step" if found.step is None else f"steps by {found.step * 1e9:.0f} ns"
    return (
        f"{verdict}: {found.work}{length}was timed as {found.least * 1e3:.2f} ms "
        f"(median {found.median * 1e3:.2f} ms of {_REPEATS} repeats; {found.host * 1e3:.2f} ms by "
        f"the host's clock, which {step}); twice the work took {found.doubled:.2f} times as long"
    )


def _test(
    device: torch.device, kernel: Kernel, timer: Timer, clock: Callable[[], float]
) -> SelfTest:
    seen = _repeat(kernel, timer, clock)
    seconds = [timed.seconds for timed in seen.known]
    by_clock = {"the timer": (*seconds, *seen.once), "the host's clock": seen.host}
    for clock_name, taken in by_clock.items():
        if still := sum(not each for each in taken):
            raise ValueError(
                f"{clock_name} stands still: {still} of {len(taken)} timings took 0 s by it"
            )
    least, host, doubled = min(seconds), min(seen.host), min(seen.twice) / min(seen.once)
    high = quantiles(seconds, n=10, method="inclusive")[-1]
    faults = tuple(_faults(kernel, least, host, doubled))
    disturbances = tuple(_disturbances(seen.known, high / least - 1))
    told = not disturbances or _short(kernel, least)
    return SelfTest(
        device=str(device),
        work=kernel.name,
        expected=kernel.seconds,
        least=least,
        median=median(seconds),
        high=high,
        doubled=doubled,
        host=host,
        step=_step(clock),
        problems=faults if told else (),
        disturbances=disturbances if told else (*disturbances, *faults),
    )


def _repeat(kernel: Kernel, timer: Timer, clock: Callable[[], float]) -> _Repeats:
    """Work once and twice, each after the same untimed work: it finds the caches alike."""
    seen = _Repeats()
    timer.time(kernel.known, 3)
    for _ in range(_REPEATS):
        seen.known.append(timer.time(kernel.known, 1))
        seen.host.append(_by_host(kernel, clock))
        for parts, times in ((1, seen.once), (2, seen.twice)):
            kernel.work(1)
            times.append(timer.time(partial(kernel.work, parts), 1).seconds)
    return seen


def _faults(kernel: Kernel, least: float, host: float, doubled: float) -> Iterator[str]:
    known = kernel.seconds
    if not isinstance(known, Absent) and abs(least / known - 1) > kernel.tolerance:
        yield f"the clock is off by {least / known - 1:+.1%}"
    if abs(least / host - 1) > _HOST_TOLERANCE:
        yield f"the host's clock says {host * 1e3:.2f} ms"
    if abs(doubled / 2 - 1) > _DOUBLING_TOLERANCE:
        yield "equal work takes unequal time"


def _short(kernel: Kernel, least: float) -> bool:
    """Whether the work seems shorter than it is: others make it longer, never shorter."""
    known = kernel.seconds
    return not isinstance(known, Absent) and least < (1 - kernel.tolerance) * known


def _disturbances(known: list[Timed], spread: float) -> Iterator[str]:
    flagged = sum(timed.flagged for timed in known) / len(known)
    if flagged > _FLAGGED_TOLERANCE:
        yield f"{flagged:.0%} of the repeats were slowed down by heat, power or other processes"
    if spread > _SPREAD_TOLERANCE:
        yield f"one repeat in ten took {spread:.0%} longer or more"


def _by_host(kernel: Kernel, clock: Callable[[], float]) -> float:
    begun = clock()
    kernel.known()
    kernel.finish()
    return clock() - begun


def _step(clock: Callable[[], float]) -> float | None:
    """The smallest difference between two readings that differ."""
    readings = [clock() for _ in range(1000)]
    steps = (later - first for first, later in pairwise(readings) if later > first)
    return min(steps, default=None)
