"""Peak memory of one forward pass or one training step: forecast anywhere, measured on CUDA.

The forecast runs the network on tensors without memory and follows every storage from the
operator that makes it until nothing refers to it any more. It takes a second and no memory.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ablate.network import scale_of
from ablate.profiling._replica import replica

Precision = Literal["float32", "bfloat16"]

CPU: torch.device = torch.device("cpu")


def peak_inference(
    model: nn.Module,
    size: tuple[int, int],
    batch: int = 1,
    device: torch.device = CPU,
    precision: Precision = "float32",
    channels: int = 3,
) -> int:
    """Bytes at the worst moment of one forward pass: weights, image and activations.

    Args:
        model: The network (real, or on meta for a forecast); it is not changed.
        size: Height and width of the image, in pixels.
        batch: Images in the call.
        device: A CUDA device measures; any other forecasts.
        precision: float32, or bfloat16 for autocast.
        channels: Of the image.
    """
    shape = (batch, channels, *size)
    if device.type == "cuda":
        return _measured_inference(model, shape, device, precision)
    fake, twin = replica(model)
    twin.eval()
    with fake, torch.no_grad(), _cast(CPU, precision):
        image = torch.empty(shape)
        tracker = StorageTracker(chain(_state(twin), [image]))
        with tracker:
            twin(image)
    return tracker.peak


def peak_training(
    model: nn.Module,
    size: tuple[int, int],
    batch: int,
    device: torch.device = CPU,
    precision: Precision = "float32",
    averaged: bool = False,
) -> int:
    """Bytes at the worst moment of one training step with AdamW on an L1 loss over all scales.

    Weights, gradients, two moments per weight, images, targets and saved activations.

    Args:
        model: The network (real, or on meta for a forecast); it is not changed.
        size: Height and width of a degraded crop, in pixels; the target is as large as what the
            network returns.
        batch: Crops in the step.
        device: A CUDA device measures; any other forecasts.
        precision: float32, or bfloat16 for autocast.
        averaged: Whether averaged weights are kept beside, as large as the network's state.
    """
    shape = (batch, 3, *size)
    beside = sum(t.numel() * t.element_size() for t in _state(model)) if averaged else 0
    if device.type == "cuda":
        return beside + _measured_training(model, shape, device, precision)
    fake, twin = replica(model)
    twin.train()
    with fake:
        trained = [p for p in twin.parameters() if p.requires_grad]
        moments = [torch.empty_like(p) for p in trained for _ in range(2)]
        image, target = torch.empty(shape), torch.empty(_target_shape(model, shape))
        tracker = StorageTracker(chain(_state(twin), moments, [image, target]))
        with tracker:
            with _cast(CPU, precision):
                loss = _loss(twin, image, target)
            loss.backward()  # type: ignore[no-untyped-call]
    return tracker.peak + beside


def protocol(device: torch.device) -> str:
    """How peak memory is found on a device, in words for the record."""
    if device.type == "cuda":
        return "measured: largest torch.cuda.max_memory_allocated less what was there before"
    return (
        "forecast: storages alive at once on fake tensors; "
        "what kernels need inside themselves and what the allocator keeps is not in it"
    )


class StorageTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages of tensors while it is active.

    Attributes:
        current: Bytes alive now.
        peak: Most bytes alive at once.

    Args:
        tensors: What is there from the start.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = 0
        self.peak = 0
        self._known: set[int] = set()
        self._watch(tensors)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operator and follow the storages that it makes."""
        output = func(*args, **(kwargs or {}))
        self._watch(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
        return output

    def _watch(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key in self._known:
                continue
            self._known.add(key)
            self.current += size
            weakref.finalize(storage, self._forget, key, size)
        self.peak = max(self.peak, self.current)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.current -= size


def _state(model: nn.Module) -> Iterable[Tensor]:
    return chain(model.parameters(), model.buffers())


def _cast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def _loss(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    outputs = model(image, ("scales",))
    restored: list[Tensor] = outputs.get("scales") or [outputs["image"]]
    strides = [2**k for k in range(len(restored))]
    losses = [
        (scale - target[..., ::stride, ::stride]).abs().mean()
        for scale, stride in zip(restored, strides, strict=True)
    ]
    return torch.stack(losses).sum()


def _target_shape(model: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    *rest, height, width = shape
    scale = scale_of(model)
    return (*rest, scale * height, scale * width)


def _measured_inference(
    model: nn.Module, shape: tuple[int, ...], device: torch.device, precision: Precision
) -> int:
    before = _fresh_peak(device)
    twin = copy.deepcopy(model).to(device).eval()
    with torch.no_grad(), _cast(device, precision):
        image = torch.rand(shape, device=device)
        twin(image)
        torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _measured_training(
    model: nn.Module, shape: tuple[int, ...], device: torch.device, precision: Precision
) -> int:
    before = _fresh_peak(device)
    twin = copy.deepcopy(model).to(device).train()
    optimizer = torch.optim.AdamW(p for p in twin.parameters() if p.requires_grad)
    image = torch.rand(shape, device=device)
    target = torch.rand(_target_shape(model, shape), device=device)
    for _ in range(2):  # the moments exist from the second step on
        optimizer.zero_grad()
        with _cast(device, precision):
            loss = _loss(twin, image, target)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _fresh_peak(device: torch.device) -> int:
    """Start a new peak; returns what is allocated already, in bytes."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)
