"""What networks are given when they are measured: noise, in a memory layout and a precision."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

HALVES: Final[Mapping[str, torch.dtype]] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Precisions that are reached by autocast."""


def cast(kind: str, precision: str) -> AbstractContextManager[object]:
    """Autocast on a kind of device where the precision is a half one; nothing otherwise."""
    dtype = HALVES.get(precision)
    return torch.autocast(kind, dtype=dtype) if dtype else nullcontext()


def layout(channels_last: bool) -> torch.memory_format:
    """The memory format of images and weights."""
    return torch.channels_last if channels_last else torch.contiguous_format


def noise(shape: tuple[int, ...], device: torch.device | str, channels_last: bool) -> Tensor:
    """The same uniform noise (B, C, H, W) every time: zeros can take short cuts and less power."""
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return image.to(device=device, memory_format=layout(channels_last))


def placed(model: Network, device: torch.device | str, channels_last: bool) -> Network:
    """A network in evaluation mode, on its device and in its memory layout."""
    model.eval().to(device=device, memory_format=layout(channels_last))  # type: ignore[call-overload]
    return model
