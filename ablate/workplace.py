"""Where a run trains and profiles, and how many of its trials at a time."""

from __future__ import annotations

from typing import Final, Literal

import torch

from ablate.folder import RunError
from ablate.profile import Profile
from ablate.profiling.machine import cores

Workers = int | Literal["auto"]
SHARING: Final = 4  # trials on a GPU at a time, at most, where nobody said how many


def choose_device(profile: Profile, asked: str) -> str:
    """The device that was asked for, else what the profile says, else CUDA where there is one.

    Raises:
        RunError: CUDA was asked for and is not there.
    """
    device = profile.device if asked == "auto" else asked
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    require_device(device)
    return device


def require_device(device: str) -> None:
    """See that a device is there.

    Raises:
        RunError: CUDA was asked for and is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError("device: cuda was asked for, but torch sees no CUDA device; use cpu")


def worker_count(workers: Workers, device: str, devices: int = 0) -> int:
    """How many trials run at a time: on a CPU each has one thread.

    Args:
        workers: What was asked for.
        device: Of the run. On CUDA one trial has the device, unless they are to share.
        devices: GPUs that trials share as far as memory goes.
    """
    if workers != "auto":
        return workers
    if device == "cuda":
        return min(cores(), SHARING * devices) if devices else 1
    return max(1, cores())
