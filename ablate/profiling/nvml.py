"""What NVIDIA's management library says of a device: each reading a value, or why there is none.

The one place that talks to pynvml. Nothing here raises, whatever the library, the driver or the
rights of the process are: a run must not end because a sensor cannot be read.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import Any

import torch

from ablate.engines.job import PARENT_ON_CUDA
from ablate.profiling._nvml_answers import (
    THROTTLES,
    Absent,
    Memory,
    Process,
    attempt,
    reasons_of,
    text,
)
from ablate.profiling._nvml_device import Device

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


@dataclass(frozen=True)
class Gpus:
    """The GPUs of the machine by name, and the driver's version."""

    names: tuple[str, ...]
    driver: str


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
