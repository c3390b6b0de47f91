"""Experts of growing width and growing windows, and their attention in the Fourier domain."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import ChannelNorm, pad_to_multiple, widened
from blocks._transposed_attention import conv1x1, conv_depthwise

Ranks = Literal["spread", "uniform"]


class FourierAttention(nn.Module):
    """Queries and keys multiplied in the Fourier domain of each window, which scale the values.

    x: (B, R, H, W) -> (B, R, H, W).
    q = depthwise3x3(conv1x1(x)); k, v = depthwise7x7(conv1x1(x));
    out = conv1x1(norm(irfft2(rfft2(q) * rfft2(k))) * v), transformed window by window.
    The product of transforms is a circular convolution of q and k; there is no softmax. Zeros
    fill the windows that stick out on the right and at the bottom, and are cropped. Transforms
    are computed in float32.
    Cost: 4 R^2 + 107 R multiply-adds a pixel beside the transforms; reach: the windows.

    Args:
        channels: R.
        window: Side of a window, in pixels.
    """

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.query = conv1x1(channels, channels, bias=False)
        self.query_depthwise = conv_depthwise(channels, 3, bias=True)
        self.key_value = conv1x1(channels, 2 * channels, bias=False)
        self.key_value_depthwise = conv_depthwise(2 * channels, 7, bias=True)
        self.norm = ChannelNorm(channels, eps=1e-5)
        self.project = conv1x1(channels, channels, bias=True)
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """Attend within the windows of (B, R, H, W)."""
        query = self.query_depthwise(self.query(x))
        key, value = self.key_value_depthwise(self.key_value(x)).chunk(2, dim=1)
        weights = self._convolve(query, key).to(self.norm.weight.dtype)
        mixed: Tensor = self.project(self.norm(weights) * value)
        return mixed

    def _convolve(self, query: Tensor, key: Tensor) -> Tensor:
        """Circular convolution in each window, (B, R, H, W) twice -> (B, R, H, W)."""
        batch, channels, height, width = query.shape
        sides = (self.window, self.window)
        product = self._transform(query) * self._transform(key)
        windows = torch.fft.irfft2(product, s=sides)  # (B, R, H' / w, W' / w, w, w)
        rows, columns = windows.shape[2] * self.window, windows.shape[3] * self.window
        whole: Tensor = windows.transpose(3, 4).reshape(batch, channels, rows, columns)
        return whole[..., :height, :width]

    def _transform(self, x: Tensor) -> Tensor:
        """(B, R, H, W) -> (B, R, H' / w, W' / w, w, w / 2 + 1), complex."""
        padded = pad_to_multiple(widened(x), self.window)
        height, width = padded.shape[-2:]
        counts = height // self.window, width // self.window
        tiles = padded.reshape(*x.shape[:2], counts[0], self.window, counts[1], self.window)
        transformed: Tensor = torch.fft.rfft2(tiles.transpose(3, 4))
        return transformed


class ComplexityExpert(nn.Module):
    """Attention of one rank and window, scaled by what all experts share, added to its input.

    x, shared: (B, C, H, W) -> (B, C, H, W).
    out = x + conv1x1(FourierAttention(conv1x1(x)) * SiLU(conv1x1(shared))), of R channels inside.
    Cost: 3 C R + 4 R^2 + 107 R multiply-adds a pixel beside the transforms.

    Args:
        channels: C.
        rank: R.
        window: Side of its windows, in pixels.
    """

    def __init__(self, channels: int, rank: int, window: int) -> None:
        super().__init__()
        self.enter = conv1x1(channels, rank, bias=False)
        self.gate = conv1x1(channels, rank, bias=False)
        self.attention = FourierAttention(rank, window)
        self.leave = conv1x1(rank, channels, bias=False)
        self.macs_per_pixel = 3 * channels * rank + 4 * rank**2 + 107 * rank

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:
        """Add what the expert finds to (B, C, H, W)."""
        found = self.attention(self.enter(x)) * F.silu(self.gate(shared))
        added: Tensor = x + self.leave(found)
        return added


def expert_ranks(kind: Ranks, channels: int, experts: int) -> tuple[int, ...]:
    """The rank of each expert.

    Args:
        kind: spread: the last has C and each before it half as many, rounded down. uniform: all
            have the rank whose parameters are nearest to the mean of the spread ones'.
        channels: C.
        experts: How many there are.

    Raises:
        ValueError: The first of the spread ranks would be 0.
    """
    if channels < 2 ** (experts - 1):
        raise ValueError(
            f"channels must be at least 2^(experts - 1); got channels={channels}, experts={experts}"
        )
    spread = tuple(channels // 2 ** (experts - 1 - i) for i in range(experts))
    if kind == "spread":
        return spread
    mean = sum(expert_parameters(channels, rank) for rank in spread) / experts
    nearest = min(
        range(1, channels + 1), key=lambda rank: abs(expert_parameters(channels, rank) - mean)
    )
    return (nearest,) * experts


def expert_parameters(channels: int, rank: int) -> int:
    """Numbers in one expert's parameters."""
    return 3 * channels * rank + 4 * rank**2 + 113 * rank
