"""Clocks for calls of a network: the processor's on a CPU, events on a CUDA device."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

import torch

BUSY: float = 1.1  # wall over CPU time, from which on another process took the core

# nvmlClocksEventReasons that change the speed: power cap, hardware slowdown, heat (two kinds).
_SLOWED_DOWN = 0x4 | 0x8 | 0x20 | 0x40

Call = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds of one call; CPU seconds are NaN where they say nothing; flagged: was disturbed."""

    seconds: float
    cpu_seconds: float = math.nan
    flagged: bool = False


class Timer(Protocol):
    """Times calls.

    Attributes:
        untimed: Calls that come before the timed ones in each visit.
        aim: Shortest timed stretch worth reading off the clock, in seconds.
    """

    untimed: int
    aim: float

    def time(self, call: Call, calls: int) -> Timed:
        """One call's share of a stretch of calls."""


class CpuTimer:
    """Wall time, with the CPU time of the calling thread beside it.

    Args:
        threads: Threads a call uses; CPU time stands for the work only if it is 1, because
            waiting threads spin.
    """

    untimed = 1
    aim = 2e-3

    def __init__(self, threads: int) -> None:
        self._alone = threads == 1

    def time(self, call: Call, calls: int) -> Timed:
        """One call's share of a stretch of calls."""
        cpu, wall = time.thread_time(), time.perf_counter()
        for _ in range(calls):
            call()
        seconds = time.perf_counter() - wall
        cpu_seconds = time.thread_time() - cpu
        return Timed(
            seconds=seconds / calls,
            cpu_seconds=cpu_seconds / calls if self._alone else math.nan,
            flagged=seconds > BUSY * cpu_seconds,
        )


class CudaTimer:
    """Time between two events on the device's own clock; nothing waits between the calls.

    Eager: the time to launch kernels counts where it is longer than the time to run them.

    Args:
        device: The device that the calls run on.
        slowed: Whether the device says that it runs slower than it could; none asks NVML.
    """

    untimed = 3
    aim = 20e-3

    def __init__(self, device: torch.device, slowed: Callable[[], bool] | None = None) -> None:
        self._device = device
        self._slowed = slowed or throttle_check(device)

    def time(self, call: Call, calls: int) -> Timed:
        """One call's share of a stretch of calls."""
        with torch.cuda.device(self._device):
            start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            start.record()
            for _ in range(calls):
                call()
            end.record()
            end.synchronize()
        seconds = start.elapsed_time(end) / 1e3
        return Timed(seconds=seconds / calls, flagged=self._slowed())


def timer_for(device: torch.device, threads: int) -> Timer:
    """The clock that suits a device."""
    return CudaTimer(device) if device.type == "cuda" else CpuTimer(threads)


def throttle_check(device: torch.device) -> Callable[[], bool]:
    """A function that says whether power or heat slows the device; never true without NVML."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = nvml_handle(pynvml, device)
        pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except Exception:  # no NVML, or a driver that cannot say: the sitting goes on without
        return lambda: False
    return lambda: bool(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle) & _SLOWED_DOWN)


def nvml_handle(pynvml: Any, device: torch.device) -> Any:
    """NVML's handle of a device; the two count differently when CUDA_VISIBLE_DEVICES is set."""
    identity = str(torch.cuda.get_device_properties(device).uuid)
    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{identity}")


def warm_up(
    timer: Timer, call: Call, *, least: int = 5, most: int = 20, tolerance: float = 0.05
) -> float:
    """Call until three calls in a row agree, and return what one takes, in seconds.

    Args:
        timer: What times the calls.
        call: What is called.
        least: Calls in any case.
        most: Calls after which it is taken as it is.
        tolerance: Largest of the last three over their smallest, less 1.
    """
    times: list[float] = []
    while len(times) < most:
        times.append(timer.time(call, 1).seconds)
        recent = times[-3:]
        if len(times) >= least and max(recent) <= (1 + tolerance) * min(recent):
            break
    return median(times[-3:])


def calls_in_a_visit(timer: Timer, seconds: float) -> int:
    """How many calls of this length make a stretch worth timing."""
    return min(max(math.ceil(timer.aim / max(seconds, 1e-9)), 1), 10_000)
