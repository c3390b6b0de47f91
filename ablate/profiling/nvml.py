"""What NVIDIA's management library says of a device: each reading a value, or why there is none.

The one place that talks to pynvml. Nothing here raises, whatever the library, the driver or the
rights of the process are: a run must not end because a sensor cannot be read.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from ablate.engines.job import PARENT_ON_CUDA
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
    reasons_of,
    text,
    thousandth,
)

__all__ = [
    "THROTTLES",
    "Absent",
    "Device",
    "Gpus",
    "Memory",
    "Process",
    "devices",
    "gpus",
    "identity_of",
    "open_device",
    "reasons_of",
]

T = TypeVar("T")

_SM, _MEMORY = 1, 2  # NVML_CLOCK_SM, NVML_CLOCK_MEM
_CORE_SENSOR = 0  # NVML_TEMPERATURE_GPU


@dataclass(frozen=True)
class Gpus:
    """The GPUs of the machine by name, and the driver's version."""

    names: tuple[str, ...]
    driver: str


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


def open_device(device: torch.device, library: Any = None, uuid: str = "") -> Device:
    """The readings of a device; of one that NVML does not know, all are absent with the reason.

    Args:
        device: As PyTorch counts them; NVML counts otherwise where CUDA_VISIBLE_DEVICES is set,
            so that the two are matched by the device's own identity.
        library: What stands for pynvml; none for pynvml.
        uuid: The device's identity; none asks PyTorch.
    """
    if device.type != "cuda":
        return Device(None, Absent(f"NVML knows NVIDIA GPUs only, not '{device.type}'"))
    library = library or _load()
    if isinstance(library, Absent):
        return Device(None, library)

    return Device(
        library,
        attempt(lambda: _handle(library, device, uuid)),
        works=lambda: attempt(lambda: _holds_memory(device)) is True,
        parent_works=bool(os.environ.get(PARENT_ON_CUDA)),
    )


def gpus(library: Any = None) -> Gpus | Absent:
    """The machine's GPUs and driver, without starting CUDA; or why none can be seen."""
    library = library or _load()
    return library if isinstance(library, Absent) else attempt(lambda: _look(library))


def devices(library: Any = None) -> tuple[Device, ...] | Absent:
    """Every GPU of the machine in NVML's order, without starting CUDA; or why none can be seen."""
    library = library or _load()
    if isinstance(library, Absent):
        return library
    handles = attempt(lambda: _handles(library))
    if isinstance(handles, Absent):
        return handles
    return tuple(Device(library, handle) for handle in handles)


def identity_of(name: str, library: Any = None) -> str:
    """A GPU's own identity, whatever name CUDA_VISIBLE_DEVICES has for it; else that name.

    Numbers are taken as NVML counts, by the bus: CUDA does too where all GPUs are alike.

    Args:
        name: A number, or an identity, perhaps shortened.
        library: What stands for pynvml; none for pynvml.
    """
    library = library or _load()
    if isinstance(library, Absent):
        return name
    found = attempt(lambda: [text(library.nvmlDeviceGetUUID(one)) for one in _handles(library)])
    if isinstance(found, Absent):
        return name
    if name.isdecimal():
        return found[int(name)] if int(name) < len(found) else name
    same = [identity for identity in found if identity.startswith(name)]
    return same[0] if len(same) == 1 else name


def _holds_memory(device: torch.device) -> bool:
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return bool(started) and torch.cuda.memory_reserved(device) > 0


def _load() -> Any:
    return attempt(lambda: importlib.import_module("pynvml"))


def _look(library: Any) -> Gpus:
    names = tuple(text(library.nvmlDeviceGetName(handle)) for handle in _handles(library))
    return Gpus(names, text(library.nvmlSystemGetDriverVersion()))


def _handles(library: Any) -> list[Any]:
    library.nvmlInit()
    return [library.nvmlDeviceGetHandleByIndex(at) for at in range(library.nvmlDeviceGetCount())]


def _handle(library: Any, device: torch.device, uuid: str) -> Any:
    library.nvmlInit()
    identity = uuid or str(torch.cuda.get_device_properties(device).uuid)
    try:
        return library.nvmlDeviceGetHandleByUUID(f"GPU-{identity}")
    except Exception:  # a slice of a GPU goes by a name of its own
        return library.nvmlDeviceGetHandleByUUID(f"MIG-{identity}")
