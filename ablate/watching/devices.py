"""What the devices of a run are doing now, a line for each, read without touching them."""

from __future__ import annotations

import os
import socket

from ablate.profiling.machine import cores
from ablate.profiling.nvml import Absent, Device, devices
from ablate.watching.snapshot import Snapshot

GIB = 2**30


def device_lines(now: Snapshot) -> list[str]:
    """Load of the processor, or of each GPU; nothing of a machine that is not this one."""
    status = now.status
    if now.state not in ("running", "starting") or status is None:
        return []
    if status.host != socket.gethostname():
        return [f"{status.device} on {status.host}, which is not this machine"]
    return _gpus() if status.device.startswith("cuda") else [_processor()]


def _processor() -> str:
    return f"cpu: {os.getloadavg()[0]:.1f} processes want one of {cores()} cores"


def _gpus() -> list[str]:
    found = devices()
    if isinstance(found, Absent):
        return [f"cuda: nothing can be read ({found.reason})"]
    return [f"GPU {number}: {_readings(device)}" for number, device in enumerate(found)]


def _readings(device: Device) -> str:
    busy, heat, memory = device.utilisation(), device.temperature(), device.memory()
    parts = [str(device.name()) if not isinstance(device.name(), Absent) else ""]
    if not isinstance(busy, Absent):
        parts.append(f"{100 * busy:.0f} % busy")
    if not isinstance(memory, Absent):
        parts.append(f"{memory.used / GIB:.1f} of {memory.total / GIB:.0f} GiB")
    if not isinstance(heat, Absent):
        parts.append(f"{heat:.0f} °C")
    return ", ".join(part for part in parts if part) or "nothing can be read"
