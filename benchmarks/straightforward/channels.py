"""Attention between channels, the feed-forward part that comes with it, and experts with both."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.straightforward.parts import Block, channel_norm, pad


def mdta_gdfn(block: Block, x: Tensor) -> Tensor:
    """Restormer's block."""
    x = x + transposed(block.attention, channel_norm(block.norm, x))
    return x + feed_forward(block.mlp, channel_norm(block.mlp_norm, x))


def mhamb(block: Block, x: Tensor) -> Tensor:
    """Its attention alone."""
    return transposed(block.attention, x)


def moce(block: Block, x: Tensor) -> Tensor:
    """All experts run on all images; a mask leaves what was chosen."""
    normed = channel_norm(block.norm, x)
    shared = transposed(block.shared, block.enter_shared(normed))
    own = block.enter_routed(normed)
    gates = _gates(block.router, own)
    found = torch.stack([_expert(each, own, shared) for each in block.routed.each], dim=1)
    routed = block.leave_routed((gates[:, :, None, None, None] * found).sum(1))
    x = x + _cross(block.cross, routed, shared)
    return x + feed_forward(block.mlp, channel_norm(block.mlp_norm, x))


def transposed(attention: Block, x: Tensor) -> Tensor:
    """MDTA, (B, C, H, W) -> (B, C, H, W)."""
    query, key, value = attention.depthwise(attention.qkv(x)).chunk(3, dim=1)
    return _mixed(attention, query, key, value)


def feed_forward(part: Block, x: Tensor) -> Tensor:
    """GDFN, (B, C, H, W) -> (B, C, H, W)."""
    first, second = part.depthwise(part.enter(x)).chunk(2, dim=1)
    left: Tensor = part.leave(F.gelu(first) * second)
    return left


def _cross(attention: Block, x: Tensor, y: Tensor) -> Tensor:
    query = attention.query_depthwise(attention.query(x))
    key, value = attention.key_value_depthwise(attention.key_value(y)).chunk(2, dim=1)
    return _mixed(attention, query, key, value)


def _mixed(attention: Block, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    batch, channels, height, width = value.shape
    shape = (batch, attention.heads, channels // attention.heads, height * width)
    query, key, value = (part.reshape(shape) for part in (query, key, value))
    query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
    weights = torch.softmax(query @ key.transpose(-2, -1) * attention.temperature, dim=-1)
    mixed: Tensor = attention.project((weights @ value).reshape(batch, channels, height, width))
    return mixed


def _gates(router: Block, x: Tensor) -> Tensor:
    """(B, experts): the largest of a softmax, 0 for the others."""
    logits = router.gate(F.adaptive_avg_pool2d(x, 1).flatten(1))
    if router.training:
        logits = logits + torch.randn_like(logits) / logits.shape[1]
    scores = torch.softmax(logits, dim=1)
    values, chosen = scores.topk(router.active, dim=1)
    return torch.zeros_like(scores).scatter(1, chosen, values)


def _expert(expert: Block, x: Tensor, shared: Tensor) -> Tensor:
    found = _fourier(expert.attention, expert.enter(x)) * F.silu(expert.gate(shared))
    added: Tensor = x + expert.leave(found)
    return added


def _fourier(attention: Block, x: Tensor) -> Tensor:
    """Products of transforms, window by window."""
    query = attention.query_depthwise(attention.query(x))
    key, value = attention.key_value_depthwise(attention.key_value(x)).chunk(2, dim=1)
    height, width = x.shape[-2:]
    product = torch.fft.rfft2(_tiles(query, attention.window))
    product = product * torch.fft.rfft2(_tiles(key, attention.window))
    tiles = torch.fft.irfft2(product, s=(attention.window, attention.window))
    batch, channels, down, right, side, _ = tiles.shape
    whole = tiles.permute(0, 1, 2, 4, 3, 5).reshape(batch, channels, down * side, right * side)
    mixed: Tensor = channel_norm(attention.norm, whole[..., :height, :width])
    projected: Tensor = attention.project(mixed * value)
    return projected


def _tiles(x: Tensor, side: int) -> Tensor:
    """(B, R, H, W) -> (B, R, rows, columns, side, side)."""
    x = pad(x, side)
    batch, channels, height, width = x.shape
    tiles = x.reshape(batch, channels, height // side, side, width // side, side)
    return tiles.permute(0, 1, 2, 4, 3, 5)
