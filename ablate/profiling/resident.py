"""How much a process grows by an inference call or a training step: its resident memory on a CPU.

Call it in a process that has done little else, and once per process: what earlier work left in
the allocator would be used again and not be seen.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ablate.mix import Training
from ablate.profiling._allocations import most_allocated
from ablate.profiling._step import TrainingStep, infer
from ablate.profiling.allocator import returning_allocator, steady_allocator
from ablate.profiling.inputs import layout
from ablate.profiling.memory_flags import memory_flags
from blocks._routing import Routed, forcing

Allocator = Literal["steady", "system", "returning"]
Build = Callable[[], nn.Module]
Shape = tuple[int, ...]

CPU: torch.device = torch.device("cpu")
_PROCESS = Path("/proc/self")
_HIGHEST = "VmHWM"  # of Linux' status of a process
_WARM = 32  # pixels, the side of the image that has libraries loaded first


@dataclass(frozen=True, kw_only=True)
class Resident:
    """Memory of a process around one call or step.

    Args:
        peak: Most bytes resident while the network was made and run, beyond `before`.
        allocated: Most bytes that PyTorch had taken of the system at once, of a second run.
        before: Bytes resident before: interpreter, libraries, kernels that were loaded.
        how: How the peak was found, in words.
        allocator: What was set of the system's allocator.
        flags: Settings that change it.
    """

    peak: int
    allocated: int
    before: int
    how: str
    allocator: str
    flags: Mapping[str, str]


def resident_inference(
    build: Build,
    shape: Shape,
    *,
    precision: str = "float32",
    channels_last: bool = True,
    allocator: Allocator = "steady",
) -> Resident:
    """Make a network in this process and run one inference call on the CPU.

    Where experts are routed, every image is given the most expensive ones.

    Args:
        build: Makes the network, on the CPU; called twice.
        shape: (B, C, H, W) of the images.
        precision: float32; bfloat16 or float16 for autocast.
        channels_last: Memory layout of images and weights.
        allocator: steady keeps freed memory, as trials and timing set it; system is as it comes;
            returning gives each freed tensor back at once.
    """

    def run(shape: Shape) -> None:
        model = _in_layout(build().eval(), channels_last)
        image = torch.rand(shape).contiguous(memory_format=layout(channels_last))
        with forcing(model, Routed.dearest):
            infer(model, image, precision)

    flags = memory_flags(CPU, precision=precision, channels_last=channels_last)
    return _grown(run, shape, allocator, flags)


def resident_training(
    build: Build,
    shape: Shape,
    settings: Training | None = None,
    *,
    allocator: Allocator = "steady",
) -> Resident:
    """Make a network in this process and do one training step on the CPU, as trials do it.

    Args:
        build: Makes the network, on the CPU; called twice.
        shape: (B, C, H, W) of the degraded crops.
        settings: The recipe; none for the defaults.
        allocator: steady keeps freed memory, as trials and timing set it; system is as it comes;
            returning gives each freed tensor back at once.
    """
    recipe = settings or Training()

    def run(shape: Shape) -> None:
        model = _in_layout(build().train(), recipe.channels_last)
        image = torch.rand(shape).contiguous(memory_format=layout(recipe.channels_last))
        step = TrainingStep(model, image, recipe)
        with forcing(model, Routed.dearest):
            step(lambda phase: None)

    flags = memory_flags(CPU, precision=recipe.precision, channels_last=recipe.channels_last)
    return _grown(run, shape, allocator, flags)


def _in_layout(model: nn.Module, channels_last: bool) -> nn.Module:
    if channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _grown(
    run: Callable[[Shape], None], shape: Shape, allocator: Allocator, flags: Mapping[str, str]
) -> Resident:
    """Run at a small size, so that libraries are loaded, then watch the run at the full one."""
    setting = _set(allocator)
    batch, channels, height, width = shape
    run((min(batch, 2), channels, min(height, _WARM), min(width, _WARM)))
    gc.collect()
    _give_back()
    before, how = _new_peak()
    run(shape)
    peak = _highest() - before
    return Resident(
        peak=peak,
        allocated=most_allocated(lambda: run(shape)),
        before=before,
        how=how,
        allocator=setting,
        flags=flags,
    )


def _set(allocator: Allocator) -> str:
    if allocator == "system":
        return "system default"
    return steady_allocator() if allocator == "steady" else returning_allocator()


def _new_peak() -> tuple[int, str]:
    """Have the system forget the highest resident memory so far.

    Returns:
        Bytes resident now, and how the next peak is found; where the system forgets nothing, the
        highest so far.
    """
    known = _status()
    if _HIGHEST in known and "VmRSS" in known and _forget():
        return known["VmRSS"], f"the process' highest resident memory meanwhile ({_HIGHEST})"
    return _highest(), "by how much the process' highest resident memory rose"


def _forget() -> bool:
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _highest() -> int:
    """Most bytes resident so far, since the process began or since the system forgot."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status().get(_HIGHEST, most if sys.platform == "darwin" else most * 1024)


def _status() -> dict[str, int]:
    """Bytes, by name, of Linux' status of this process; not every system has all of them."""
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
    except OSError:
        return {}
    entries = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, _, value in entries}


def _give_back() -> None:
    """Have glibc return the pages that are free; nothing elsewhere."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return
