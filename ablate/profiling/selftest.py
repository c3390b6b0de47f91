"""Whether the clocks that time networks can be trusted: work of known length, timed by them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
        expected: Its length in seconds; none if it is not known.
        least: Its length as timed, in seconds: the least of the repeats.
        median: Their median.
        high: Their upper decile.
        doubled: How many times longer twice the work took, by the least of each.
        host: Its length by the host's clock, with waiting for it, in seconds: the least.
        step: The smallest step that the host's clock makes, in seconds; none if it made none.
        problems: Why the clock is not to be trusted; empty where it is.
        disturbances: Why what is timed now will spread; empty where the machine is quiet.
    """

    device: str
    work: str
    expected: float | None
    least: float
    median: float
    high: float
    doubled: float
    host: float
    step: float | None
    problems: tuple[str, ...]
    disturbances: tuple[str, ...]


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
    verdict = "; ".join(found.problems) or "good"
    if found.disturbances:
        verdict += f", but the machine is not quiet ({'; '.join(found.disturbances)})"
    known = "" if found.expected is None else f" of {found.expected * 1e3:.2f} ms"
    step = "made no step" if found.step is None else f"steps by {found.step * 1e9:.0f} ns"
    return (
        f"{verdict}: {found.work}{known} was timed as {found.least * 1e3:.2f} ms "
        f"(median {found.median * 1e3:.2f} ms of {_REPEATS} repeats; {found.host * 1e3:.2f} ms by "
        f"the host's clock, which {step}); twice the work took {found.doubled:.2f} times as long"
    )


def _test(
    device: torch.device, kernel: Kernel, timer: Timer, clock: Callable[[], float]
) -> SelfTest:
    for warm in (kernel.known, lambda: kernel.work(2)):
        timer.time(warm, 3)
    known, host, once, twice = list[Timed](), list[float](), list[float](), list[float]()
    for _ in range(_REPEATS):
        known.append(timer.time(kernel.known, 1))
        host.append(_by_host(kernel, clock))
        once.append(timer.time(lambda: kernel.work(1), 1).seconds)
        twice.append(timer.time(lambda: kernel.work(2), 1).seconds)
    seconds = [timed.seconds for timed in known]
    if not min(seconds) or not min(once) or not min(host):
        raise ValueError("the clock stands still")
    least, doubled = min(seconds), min(twice) / min(once)
    high = quantiles(seconds, n=10, method="inclusive")[-1]
    return SelfTest(
        device=str(device),
        work=kernel.name,
        expected=None if isinstance(kernel.seconds, Absent) else kernel.seconds,
        least=least,
        median=median(seconds),
        high=high,
        doubled=doubled,
        host=min(host),
        step=_step(clock),
        problems=tuple(_problems(kernel, least, min(host), doubled)),
        disturbances=tuple(_disturbances(known, high / least - 1)),
    )


def _problems(kernel: Kernel, least: float, host: float, doubled: float) -> Iterator[str]:
    if isinstance(kernel.seconds, Absent):
        yield f"the length of the work is not known ({kernel.seconds.reason})"
    elif abs(least / kernel.seconds - 1) > kernel.tolerance:
        yield f"the clock is off by {least / kernel.seconds - 1:+.1%}"
    if abs(least / host - 1) > _HOST_TOLERANCE:
        yield f"the host's clock says {host * 1e3:.2f} ms"
    if abs(doubled / 2 - 1) > _DOUBLING_TOLERANCE:
        yield f"twice the work took {doubled:.2f} times as long"


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
