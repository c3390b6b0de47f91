"""Softmax attention between pixels, of all or of a window."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.straightforward.parts import Block, attend, from_windows, pad, windows


def global_attention(block: Block, x: Tensor) -> Tensor:
    """All pixels, with the whole matrix of weights."""
    batch, channels, height, width = x.shape
    tokens = x.flatten(2).transpose(1, 2)  # (B, N, C)
    tokens = tokens + block.project(attend(block.norm(tokens), block.qkv, block.heads))
    tokens = tokens + block.mlp(block.mlp_norm(tokens))
    return tokens.transpose(1, 2).reshape(batch, channels, height, width)


def mwsa(block: Block, x: Tensor) -> Tensor:
    """Windows of an image filled up with zeros, which take part."""
    height, width = x.shape[-2:]
    pixels = pad(x, block.window).permute(0, 2, 3, 1)
    tokens = attend(windows(block.norm(pixels), block.window), block.qkv, block.heads)
    attended = from_windows(block.project(tokens), block.window, *pixels.shape[1:3])
    pixels = pixels + attended
    pixels = pixels + block.mlp(block.mlp_norm(pixels))
    return pixels.permute(0, 3, 1, 2)[..., :height, :width]


def swin(block: Block, x: Tensor) -> Tensor:
    """Windows with a bias of position, shifted by a roll and a mask."""
    pixels = x.permute(0, 2, 3, 1)
    pixels = pixels + shifted_windows(block.attention, block.norm(pixels))
    pixels = pixels + block.mlp(block.mlp_norm(pixels))
    return pixels.permute(0, 3, 1, 2)


def shifted_windows(attention: Block, pixels: Tensor) -> Tensor:
    """Swin's window attention, (B, H, W, C) -> (B, H, W, C)."""
    side, (height, width) = attention.window, pixels.shape[1:3]
    padded = pad(pixels.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)
    sizes = tuple(padded.shape[1:3])
    shifts = tuple(attention.shift if size > side else 0 for size in sizes)
    if any(shifts):
        padded = padded.roll((-shifts[0], -shifts[1]), (1, 2))
    tokens = windows(padded, side)
    bias = _position_bias(attention)
    if any(shifts) or sizes != (height, width):
        mask = _mask((height, width), sizes, shifts, side, pixels.device)
        bias = bias + mask.repeat(len(pixels), 1, 1).unsqueeze(1)
    attended = attend(tokens, attention.qkv, attention.heads, bias)
    attended = from_windows(attention.project(attended), side, *sizes)
    if any(shifts):
        attended = attended.roll(shifts, (1, 2))
    return attended[:, :height, :width]


def _position_bias(attention: Block) -> Tensor:
    """(1, heads, N, N) by an index into the table."""
    side = attention.window
    axis = torch.arange(side, device=attention.bias.device)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)  # (2, N)
    apart = place[:, :, None] - place[:, None, :] + side - 1
    index = apart[0] * (2 * side - 1) + apart[1]
    bias: Tensor = attention.bias[index.flatten()].view(*index.shape, -1)
    return bias.permute(2, 0, 1).unsqueeze(0)


def _mask(
    image: tuple[int, int],
    sizes: tuple[int, ...],
    shifts: tuple[int, ...],
    side: int,
    device: torch.device,
) -> Tensor:
    """(windows, N, N): 0 within a region of the shifted image, minus infinity between two."""
    region = torch.zeros(1, *sizes, 1, device=device)
    for row, top in enumerate(_starts(image[0], sizes[0], shifts[0])):
        for column, left in enumerate(_starts(image[1], sizes[1], shifts[1])):
            region[:, top:, left:] = 3 * row + column
    labels = windows(region, side).squeeze(-1)
    apart = labels[:, :, None] != labels[:, None, :]
    return torch.zeros(apart.shape, device=device).masked_fill(apart, -torch.inf)


def _starts(size: int, padded: int, shift: int) -> tuple[int, int, int]:
    """Where along a side the image, its filling, and what was shifted around begin."""
    return 0, size - shift, padded - shift
