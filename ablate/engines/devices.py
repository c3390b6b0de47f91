"""Which device each job runs on: trainings share one by memory, what is timed has it alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ablate.engines.engine import EngineError
from ablate.engines.job import Job, Reporter

CONTEXT: Final = 768 << 20
"""Bytes that a process takes on a GPU before its first tensor: CUDA's context and the kernels."""
USABLE: Final = 0.9
"""Of the free memory: allocators round up, and leave holes."""
UNBOUNDED: Final = 1 << 62


@dataclass(frozen=True)
class Device:
    """A device that jobs can run on.

    Args:
        name: As CUDA_VISIBLE_DEVICES has it; empty for the machine's processor.
        memory: Bytes that can be used of it: most of what was free when we looked.
        product: What it is.
    """

    name: str
    memory: int
    product: str = ""


PROCESSOR: Final = Device("", UNBOUNDED)


class Placer:
    """Knows what runs where, and where there is room.

    Args:
        devices: To place jobs on; none for the processor, which holds any number.
    """

    def __init__(self, devices: Sequence[Device] = ()) -> None:
        self.devices = tuple(devices) or (PROCESSOR,)
        self._held: dict[str, list[Job]] = {}

    def place(self, job: Job) -> str | None:
        """Take room for a job; the name of its device, or None while there is none.

        A job that asks for devices has these. One whose memory is not known shares no GPU; one
        that needs more than any device has is tried on an empty one.
        """
        possible = [d for d in self.devices if d.name == job.devices or not job.devices]
        possible = possible or [Device(job.devices, UNBOUNDED)]  # not one of ours to share
        roomy = [device for device in possible if self._has_room(device, job)]
        if not roomy:
            return None
        best = max(roomy, key=self._left)
        self._held.setdefault(best.name, []).append(job)
        return best.name

    def free(self, job: Job, name: str) -> None:
        """Give back the room of a job."""
        self._held[name].remove(job)

    def _has_room(self, device: Device, job: Job) -> bool:
        there = self._held.get(device.name, [])
        if not there:
            return True
        if job.alone or any(other.alone for other in there):
            return False
        return self._left(device) >= needed(job, device)

    def _left(self, device: Device) -> int:
        taken = sum(needed(job, device) for job in self._held.get(device.name, []))
        return device.memory - taken


def needed(job: Job, device: Device) -> int:
    """Bytes of a device that a job takes; all of a GPU where that is not known, of a CPU none."""
    if device.memory == UNBOUNDED:
        return 0
    return job.memory + CONTEXT if job.memory else device.memory


def find_devices(asked: str = "auto") -> tuple[Device, ...]:
    """The GPUs that were asked for, each with the memory that is free now.

    They are looked at in a process of its own: this one opens none.

    Args:
        asked: auto for all that are visible, or their numbers as "0,1".

    Raises:
        EngineError: They are not there, or this is no list of numbers.
    """
    numbers = None if asked == "auto" else _numbers(asked)
    there = _visible()
    if numbers is None:
        return there
    known = {device.name: device for device in there}
    for number in numbers:
        if number not in known:
            has = f"GPUs {', '.join(known)}" if known else "no GPU that PyTorch can use"
            raise EngineError(f"--devices {asked}: there is no GPU {number} (here: {has})")
    return tuple(known[number] for number in numbers)


def devices_for(asked: str) -> tuple[Device, ...]:
    """The GPUs that a run trains on, before this process has looked at any; none by default.

    Where they are listed, nothing else is visible from now on to this process and those that it
    starts, so that what is timed runs on the first of them.

    Args:
        asked: auto, numbers as "0,1", or empty.

    Raises:
        EngineError: They are not there.
    """
    if not asked:
        return ()
    found = find_devices(asked)
    if asked != "auto":
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(one.name for one in found)
    return found


def look(payload: None, report: Reporter) -> tuple[Device, ...]:
    """The GPUs that PyTorch can use (a job for a process of its own)."""
    import torch

    if not torch.cuda.is_available():
        return ()
    names = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    found = []
    for index in range(torch.cuda.device_count()):
        free, _ = torch.cuda.mem_get_info(index)
        name = names[index].strip() if names else str(index)
        found.append(Device(name, int(free * USABLE), torch.cuda.get_device_name(index)))
    return tuple(found)


def _visible() -> tuple[Device, ...]:
    from ablate.engines.job import Done, Failed
    from ablate.engines.local import run_jobs

    job = Job(name="devices", function="ablate.engines.devices:look", payload=None, fresh=True)
    for event in run_jobs([job], workers=1):
        if isinstance(event, Failed):
            raise EngineError(f"--devices: the GPUs could not be looked at: {event.reason}")
        if isinstance(event, Done):
            assert isinstance(event.result, tuple)
            return event.result
    return ()


def _numbers(asked: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in asked.split(","))
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise EngineError(f"--devices: expected auto or different numbers like 0,1; got '{asked}'")
    return parts
