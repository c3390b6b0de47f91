"""Clocks for calls of a network: the processor's on a CPU, events on a CUDA device."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import torch
from torch import Tensor

from ablate.profiling.nvml import open_device

BUSY: float = 1.1  # wall over CPU time, from which on another process took the core

_CACHES: int = 2  # how many times as much as the cache holds is written to empty it
_CACHE_BYTES: int = 64 << 20  # of a device that does not say how large its cache is
_CACHE_FILES = Path("/sys/devices/system/cpu/cpu0/cache")

Call = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds of one call, by several clocks; those that say nothing are NaN.

    Args:
        seconds: Wall time; on CUDA by the device's own clock.
        cpu_seconds: CPU time.
        flagged: Something disturbed the call.
        host: By the host's clock, waiting for the device included.
        issued: Least seconds that the host took to issue a call, before any waiting.
        beside: What a fixed piece of work took around the visit (`ablate.profiling.levelling`).
    """

    seconds: float
    cpu_seconds: float = math.nan
    flagged: bool = False
    host: float = math.nan
    issued: float = math.nan
    beside: float = math.nan


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
        flush: Overwrite the processor's caches before each call, outside what is timed; a visit
            is then a single call.
    """

    untimed = 1
    aim = 2e-3

    def __init__(self, threads: int, flush: bool = False) -> None:
        self._alone = threads == 1
        self._rubbish: Tensor | None = None
        if flush:
            self.aim = 0.0
            self._rubbish = torch.empty(_CACHES * largest_cache(), dtype=torch.int8)

    def time(self, call: Call, calls: int) -> Timed:
        """One call's share of a stretch of calls."""
        if self._rubbish is not None:
            self._rubbish.zero_()
        cpu, wall = time.thread_time(), time.perf_counter()
        for _ in range(calls):
            call()
        seconds = time.perf_counter() - wall
        cpu_seconds = time.thread_time() - cpu
        return Timed(
            seconds=seconds / calls,
            cpu_seconds=cpu_seconds / calls if self._alone else math.nan,
            flagged=seconds > BUSY * cpu_seconds,
            host=seconds / calls,
        )


def largest_cache(root: Path = _CACHE_FILES) -> int:
    """Bytes of the processor's largest cache, at most 256 MiB; 64 MiB where it does not say."""
    return min(cache_bytes(root) or _CACHE_BYTES, 4 * _CACHE_BYTES)


def cache_bytes(root: Path = _CACHE_FILES) -> int:
    """Bytes of the processor's largest cache; 0 where it does not say."""
    sizes = []
    for file in root.glob("index*/size"):
        text = file.read_text().strip()  # "512K"; "32M" on some systems
        scale = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:], 1)
        sizes.append(int(text.rstrip("KM") or 0) * scale)
    return max(sizes, default=0)


class CudaTimer:
    """Time between two events on the device's own clock; nothing waits between the calls.

    Eager: the time to launch kernels counts where it is longer than the time to run them; with
    a flush it counts less, because the host runs ahead while the cache is emptied.

    Args:
        device: The device that the calls run on.
        slowed: Whether the device says that it runs slower than it could; none asks NVML.
        flush: Overwrite the device's cache before each call, outside what is timed.
    """

    untimed = 3
    aim = 20e-3

    def __init__(
        self,
        device: torch.device,
        slowed: Callable[[], bool] | None = None,
        flush: bool = False,
    ) -> None:
        self._device = device
        self._slowed = slowed or throttle_check(device)
        self._rubbish = _cache_filler(device) if flush else None

    def time(self, call: Call, calls: int) -> Timed:
        """One call's share of a stretch of calls."""
        with torch.cuda.device(self._device):
            torch.cuda.synchronize()  # or the host's clock would count what came before
            began = time.perf_counter()
            spans, issued = self._spans(call, calls)
            spans[-1][1].synchronize()
            host = time.perf_counter() - began
        seconds = sum(start.elapsed_time(end) for start, end in spans) / 1e3
        return Timed(
            seconds=seconds / calls,
            flagged=self._slowed(),
            host=math.nan if self._rubbish is not None else host / calls,
            issued=issued,
        )

    def _spans(self, call: Call, calls: int) -> tuple[list[tuple[Any, Any]], float]:
        """Events around all calls, or around each where there is something between them."""
        issued, spans = math.inf, []
        each = 1 if self._rubbish is not None else calls
        for _ in range(calls // each):
            if self._rubbish is not None:
                self._rubbish.zero_()
            start, end = _event(), _event()
            start.record()
            for _ in range(each):
                began = time.perf_counter()
                call()
                issued = min(issued, time.perf_counter() - began)
            end.record()
            spans.append((start, end))
        return spans, issued


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def _cache_filler(device: torch.device) -> Tensor:
    size = getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0) or _CACHE_BYTES
    return torch.empty(_CACHES * size, dtype=torch.int8, device=device)


def timer_for(device: torch.device, threads: int, flush: bool = False) -> Timer:
    """The clock that suits a device.

    Args:
        device: Where the calls run.
        threads: CPU threads that a call uses.
        flush: Empty the device's cache before each call.
    """
    return CudaTimer(device, flush=flush) if device.type == "cuda" else CpuTimer(threads, flush)


def throttle_check(device: torch.device) -> Callable[[], bool]:
    """A function that says whether power or heat slows the device; never true without NVML."""
    return open_device(device).throttled


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
