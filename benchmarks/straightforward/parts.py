"""What many blocks are made of, as a paper writes it: norms, heads, windows, pooled channels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Block = Any  # one of `blocks`, whose weights are read by name


def channel_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """LayerNorm over the channels of (B, C, H, W)."""
    pixels = x.permute(0, 2, 3, 1)
    pixels = F.layer_norm(pixels, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return pixels.permute(0, 3, 1, 2)


def gate(x: Tensor) -> Tensor:
    """The first half of the channels times the second."""
    first, second = x.chunk(2, dim=1)
    return first * second


def channel_attention(attention: Block, x: Tensor) -> Tensor:
    """Squeeze and excitation: x * sigmoid(conv1x1(ReLU(conv1x1(mean of x over H, W))))."""
    mean = F.adaptive_avg_pool2d(x, 1)
    return x * torch.sigmoid(attention.excite(F.relu(attention.squeeze(mean))))


def to_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    batch, count, channels = tokens.shape
    return tokens.view(batch, count, heads, channels // heads).permute(0, 2, 1, 3)


def from_heads(parts: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, C), the way back from `to_heads`."""
    batch, heads, count, depth = parts.shape
    return parts.permute(0, 2, 1, 3).reshape(batch, count, heads * depth)


def attend(tokens: Tensor, qkv: nn.Linear, heads: int, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v in each head, (B, N, C) -> (B, N, C)."""
    query, key, value = (to_heads(part, heads) for part in qkv(tokens).chunk(3, dim=-1))
    logits = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias
    return from_heads(torch.softmax(logits, dim=-1) @ value)


def windows(pixels: Tensor, side: int) -> Tensor:
    """(B, H, W, C) -> (B * windows, side^2, C)."""
    batch, height, width, channels = pixels.shape
    tiles = pixels.reshape(batch, height // side, side, width // side, side, channels)
    tiles = tiles.permute(0, 1, 3, 2, 4, 5).contiguous()
    return tiles.view(-1, side * side, channels)


def from_windows(tokens: Tensor, side: int, height: int, width: int) -> Tensor:
    """(B * windows, side^2, C) -> (B, H, W, C)."""
    channels = tokens.shape[-1]
    tiles = tokens.view(-1, height // side, width // side, side, side, channels)
    return tiles.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)


def pad(x: Tensor, multiple: int) -> Tensor:
    """Zeros at the right and bottom of (B, C, H, W) up to multiples."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple))


def in_place_of(pixels: Tensor, layer: nn.Module) -> Tensor:
    """A layer for (B, C, H, W), such as a convolution, applied to (B, H, W, C)."""
    out: Tensor = layer(pixels.permute(0, 3, 1, 2))
    return out.permute(0, 2, 3, 1)
