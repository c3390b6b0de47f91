"""Peak memory of an inference call and of a training step: when, in which stage, and for what.

A forecast runs the network on tensors without memory and follows every storage from the operator
that makes it until nothing refers to it any more. It takes a second and no memory. On CUDA what
PyTorch's allocator counts is measured, stage by stage, with `device_memory`; what a process on a
CPU grows by is measured with `resident`.
"""

from __future__ import annotations

import torch
from torch import nn

from ablate.mix import Training
from ablate.profiling._following import MemoryProfile, follow_inference, follow_training
from ablate.profiling._replica import replica
from ablate.profiling._storage import Kind, StorageTracker, Stretch
from ablate.profiling.inputs import layout

__all__ = [
    "Kind",
    "MemoryProfile",
    "StorageTracker",
    "Stretch",
    "follow_inference",
    "follow_training",
    "forecast_inference",
    "forecast_training",
    "protocol",
]


def forecast_inference(
    model: nn.Module,
    shape: tuple[int, ...],
    *,
    precision: str = "float32",
    channels_last: bool = True,
) -> MemoryProfile:
    """What is alive during one forward pass in evaluation mode: weights, image, activations.

    Where experts are routed, every image is given the most expensive ones.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        shape: (B, C, H, W) of the images.
        precision: float32 or tf32; bfloat16 or float16 for autocast.
        channels_last: Memory layout of images and weights.
    """
    fake, twin = replica(model, channels_last=channels_last)
    with fake:
        image = torch.empty(shape, memory_format=layout(channels_last))
        return follow_inference(twin, image, precision)


def forecast_training(
    model: nn.Module, shape: tuple[int, ...], settings: Training | None = None
) -> MemoryProfile:
    """What is alive during one training step, as trials do it, from the second step on.

    Where experts are routed, every image is given the most expensive ones.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        shape: (B, C, H, W) of the degraded crops; the clean ones are as large as what the
            network returns.
        settings: Losses, optimiser, averaged weights, precision and memory layout; none for the
            defaults. Batch and crop are those of `shape`.
    """
    recipe = settings or Training()
    fake, twin = replica(model, channels_last=recipe.channels_last)
    with fake:
        image = torch.empty(shape, memory_format=layout(recipe.channels_last))
        return follow_training(twin, image, recipe)


def protocol(device: torch.device) -> str:
    """How peak memory is found on a device, in words for the record."""
    if device.type == "cuda":
        return (
            "measured, allocated: largest torch.cuda.max_memory_allocated less what was there "
            "before, eager; dearest experts"
        )
    return (
        "forecast: storages alive at once on fake tensors, eager; what the system's allocator "
        "keeps, and what libraries take for themselves, is not in it; dearest experts"
    )
