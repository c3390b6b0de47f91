"""The readings of one device, each a question to NVML that has an answer or a reason for none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from ablate.profiling._nvml_answers import (
    THROTTLES,
    Absent,
    Memory,
    Process,
    attempt,
    bits,
    memory,
    number,
    processes,
    text,
    thousandth,
)

T = TypeVar("T")

_SM, _MEMORY = 1, 2  # NVML_CLOCK_SM, NVML_CLOCK_MEM
_CORE_SENSOR = 0  # NVML_TEMPERATURE_GPU


class Device:
    """Readings of one device; use `open_device` to have one.

    Args:
        library: pynvml, or what stands for it.
        handle: NVML's handle of the device, or why there is none: then every reading is absent
            for that reason.
        works: Whether this process holds memory on the device.
        parent_works: Whether the one that started it has a device open.
    """

    def __init__(
        self,
        library: Any,
        handle: object,
        works: Callable[[], bool] = lambda: False,
        parent_works: bool = False,
    ) -> None:
        self._library = library
        self._handle = handle
        self._works = works
        self._parent_works = parent_works

    def name(self) -> str | Absent:
        """The product, as "NVIDIA H100 80GB HBM3"."""
        return self._ask("nvmlDeviceGetName", read=text)

    def driver(self) -> str | Absent:
        """Version of the driver."""
        if isinstance(self._handle, Absent):
            return self._handle
        return attempt(lambda: text(self._library.nvmlSystemGetDriverVersion()))

    def sm_clock(self) -> float | Absent:
        """Clock of the multiprocessors now, in MHz."""
        return self._ask("nvmlDeviceGetClockInfo", _SM, read=number)

    def memory_clock(self) -> float | Absent:
        """Clock of the device's memory now, in MHz."""
        return self._ask("nvmlDeviceGetClockInfo", _MEMORY, read=number)

    def temperature(self) -> float | Absent:
        """Of the chip, in degrees Celsius."""
        found = self._ask("nvmlDeviceGetTemperatureV", _CORE_SENSOR, read=number)
        if isinstance(found, Absent):  # older drivers know only the older question
            return self._ask("nvmlDeviceGetTemperature", _CORE_SENSOR, read=number)
        return found

    def power(self) -> float | Absent:
        """Drawn by the board, in watts; many devices give the mean of the last second."""
        return self._ask("nvmlDeviceGetPowerUsage", read=thousandth)

    def power_limit(self) -> float | Absent:
        """The power above which the clock is lowered, in watts."""
        return self._ask("nvmlDeviceGetEnforcedPowerLimit", read=thousandth)

    def energy(self) -> float | Absent:
        """Used since the driver was loaded, in joules; the counter moves in steps."""
        return self._ask("nvmlDeviceGetTotalEnergyConsumption", read=thousandth)

    def utilisation(self) -> float | Absent:
        """Share of the last sample period in which any kernel ran, 0 to 1."""
        return self._ask(
            "nvmlDeviceGetUtilizationRates", read=lambda rates: number(rates.gpu) / 100
        )

    def memory(self) -> Memory | Absent:
        """Bytes of the device that are in use by anyone, and in all."""
        return self._ask("nvmlDeviceGetMemoryInfo", read=memory)

    def throttle_bits(self) -> int | Absent:
        """Why the clock is not the highest, as NVML's bits; `THROTTLES` are slow-downs."""
        found = self._ask("nvmlDeviceGetCurrentClocksEventReasons", read=bits)
        if isinstance(found, Absent):  # its name in drivers before 535
            return self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", read=bits)
        return found

    def throttled(self) -> bool:
        """Whether power or heat slows the device now; false where that cannot be read."""
        found = self.throttle_bits()
        return not isinstance(found, Absent) and bool(found & THROTTLES)

    def processes(self) -> tuple[Process, ...] | Absent:
        """All processes that compute on the device, numbered as NVML sees them."""
        return self._ask("nvmlDeviceGetComputeRunningProcesses", read=processes)

    def process_memory(self) -> int | Absent:
        """Bytes of the device that this process holds: tensors, caches, context and kernels."""
        found = self.processes()
        if isinstance(found, Absent):
            return found
        ours = [process for process in found if process.pid == os.getpid()]
        if not ours and not self._works():
            return Absent("this process holds no memory on the device")
        if not ours and len(found) != 1:
            return Absent(f"which of {len(found)} listed processes is this one is not known")
        return (ours or found)[0].memory

    def foreign(self) -> tuple[Process, ...] | Absent:
        """Processes that compute on the device beside this one and the one that started it.

        In a container NVML can list processes by the numbers that the host knows. This process is
        one of them, if it works on the device, and so is the one that started it: as many are
        foreign as there are beyond these, and which ones is not known (their number is 0).
        """
        found = self.processes()
        if isinstance(found, Absent):
            return found
        hidden = self._works() and os.getpid() not in {process.pid for process in found}
        if hidden and not found:
            return Absent("no process is listed, not even this one")
        if hidden:
            unknown = Process(0, Absent("which of the listed processes is this one is not known"))
            return (unknown,) * (len(found) - 1 - self._parent_works)
        return tuple(p for p in found if p.pid not in (os.getpid(), os.getppid()))

    def _ask(self, question: str, *details: int, read: Callable[[Any], T]) -> T | Absent:
        if isinstance(self._handle, Absent):
            return self._handle
        return attempt(lambda: read(getattr(self._library, question)(self._handle, *details)))
