"""Brings the batches of a training to its device, on CUDA each while the one before is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ablate.mix import Training

Batches = Callable[[int], tuple[Tensor, Tensor]]
"""Step from 0 -> degraded and clean images, (B, 3, H, W) float32 each, on the CPU."""


def fed(
    batches: Batches, settings: Training, device: torch.device, steps: range
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of some steps, counted from 0, on the device."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    if device.type == "cuda":
        yield from _ahead(batches, layout, device, steps)
        return
    for step in steps:
        degraded, clean = batches(step)
        yield degraded.to(device, memory_format=layout), clean.to(device, memory_format=layout)


def _ahead(
    batches: Batches, layout: torch.memory_format, device: torch.device, steps: range
) -> Iterator[tuple[Tensor, Tensor]]:
    def pinned(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batches(step)
        return (
            degraded.contiguous(memory_format=layout).pin_memory(),
            clean.contiguous(memory_format=layout).pin_memory(),
        )

    if not steps:
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(pinned, steps[0])
        for step in steps:
            degraded, clean = coming.result()
            if step + 1 in steps:
                coming = thread.submit(pinned, step + 1)
            yield degraded.to(device, non_blocking=True), clean.to(device, non_blocking=True)
