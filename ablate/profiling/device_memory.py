"""What an inference call or a training step takes of a CUDA device, by each who counts.

Allocated is what tensors and kernels asked PyTorch for, reserved what PyTorch asked the driver
for, process memory what the driver says that this process holds: three different numbers.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.profiling._following import MemoryProfile, follow_inference, follow_training
from ablate.profiling._storage import Stretch
from ablate.profiling.inputs import layout
from ablate.profiling.memory_flags import memory_flags
from ablate.profiling.nvml import Absent, open_device


class OutOfMemory(ValueError):
    """The device has too little memory; the message says how much it has, and for what."""


@dataclass(frozen=True, kw_only=True)
class DeviceMemory:
    """What one call or one step took; nothing else ran in the process meanwhile.

    Args:
        profile: Bytes allocated by PyTorch's allocator, beyond what was there before, by stage.
        reserved: Most bytes that the allocator held of the driver, beyond what it held before.
        process: Bytes that the driver says this process holds afterwards, with the CUDA context
            and the loaded kernels; or why that is not known.
        used: Bytes of the device that are in use afterwards, by all processes.
        flags: Settings that change these.
    """

    profile: MemoryProfile
    reserved: int
    process: int | Absent
    used: int
    flags: Mapping[str, str]

    @property
    def allocated(self) -> int:
        """Most bytes allocated, beyond what was there before."""
        return self.profile.peak


def measure_inference(
    model: nn.Module,
    shape: tuple[int, ...],
    device: torch.device,
    *,
    precision: str = "float32",
    channels_last: bool = True,
) -> DeviceMemory:
    """Measure one inference call of a copy of the network.

    Where experts are routed, every image is given the most expensive ones.

    Args:
        model: The network, real or on meta; it is not changed.
        shape: (B, C, H, W) of the images.
        device: A CUDA device.
        precision: float32 or tf32; bfloat16 or float16 for autocast.
        channels_last: Memory layout of images and weights.

    Raises:
        OutOfMemory: It does not fit.
    """

    def run(moved: Callable[[], None]) -> MemoryProfile:
        twin, image = _placed(model, shape, device, channels_last)
        return follow_inference(twin, image, precision, moved)

    flags = memory_flags(device, precision=precision, channels_last=channels_last)
    with _fitting(shape, device):
        return _measured(run, device, flags)


def measure_training(
    model: nn.Module,
    shape: tuple[int, ...],
    device: torch.device,
    settings: Training | None = None,
) -> DeviceMemory:
    """Measure one training step of a copy of the network, as trials do it.

    Where experts are routed, every image is given the most expensive ones.

    Args:
        model: The network, real or on meta; it is not changed.
        shape: (B, C, H, W) of the degraded crops.
        device: A CUDA device.
        settings: The recipe; none for the defaults.

    Raises:
        OutOfMemory: It does not fit.
    """
    recipe = settings or Training()

    def run(moved: Callable[[], None]) -> MemoryProfile:
        twin, image = _placed(model, shape, device, recipe.channels_last)
        return follow_training(twin, image, recipe, moved)

    flags = memory_flags(device, precision=recipe.precision, channels_last=recipe.channels_last)
    with _fitting(shape, device):
        return _measured(run, device, flags)


class Meter:
    """Reads PyTorch's allocator whenever another place begins to run.

    Attributes:
        reserved: Most bytes held of the driver, beyond what was held when it was made.

    Args:
        device: A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._base = torch.cuda.memory_allocated(device)
        self._base_reserved = torch.cuda.memory_reserved(device)
        self._readings: list[tuple[int, int]] = []  # most since the last one, and now
        self.reserved = 0
        torch.cuda.reset_peak_memory_stats(device)

    def cut(self) -> None:
        """End a stretch and begin the next."""
        peak = torch.cuda.max_memory_allocated(self._device) - self._base
        now = torch.cuda.memory_allocated(self._device) - self._base
        reserved = torch.cuda.max_memory_reserved(self._device) - self._base_reserved
        self._readings.append((peak, now))
        self.reserved = max(self.reserved, reserved)
        torch.cuda.reset_peak_memory_stats(self._device)

    def allocated(self, followed: MemoryProfile) -> MemoryProfile:
        """The stretches with the allocator's bytes in place of the storages'.

        Args:
            followed: What was followed between this meter's cuts.
        """
        (_, before), *readings = self._readings  # the first is of what was made ready
        found = list[Stretch]()
        for stretch, (peak, now) in zip(followed.stretches, readings, strict=True):
            found.append(_beside(stretch, before, peak, now))
            before = now
        return MemoryProfile(stretches=tuple(found))


def _beside(stretch: Stretch, before: int, peak: int, now: int) -> Stretch:
    """A stretch by the allocator; what storages do not explain is called kernels."""
    worst = max(peak, stretch.worst)
    kinds = {**stretch.by_kind}
    kinds["kernels"] = kinds.get("kernels", 0) + worst - stretch.worst
    return replace(
        stretch,
        before=before,
        worst=worst,
        after=now,
        by_kind={kind: size for kind, size in kinds.items() if size},
    )


def _measured(
    run: Callable[[Callable[[], None]], MemoryProfile],
    device: torch.device,
    flags: Mapping[str, str],
) -> DeviceMemory:
    _clear(device)
    meter = Meter(device)
    followed = run(meter.cut)
    meter.cut()
    free, total = torch.cuda.mem_get_info(device)
    return DeviceMemory(
        profile=meter.allocated(followed),
        reserved=meter.reserved,
        process=open_device(device).process_memory(),
        used=total - free,
        flags=flags,
    )


def _clear(device: torch.device) -> None:
    """Give back what earlier work left: caches, and the workspaces that cuBLAS keeps."""
    gc.collect()
    torch.cuda.synchronize(device)
    clear: Callable[[], None] = getattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: None)
    clear()
    torch.cuda.empty_cache()


def _placed(
    model: nn.Module, shape: tuple[int, ...], device: torch.device, channels_last: bool
) -> tuple[nn.Module, Tensor]:
    """A copy of the network and images, both on the device."""
    twin = copy.deepcopy(model)
    nowhere = any(parameter.is_meta for parameter in twin.parameters())
    twin = twin.to_empty(device=device) if nowhere else twin.to(device)
    if channels_last:
        twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.empty(shape, device=device, memory_format=layout(channels_last))
    return twin, image.uniform_()


@contextmanager
def _fitting(shape: tuple[int, ...], device: torch.device) -> Iterator[None]:
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        total = torch.cuda.get_device_properties(device).total_memory / 2**30
        raise OutOfMemory(
            f"images of shape {shape} need more memory than {torch.cuda.get_device_name(device)} "
            f"has free, of {total:.1f} GiB"
        ) from error
