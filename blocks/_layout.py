"""What several blocks share: padding, windows, a LayerNorm over channels, checks of their knobs."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of each pixel of (B, C, H, W).

    The view as (B, H, W, C) costs nothing where memory is channels-last, and the result is.

    Args:
        channels: C.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        return to_grid(super().forward(to_pixels(x)))


def to_pixels(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W, C), a view."""
    return x.permute(0, 2, 3, 1)


def to_grid(pixels: Tensor) -> Tensor:
    """(B, H, W, C) -> (B, C, H, W), a view."""
    return pixels.permute(0, 3, 1, 2)


def widened(x: Tensor) -> Tensor:
    """The tensor in float32, or as it is where that holds more."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def round_up(size: int, multiple: int) -> int:
    """The smallest multiple that is at least size."""
    return -(-size // multiple) * multiple


def pad_to_multiple(
    x: Tensor, multiple: int, mode: Literal["constant", "replicate"] = "constant"
) -> Tensor:
    """Pad (B, C, H, W) on the right and at the bottom so that H and W are multiples."""
    height, width = x.shape[-2:]
    right, bottom = round_up(width, multiple) - width, round_up(height, multiple) - height
    return F.pad(x, (0, right, 0, bottom), mode=mode) if right or bottom else x


def to_windows(pixels: Tensor, window: int) -> Tensor:
    """(B, H, W, C) -> (B * windows, window^2, C); H and W are multiples of the window."""
    batch, height, width, channels = pixels.shape
    tiles = pixels.reshape(batch, height // window, window, width // window, window, channels)
    return tiles.transpose(2, 3).reshape(-1, window * window, channels)


def from_windows(tokens: Tensor, window: int, height: int, width: int) -> Tensor:
    """(B * windows, window^2, C) -> (B, H, W, C), the way back from `to_windows`."""
    tiles = tokens.reshape(-1, height // window, width // window, window, window, tokens.shape[-1])
    return tiles.transpose(2, 3).reshape(-1, height, width, tokens.shape[-1])


def init_linear(module: nn.Module) -> None:
    """Weights of a Linear from a normal of 0.02 cut at +-2, its bias 0; for `Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def check_at_least(name: str, value: float, least: float = 1) -> None:
    """Raise a ValueError that names a knob whose value is too small."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {name}={value}")


def check_heads(channels: int, heads: int) -> None:
    """Raise a ValueError where the channels cannot be split over the heads."""
    check_at_least("heads", heads)
    if channels % heads:
        raise ValueError(
            f"channels must be a multiple of heads; got channels={channels}, heads={heads}"
        )


def check_odd(name: str, value: int) -> None:
    """Raise a ValueError that names a knob whose value must be odd and is not."""
    check_at_least(name, value)
    if value % 2 == 0:
        raise ValueError(f"{name} must be odd; got {name}={value}")
