"""Counters of energy: of an NVIDIA GPU by NVML, of the processor's packages by Linux (RAPL)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from ablate.profiling._nvml_answers import Absent, attempt
from ablate.profiling.nvml import Device, open_device

POWERCAP = Path("/sys/class/powercap")
_PATIENCE = 5.0  # seconds without a step, after which a counter counts as stopped
_POLL = 5e-4  # seconds between looks at the counter
_IDLE = 2e-3  # seconds at a time in which nothing is done
_STEPS = 5  # of the counter, whose median length is its period


class Lost(Exception):
    """The counter cannot be read any more, or has stopped; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Meter:
    """A counter of energy and the clock beside it.

    Args:
        name: What counts what, in words.
        read: Joules so far; it moves in steps.
        finish: Waits until the device has done all that it was given.
        clock: Seconds.
        sleep: Waits so many seconds, with nothing to do.
    """

    name: str
    read: Callable[[], float | Absent]
    finish: Callable[[], object] = lambda: None
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep

    def joules(self) -> float:
        """What the counter shows.

        Raises:
            Lost: It cannot be read.
        """
        found = self.read()
        if isinstance(found, Absent):
            raise Lost(found.reason)
        return found

    def period(self) -> float:
        """Seconds from one step of the counter to the next, the median of a few.

        Raises:
            Lost: It cannot be read, or makes no step within 5 seconds.
        """
        moments = [self._step() for _ in range(_STEPS + 1)]
        return median(later - sooner for sooner, later in itertools.pairwise(moments))

    def to_step(self, work: Callable[[], int]) -> int:
        """Work until the counter makes a step; what the work counted to.

        Raises:
            Lost: It cannot be read, or makes no step within 5 seconds.
        """
        begun, before, done = self.clock(), self.joules(), 0
        while self.joules() == before:
            if self.clock() - begun > _PATIENCE:
                raise Lost(f"the counter made no step in {_PATIENCE:.0f} s")
            done += work()
        return done

    def idle(self) -> int:
        """Do nothing for a moment; nothing is done in it."""
        return self._pause(_IDLE)

    def _pause(self, seconds: float) -> int:
        self.sleep(seconds)
        return 0

    def _step(self) -> float:
        self.to_step(lambda: self._pause(_POLL))
        return self.clock()


def meter_for(
    device: torch.device, *, nvml: Device | None = None, powercap: Path = POWERCAP
) -> Meter | Absent:
    """The counter that counts what a device uses, or why there is none.

    Args:
        device: What runs the work.
        nvml: Readings of the device; none opens them.
        powercap: Where Linux keeps the counters of the processor.
    """
    if device.type == "cuda":
        return _nvml_meter(device, nvml or open_device(device))
    if device.type == "cpu":
        return _rapl_meter(powercap)
    return Absent(f"no counter is known for '{device.type}'")


def _nvml_meter(device: torch.device, nvml: Device) -> Meter | Absent:
    first = nvml.energy()
    if isinstance(first, Absent):
        return first
    return Meter(
        name="NVML's energy counter of the whole board",
        read=nvml.energy,
        finish=lambda: torch.cuda.synchronize(device),
    )


def _rapl_meter(powercap: Path) -> Meter | Absent:
    zones = attempt(lambda: [zone for zone in sorted(powercap.iterdir()) if _is_package(zone)])
    if isinstance(zones, Absent):
        return Absent(f"the system has no counter of the processor's energy ({zones.reason})")
    if not zones:
        return Absent(f"{powercap} has no counter of a processor's package")
    packages = attempt(lambda: [_Package(zone) for zone in zones])
    if isinstance(packages, Absent):
        return packages
    return Meter(
        name=f"RAPL, {len(packages)} whole processor package{'s' * (len(packages) > 1)}",
        read=lambda: attempt(lambda: sum(package.joules() for package in packages)),
    )


def _is_package(zone: Path) -> bool:
    name = zone / "name"
    return name.is_file() and name.read_text().startswith("package")


class _Package:
    """One package's counter, which starts again from zero after its range."""

    def __init__(self, zone: Path) -> None:
        self._counter = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text())
        self._last = int(self._counter.read_text())
        self._total = 0

    def joules(self) -> float:
        now = int(self._counter.read_text())
        self._total += now - self._last if now >= self._last else now - self._last + self._range
        self._last = now
        return self._total / 1e6
