"""Work of known length: what clocks are tested with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ablate.profiling._nvml_answers import Absent
from ablate.profiling.nvml import Device, open_device

LENGTH: float = 10e-3  # seconds
_CPU_TOLERANCE = 0.01
_GPU_TOLERANCE = 0.03  # a GPU's length is known as well as its clock, which is read in steps
_ASSUMED_CLOCK = 1.5e9  # cycles a second, where the device does not tell
_BLOCK = bytes(2**18)  # hashed in far less time than a scheduler gives a process at once


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Work whose length is known, and work that can be doubled.

    Args:
        name: In words.
        seconds: How long the first takes; absent if that cannot be known.
        known: Takes that long.
        work: Does so many parts of equal work.
        tolerance: Share by which what is timed may miss the length.
        finish: Waits until it is done.
    """

    name: str
    seconds: float | Absent
    known: Callable[[], object]
    work: Callable[[int], object]
    tolerance: float
    finish: Callable[[], object] = lambda: None


def kernel_for(device: torch.device) -> Kernel:
    """The work that suits a device."""
    return cuda_kernel(device) if device.type == "cuda" else cpu_kernel()


def cpu_kernel() -> Kernel:
    """A loop that ends when the system's raw clock, which nothing adjusts, has gone 10 ms.

    The work that is doubled needs no clock: it hashes bytes.
    """
    return Kernel(
        name="a loop by the system's raw clock",
        seconds=LENGTH,
        known=_spin,
        work=lambda parts: [hashlib.sha256(_BLOCK).digest() for _ in range(parts)],
        tolerance=_CPU_TOLERANCE,
    )


def cuda_kernel(
    device: torch.device,
    *,
    nvml: Device | None = None,
    sleep: Callable[[int], object] | None = None,
    finish: Callable[[], object] | None = None,
) -> Kernel:
    """A kernel that spins for a number of cycles of the multiprocessors' clock, as NVML reads it.

    Args:
        device: A CUDA device.
        nvml: Readings of the device; none opens them.
        sleep: Launches a kernel of so many cycles; none for PyTorch's own.
        finish: Waits until all is done; none for PyTorch's own.
    """
    launch = sleep or _launcher(device)
    megahertz = _working_clock(launch, nvml or open_device(device))
    known = not isinstance(megahertz, Absent)
    rate = _ASSUMED_CLOCK if isinstance(megahertz, Absent) else megahertz * 1e6
    cycles = round(LENGTH * rate)
    return Kernel(
        name=f"a kernel of {cycles:,} cycles" + f" at {rate / 1e6:.0f} MHz" * known,
        seconds=megahertz if isinstance(megahertz, Absent) else cycles / rate,
        known=lambda: launch(cycles),
        work=lambda parts: launch(parts * cycles // 2),
        tolerance=_GPU_TOLERANCE,
        finish=finish or (lambda: torch.cuda.synchronize(device)),
    )


def _spin() -> None:
    raw = getattr(time, "CLOCK_MONOTONIC_RAW", None)
    end = LENGTH + (time.monotonic() if raw is None else time.clock_gettime(raw))
    while (time.monotonic() if raw is None else time.clock_gettime(raw)) < end:
        pass


def _launcher(device: torch.device) -> Callable[[int], object]:
    def launch(cycles: int) -> None:
        with torch.cuda.device(device):
            torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]

    return launch


def _working_clock(launch: Callable[[int], object], nvml: Device) -> float | Absent:
    """The clock in MHz while a kernel runs: launched first, so that the reading falls into it."""
    launch(round(0.3 * _ASSUMED_CLOCK))  # the clock rises with work
    time.sleep(0.1)
    return nvml.sm_clock()
