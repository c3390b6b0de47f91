"""Attention between channels instead of pixels: its cost is linear in H W."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks._layout import check_heads, to_grid, to_pixels, widened

SMALLEST_NORM = 1e-12  # keeps a channel of zeros from dividing by 0
NARROW = 16  # channels of a head, below which CPUs multiply pixels faster once they are copied


class TransposedAttention(nn.Module):
    """Channels attend to channels of their head, by how alike they are over the image (MDTA).

    x: (B, C, H, W) -> (B, C, H, W).
    q, k, v = depthwise3x3(conv1x1(x)); out = conv1x1(softmax(temperature * q k^T / (|q| |k|)) v)
    in each head of d = C / heads channels, with norms and products over all H W pixels.
    Cost: 4 C^2 + 27 C + 2 C^2 / heads multiply-adds a pixel; reach: the image.
    Source: Zamir et al. 2022, arXiv:2111.09881, equation 1.

    Args:
        channels: C; a multiple of heads.
        heads: Attention heads; each has a temperature that starts at 1.
        bias: Whether the convolutions have biases.
        depthwise: Whether there are depth-wise convolutions (MDTA) or not (MTA).
    """

    def __init__(self, channels: int, heads: int, *, bias: bool, depthwise: bool = True) -> None:
        super().__init__()
        check_heads(channels, heads)
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = conv1x1(channels, 3 * channels, bias=bias)
        self.depthwise = conv_depthwise(3 * channels, 3, bias=bias) if depthwise else nn.Identity()
        self.project = conv1x1(channels, channels, bias=bias)
        self.channels, self.heads = channels, heads

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of (B, C, H, W)."""
        query, key, value = self.depthwise(self.qkv(x)).chunk(3, dim=1)  # (B, C, H, W) each
        mixed: Tensor = self.project(attend(query, key, value, self.temperature))
        return mixed

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        taps = 0 if isinstance(self.depthwise, nn.Identity) else 27
        products = 2 * self.channels // self.heads
        return self.channels * (4 * self.channels + taps + products) * height * width


class CrossTransposedAttention(nn.Module):
    """Channels of one image attend to channels of another: queries from x, all else from y.

    x, y: (B, C, H, W) -> (B, C, H, W).
    As `TransposedAttention`, with k and v from 7x7 depth-wise convolutions.
    Cost: 4 C^2 + 107 C + 2 C^2 / heads multiply-adds a pixel; reach: the image.
    Source: Zamfir et al. 2025 (MoCE-IR), arXiv:2411.18466; as its released code.

    Args:
        channels: C; a multiple of heads.
        heads: Attention heads; each has a temperature that starts at 1.
        bias: Whether the convolutions have biases.
    """

    def __init__(self, channels: int, heads: int, *, bias: bool) -> None:
        super().__init__()
        check_heads(channels, heads)
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.query = conv1x1(channels, channels, bias=bias)
        self.query_depthwise = conv_depthwise(channels, 3, bias=bias)
        self.key_value = conv1x1(channels, 2 * channels, bias=bias)
        self.key_value_depthwise = conv_depthwise(2 * channels, 7, bias=bias)
        self.project = conv1x1(channels, channels, bias=bias)
        self.channels, self.heads = channels, heads

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Mix the channels of y as those of x ask for."""
        query = self.query_depthwise(self.query(x))  # (B, C, H, W)
        key, value = self.key_value_depthwise(self.key_value(y)).chunk(2, dim=1)
        mixed: Tensor = self.project(attend(query, key, value, self.temperature))
        return mixed

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        products = 2 * self.channels // self.heads
        return self.channels * (4 * self.channels + 9 + 2 * 49 + products) * height * width


def attend(query: Tensor, key: Tensor, value: Tensor, temperature: Tensor) -> Tensor:
    """softmax(temperature * cosine of queries and keys) values, over the channels of each head.

    The cosines are the products divided by the lengths of their factors: the same as products of
    normalised factors, without writing those.

    Args:
        query: (B, C, H, W), C = heads * d.
        key: (B, C, H, W).
        value: (B, C, H, W).
        temperature: (heads, 1, 1).

    Returns:
        (B, C, H, W).
    """
    heads, apart = temperature.shape[0], _pixels_are_apart(value)
    if apart and value.device.type == "cpu" and value.shape[1] < NARROW * heads:
        query, key, value = (part.contiguous() for part in (query, key, value))
    query, key, values = (_by_head(part, heads) for part in (query, key, value))
    lengths = _lengths(query) * _lengths(key).transpose(-2, -1)  # (B, heads, d, d)
    cosines = widened(query @ key.transpose(-2, -1)) / lengths
    weights = (cosines * temperature).softmax(dim=-1).to(values.dtype)
    if _pixels_are_apart(value):
        mixed = values.transpose(-2, -1) @ weights.transpose(-2, -1)  # (B, heads, H W, d)
        return to_grid(mixed.transpose(1, 2).reshape(to_pixels(value).shape))
    mixed = (weights @ values).reshape(value.shape)
    return mixed.contiguous(memory_format=torch.channels_last) if apart else mixed


def conv1x1(inputs: int, outputs: int, *, bias: bool) -> nn.Conv2d:
    """A linear map of each pixel's channels."""
    return nn.Conv2d(inputs, outputs, 1, bias=bias)


def conv_depthwise(channels: int, kernel: int, *, bias: bool) -> nn.Conv2d:
    """Each channel by itself, shape kept."""
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=bias)


def _pixels_are_apart(x: Tensor) -> bool:
    """Whether channels lie side by side in memory, as in channels-last memory, and not pixels."""
    return x.stride(1) == 1


def _by_head(x: Tensor, heads: int) -> Tensor:
    """(B, C, H, W) -> (B, heads, d, H W), a view."""
    batch, channels, height, width = x.shape
    if not _pixels_are_apart(x):
        return x.reshape(batch, heads, channels // heads, height * width)
    tokens = to_pixels(x).reshape(batch, height * width, heads, channels // heads)
    return tokens.permute(0, 2, 3, 1)


def _lengths(rows: Tensor) -> Tensor:
    """(..., H W) -> (..., 1), in float32 at least."""
    wide = torch.promote_types(rows.dtype, torch.float32)
    norms: Tensor = torch.linalg.vector_norm(rows, dim=-1, keepdim=True, dtype=wide)
    return norms.clamp_min(SMALLEST_NORM)
