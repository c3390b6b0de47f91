"""Blocks that scan: pixels copied into a sequence for each path, and back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.straightforward.attention import shifted_windows
from benchmarks.straightforward.parts import Block, channel_attention, in_place_of
from benchmarks.straightforward.scans import Scan, loop


def vss(block: Block, x: Tensor, scan: Scan = loop) -> Tensor:
    """MambaIR's block with its convolutions: the block's default knobs."""
    pixels = x.permute(0, 2, 3, 1)
    pixels = block.scale * pixels + scanned(block.scan, block.norm(pixels), scan)
    near = block.local_norm(pixels).permute(0, 3, 1, 2)
    *convolutions, attention = block.local
    for part in convolutions:
        near = part(near)
    near = channel_attention(attention, near).permute(0, 2, 3, 1)
    return (block.local_scale * pixels + near).permute(0, 3, 1, 2)


def maib(block: Block, x: Tensor, scan: Scan = loop) -> Tensor:
    """MaIR's block."""
    pixels = x.permute(0, 2, 3, 1)
    pixels = block.scale * pixels + scanned(block.scan, block.norm(pixels), scan)
    pixels = block.mlp_scale * pixels + block.mlp(block.mlp_norm(pixels))
    return pixels.permute(0, 3, 1, 2)


def emvm(block: Block, x: Tensor, scan: Scan = loop) -> Tensor:
    """RestorMixer's block."""
    height, width = x.shape[-2:]
    pixels = x.permute(0, 2, 3, 1)
    normed = block.norm(pixels)
    small = scanned(block.half_scan, in_place_of(normed, block.down), scan)
    half = in_place_of(small, block.up)[:, :height, :width]
    pixels = block.scale * pixels + scanned(block.full_scan, normed, scan) + half
    pixels = block.mlp_scale * pixels + block.mlp(block.mlp_norm(pixels))
    return pixels.permute(0, 3, 1, 2)


def assb(block: Block, x: Tensor, scan: Scan = loop) -> Tensor:
    """MambaIRv2's layer with gated feed-forward parts: the block's default knobs."""
    pixels = x.permute(0, 2, 3, 1)
    y = pixels + shifted_windows(block.attention, block.norm(pixels))
    y = y + _gated(block.mlp, block.mlp_norm(y)) + block.scale * pixels
    z = y + _sorted_scan(block.scan, y, scan)
    z = z + _gated(block.late_mlp, block.late_mlp_norm(z)) + block.late_scale * y
    return z.permute(0, 3, 1, 2)


def mamba2(block: Block, x: Tensor, scan: Scan = loop) -> Tensor:
    """Mamba-2's scan as one whose states all decay alike: the block's default knobs."""
    pixels = x.permute(0, 2, 3, 1)
    sizes = [block.inner, block.mixed, block.heads]
    z, mixed, delta = torch.split(block.enter(block.norm(pixels)), sizes, dim=-1)
    mixed = F.silu(in_place_of(mixed, block.depthwise)).flatten(1, 2).transpose(1, 2)
    u, write, read = torch.split(mixed, [block.inner, block.states, block.states], dim=1)
    width_of_head = block.inner // block.heads
    rates = -torch.exp(block.log_rate).repeat_interleave(width_of_head)
    y = scan(
        u,
        delta.flatten(1, 2).transpose(1, 2).repeat_interleave(width_of_head, dim=1),
        rates[:, None].repeat(1, block.states),
        write.unsqueeze(1),
        read.unsqueeze(1),
        block.skip.repeat_interleave(width_of_head),
        block.step_bias.repeat_interleave(width_of_head),
    )
    y = y.transpose(1, 2).reshape(z.shape) * F.silu(z)
    return (pixels + block.leave(block.gated_norm(y))).permute(0, 3, 1, 2)


def scanned(part: Block, pixels: Tensor, scan: Scan) -> Tensor:
    """SS2D, (B, H, W, C) -> (B, H, W, C)."""
    a, z = part.enter(pixels).chunk(2, dim=-1)
    grid = F.silu(part.depthwise(a.permute(0, 3, 1, 2).contiguous()))
    y = _along_paths(part, grid, scan)  # (B, K, D, H, W)
    if part.attention is not None:
        y = y * _path_weights(part.attention, y)
    y = part.norm(y.sum(1).permute(0, 2, 3, 1))
    out: Tensor = part.leave(y * F.silu(z))
    return out


def _along_paths(part: Block, grid: Tensor, scan: Scan) -> Tensor:
    """(B, D, H, W) -> (B, K, D, H, W), through K copies of the image, each in its order."""
    batch, channels, height, width = grid.shape
    sequences = torch.stack([_to_path(part, grid, path) for path in part.paths], dim=1)
    selected = torch.einsum("bkdl,kcd->bkcl", sequences, part.select)
    low, write, read = torch.split(selected, [part.rank, part.states, part.states], dim=2)
    delta = torch.einsum("bkrl,kdr->bkdl", low, part.step)
    y = scan(
        sequences.reshape(batch, -1, height * width),
        delta.reshape(batch, -1, height * width),
        -torch.exp(part.log_rate),
        write,
        read,
        part.skip,
        part.step_bias,
    ).view(batch, -1, channels, height * width)
    back = zip(y.unbind(1), part.paths, strict=True)
    return torch.stack([_from_path(part, one, path, height, width) for one, path in back], dim=1)


def _to_path(part: Block, grid: Tensor, path: str) -> Tensor:
    """(B, D, H, W) -> (B, D, L)."""
    if part.walk.order != "raster":
        order = torch.tensor(_visited(part.walk, path, *grid.shape[2:]), device=grid.device)
        return grid.flatten(2)[:, :, order]
    if path.startswith("columns"):
        grid = grid.transpose(2, 3)
    sequence = grid.flatten(2)
    return sequence.flip(-1) if path.endswith("back") else sequence


def _from_path(part: Block, sequence: Tensor, path: str, height: int, width: int) -> Tensor:
    """(B, D, L) -> (B, D, H, W)."""
    if part.walk.order != "raster":
        order = torch.tensor(_visited(part.walk, path, height, width), device=sequence.device)
        return sequence[:, :, order.argsort()].unflatten(-1, (height, width))
    if path.endswith("back"):
        sequence = sequence.flip(-1)
    if path.startswith("columns"):
        return sequence.unflatten(-1, (width, height)).transpose(2, 3)
    return sequence.unflatten(-1, (height, width))


@lru_cache(maxsize=64)
def _visited(walk: Block, path: str, height: int, width: int) -> list[int]:
    """Raster indices in the order in which MaIR's nested stripes pass by them."""
    if path.startswith("columns"):
        turned = _visited(walk, path.replace("columns", "rows"), width, height)
        return [pixel % height * width + pixel // height for pixel in turned]
    pixels = list(_snakes(walk.stripe, walk.shifted, height, width))
    last = height * width - 1
    return [last - pixel for pixel in pixels] if path.endswith("back") else pixels


def _snakes(stripe: int, shifted: bool, height: int, width: int) -> Iterator[int]:
    """Stripes from left to right, down and up in turn, each row by row, there and back in turn."""
    borders = [0, *range(max(stripe // 2, 1) if shifted else stripe, width, stripe), width]
    for number in range(len(borders) - 1):
        columns = list(range(borders[number], borders[number + 1]))
        rows = range(height) if number % 2 == 0 else range(height - 1, -1, -1)
        for line, row in enumerate(rows):
            yield from (row * width + c for c in (columns if line % 2 == 0 else columns[::-1]))


def _path_weights(attention: Block, y: Tensor) -> Tensor:
    """(B, K, D, H, W) -> (B, K, D, 1, 1): MaIR's sequence shuffle attention."""
    batch, paths, channels = y.shape[:3]
    means = y.mean((3, 4)).transpose(1, 2).reshape(batch, -1, 1, 1)  # the paths of a channel, next
    weights = torch.sigmoid(attention.weigh(means))
    return weights.view(batch, channels, paths, 1, 1).transpose(1, 2)


def _sorted_scan(part: Block, pixels: Tensor, scan: Scan) -> Tensor:
    """MambaIRv2's attentive state space, (B, H, W, C) -> (B, H, W, C)."""
    normed = part.norm(pixels)
    choice = _choice(part, normed.flatten(1, 2))  # (B, L, T)
    prompt = choice @ (part.pool_tokens @ part.pool_states)
    grid = part.enter(normed.permute(0, 3, 1, 2))
    tokens = (grid * torch.sigmoid(part.gate(grid))).flatten(2).transpose(1, 2)  # (B, L, D)
    order = torch.sort(choice.argmax(-1), dim=-1, stable=True).indices
    y = _prompted_scan(part, _taken(tokens, order), prompt, scan)
    y = part.leave(part.scan_norm(y))
    return _taken(y, order.argsort(dim=-1)).view(pixels.shape)


def _choice(part: Block, normed: Tensor) -> Tensor:
    """One token for each pixel, with the gradient of a softmax."""
    logits = part.route(normed)
    if part.training:
        logits = logits - torch.empty_like(logits).exponential_().log()
    soft = torch.softmax(logits, dim=-1)
    hard = F.one_hot(logits.argmax(-1), logits.shape[-1]).to(soft.dtype)
    return hard + soft - soft.detach()


def _prompted_scan(part: Block, tokens: Tensor, prompt: Tensor, scan: Scan) -> Tensor:
    """(B, L, D) -> (B, L, D)."""
    sequence = tokens.transpose(1, 2)
    selected = torch.einsum("bdl,cd->bcl", sequence, part.select)
    low, write, read = torch.split(selected, [part.step_rank, part.states, part.states], dim=1)
    y = scan(
        sequence,
        torch.einsum("brl,dr->bdl", low, part.step),
        -torch.exp(part.log_rate),
        write.unsqueeze(1),
        (read + prompt.transpose(1, 2)).unsqueeze(1),
        part.skip,
        part.step_bias,
    )
    return y.transpose(1, 2)


def _taken(tokens: Tensor, order: Tensor) -> Tensor:
    """The tokens of (B, L, D) at the places (B, L)."""
    return tokens.gather(1, order.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def _gated(part: Block, pixels: Tensor) -> Tensor:
    """MambaIRv2's gated feed-forward part."""
    value, gate = F.gelu(part.enter(pixels)).chunk(2, dim=-1)
    out: Tensor = part.leave(value * in_place_of(part.norm(gate), part.depthwise))
    return out
