"""The state that the machine is in while something is timed: clocks, heat, power, other work.

Look once per round, outside what is timed; rounds in which the machine was disturbed are told
from the usual state of the sitting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from statistics import median

import torch

from ablate.profiling._processor import CpuWatch, cpu_clock, load
from ablate.profiling.nvml import THROTTLES, Absent, Device, open_device, reasons_of

__all__ = ["MEANINGS", "Conditions", "disturbed", "usual", "watcher"]

CLOCK_TOLERANCE: float = 0.03  # below the usual clock of the device
CPU_CLOCK_TOLERANCE: float = 0.1  # a processor changes its clock by itself, core by core
CROWDED: float = 0.25  # share of the cores, from which on other processes disturb
STOLEN: float = 0.05  # the same for the hypervisor, which takes cores in the middle of a call

MEANINGS: dict[str, tuple[str, str]] = {  # unit, words; as the record names them
    "load": ("", "processes that wanted a core, mean of the last minute"),
    "cpu_clock": ("MHz", "clock of the core that launches the work"),
    "others_cpu": ("", "share of the cores' time that other processes used since the last look"),
    "stolen_cpu": ("", "share of the cores' time that the hypervisor gave to others"),
    "sm_clock": ("MHz", "clock of the device's multiprocessors"),
    "memory_clock": ("MHz", "clock of the device's memory"),
    "temperature": ("°C", "of the device's chip"),
    "power": ("W", "drawn by the device"),
    "utilisation": ("", "share of the last sample period in which the device ran any kernel"),
    "throttle_bits": ("", "NVML's reasons for a clock that is not the highest, as bits"),
    "foreign": ("", "other processes that compute on the device"),
    "process_memory": ("byte", "of the device, held by this process"),
}


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The machine at one moment; what cannot be read is absent with the reason.

    Units and meanings stand in `MEANINGS`.
    """

    load: float | Absent
    cpu_clock: float | Absent
    others_cpu: float | Absent
    stolen_cpu: float | Absent
    sm_clock: float | Absent
    memory_clock: float | Absent
    temperature: float | Absent
    power: float | Absent
    utilisation: float | Absent
    throttle_bits: float | Absent
    foreign: float | Absent
    process_memory: float | Absent

    def as_numbers(self) -> dict[str, float]:
        """What could be read, by name; samples of the record are made of it."""
        read = self._read()
        return {name: float(value) for name, value in read if not isinstance(value, Absent)}

    def reasons_absent(self) -> dict[str, str]:
        """What could not be read, by name, and why."""
        read = self._read()
        return {name: value.reason for name, value in read if isinstance(value, Absent)}

    def _read(self) -> Iterator[tuple[str, float | Absent]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))


def watcher(
    device: torch.device, *, nvml: Device | None = None, cpu: CpuWatch | None = None
) -> Callable[[], Conditions]:
    """A function that says what state the machine is in, a millisecond or so for each call.

    Args:
        device: What runs the work.
        nvml: Readings of the device; none opens them.
        cpu: Readings of whose work the processor does; none starts watching now.
    """
    gpu, cores = nvml or open_device(device), cpu or CpuWatch()
    return lambda: _look(gpu, cores)


def _look(gpu: Device, cores: CpuWatch) -> Conditions:
    shares, foreign = cores.look(), gpu.foreign()
    return Conditions(
        load=load(),
        cpu_clock=cpu_clock(),
        others_cpu=shares if isinstance(shares, Absent) else shares.others,
        stolen_cpu=shares if isinstance(shares, Absent) else shares.stolen,
        sm_clock=gpu.sm_clock(),
        memory_clock=gpu.memory_clock(),
        temperature=gpu.temperature(),
        power=gpu.power(),
        utilisation=gpu.utilisation(),
        throttle_bits=gpu.throttle_bits(),
        foreign=foreign if isinstance(foreign, Absent) else len(foreign),
        process_memory=gpu.process_memory(),
    )


def usual(seen: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each number over all rounds of a sitting in which it could be read."""
    values: dict[str, list[float]] = {}
    for numbers in seen:
        for name, value in numbers.items():
            values.setdefault(name, []).append(value)
    return {name: median(found) for name, found in values.items()}


def disturbed(now: Mapping[str, float], usual: Mapping[str, float]) -> tuple[str, ...]:
    """Why what was timed under these conditions is not to be trusted; empty where it is.

    Args:
        now: Numbers of one look (`Conditions.as_numbers`).
        usual: Their medians over the sitting (`usual`).

    Returns:
        Reasons in words: throttled, a clock that is lower than usual, other processes.
    """
    return (*_throttled(now), *_slow_clocks(now, usual), *_neighbours(now))


def _throttled(now: Mapping[str, float]) -> Iterator[str]:
    slowing = reasons_of(int(now.get("throttle_bits", 0)) & THROTTLES)
    if slowing:
        yield f"throttled: {', '.join(slowing)}"


def _slow_clocks(now: Mapping[str, float], usual: Mapping[str, float]) -> Iterator[str]:
    limits = {
        "sm_clock": CLOCK_TOLERANCE,
        "memory_clock": CLOCK_TOLERANCE,
        "cpu_clock": CPU_CLOCK_TOLERANCE,
    }
    for name, tolerance in limits.items():
        here, there = now.get(name), usual.get(name)
        if here is not None and there and here < (1 - tolerance) * there:
            yield f"{name} {here:.0f} MHz, {1 - here / there:.0%} under the usual {there:.0f} MHz"


def _neighbours(now: Mapping[str, float]) -> Iterator[str]:
    foreign = int(now.get("foreign", 0))
    if foreign:
        yield f"shared: {foreign} other process{'es' * (foreign > 1)} on the device"
    if now.get("others_cpu", 0.0) > CROWDED:
        yield f"shared: other processes used {now['others_cpu']:.0%} of the processor"
    if now.get("stolen_cpu", 0.0) > STOLEN:
        yield f"shared: the hypervisor took {now['stolen_cpu']:.0%} of the processor"
