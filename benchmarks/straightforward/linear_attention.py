"""Attention with positive kernels in place of a softmax."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.straightforward.parts import Block, from_heads, in_place_of, to_heads

EPSILON = 1e-6


def lama(block: Block, x: Tensor) -> Tensor:
    """ACL's linear attention."""
    return _mamba_like(block, x, block.query_key, rotary=False)


def mlla(block: Block, x: Tensor) -> Tensor:
    """The same with a rotary embedding: the block's default knobs."""
    return _mamba_like(block, x, block.attention.query_key, rotary=True)


def _mamba_like(block: Block, x: Tensor, query_key: torch.nn.Linear, rotary: bool) -> Tensor:
    heads = block.heads if hasattr(block, "heads") else block.attention.heads
    x = x + block.position(x)
    normed = block.norm(x.permute(0, 2, 3, 1))
    value = F.silu(in_place_of(block.enter(normed), block.depthwise))
    attended = _attend(value, query_key, heads, rotary)
    mixed = attended + in_place_of(value, block.local)
    x = x + block.leave(mixed * F.silu(block.gate(normed))).permute(0, 3, 1, 2)
    x = x + block.late_position(x)
    return x + block.mlp(block.mlp_norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


def _attend(value: Tensor, query_key: torch.nn.Linear, heads: int, rotary: bool) -> Tensor:
    """(B, H, W, C) -> (B, H, W, C)."""
    batch, height, width, channels = value.shape
    query, key = (F.elu(query_key(value)) + 1).chunk(2, dim=-1)
    turned_query, turned_key = (_turned(query), _turned(key)) if rotary else (query, key)
    parts = (query, key, turned_query, turned_key, value)
    tokens = (to_heads(part.reshape(batch, height * width, channels), heads) for part in parts)
    query, key, turned_query, turned_key, values = tokens
    scale = (height * width) ** -0.5
    memory = (turned_key.transpose(-2, -1) * scale) @ (values * scale)
    mass = query @ key.mean(dim=-2, keepdim=True).transpose(-2, -1) + EPSILON
    return from_heads(turned_query @ memory / mass).reshape(batch, height, width, channels)


def _turned(pixels: Tensor) -> Tensor:
    """Rotary embedding: pairs of channels turned by row, then pairs turned by column."""
    height, width, channels = pixels.shape[1:]
    powers = torch.arange(channels // 4, device=pixels.device, dtype=pixels.dtype)
    rates = 10000 ** -(powers / (channels // 4))
    rows = torch.arange(height, device=pixels.device, dtype=pixels.dtype)
    columns = torch.arange(width, device=pixels.device, dtype=pixels.dtype)
    by_row = (rows[:, None] * rates)[:, None, :].expand(-1, width, -1)
    by_column = (columns[:, None] * rates)[None, :, :].expand(height, -1, -1)
    angles = torch.cat([by_row, by_column], dim=-1)  # (H, W, C / 2)
    cosine, sine = angles.cos(), angles.sin()
    even, odd = pixels[..., 0::2], pixels[..., 1::2]
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    return turned.flatten(-2)


def efficient_attention(block: Block, x: Tensor) -> Tensor:
    """Softmax of the queries over channels, of the keys over pixels."""
    batch, channels, height, width = x.shape
    tokens = x.flatten(2).transpose(1, 2)  # (B, N, C)
    parts = block.qkv(block.norm(tokens)).chunk(3, dim=-1)
    query, key, value = (to_heads(part, block.heads) for part in parts)
    memory = torch.softmax(key, dim=-2).transpose(-2, -1) @ value
    tokens = tokens + block.project(from_heads(torch.softmax(query, dim=-1) @ memory))
    tokens = tokens + block.mlp(block.mlp_norm(tokens))
    return tokens.transpose(1, 2).reshape(batch, channels, height, width)
