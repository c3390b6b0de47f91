"""Attention in windows with a bias for each relative position, shifted or not (Swin)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, check_heads, from_windows, round_up, to_windows

MASKED = -1e4  # added to a logit, it leaves nothing of it, in half floats too


class WindowAttention(nn.Module):
    """Each pixel attends to the pixels of its own window; windows may begin half a window later.

    x: (B, H, W, C) -> (B, H, W, C).
    Linear(softmax(q k^T / sqrt(d) + bias) v), with q, k, v = Linear(x) in each window and head of
    d = C / heads channels; bias is learned, one number for each head and each difference of two
    positions in a window, starting from a normal of 0.02 cut at +-2.
    Cost: 4 C^2 + 2 C window^2 multiply-adds a pixel; reach: the window.
    Windows begin at rows and columns shift, shift + window, ...; what is left at the borders is
    smaller windows. They are computed as in the original: the image is shifted cyclically, so that
    the last window of a row or column also holds what its first one left over, and pixels that
    were no neighbours do not see each other. Along an axis that one window covers there is no
    shift (the original then shifts along neither). Where the window does not divide H or W, zeros
    are added that no pixel attends to.
    Windows without such seams, nearly all, share one bias; only the last ones have masks.

    Args:
        channels: C; a multiple of heads.
        window: Side of a window, in pixels.
        heads: Attention heads, each of C / heads channels.
        shift: How many pixels later the windows begin; less than window.
    """

    def __init__(self, channels: int, *, window: int, heads: int, shift: int = 0) -> None:
        super().__init__()
        check_at_least("window", window)
        check_heads(channels, heads)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        self.project = nn.Linear(channels, channels)
        self.channels, self.window, self.heads, self.shift = channels, window, heads, shift

    def forward(self, pixels: Tensor) -> Tensor:
        """Attend within the windows of (B, H, W, C); shape unchanged."""
        height, width = pixels.shape[1:3]
        rows, columns = (_Axis(size, self.window, self.shift) for size in (height, width))
        down, right = rows.padded - height, columns.padded - width
        grid = F.pad(pixels, (0, 0, 0, right, 0, down)) if down or right else pixels
        grid = _rolled(grid, -rows.shift, -columns.shift)
        bias = self._bias_by_offset()
        bands = [
            _joined([self._attend(grid, (r, c), (rows, columns), bias) for c in columns.spans], 2)
            for r in rows.spans
        ]
        attended = _rolled(_joined(bands, 1), rows.shift, columns.shift)
        out: Tensor = self.project(attended[:, :height, :width])
        return out

    def _attend(
        self, grid: Tensor, spans: tuple[slice, slice], axes: tuple[_Axis, _Axis], bias: Tensor
    ) -> Tensor:
        """Windows that share a bias, cut from the padded image, (B, h, w, C) -> (B, h, w, C)."""
        part = grid[:, spans[0], spans[1]]
        qkv = self.qkv(to_windows(part, self.window)).unflatten(-1, (3, self.heads, -1))
        query, key, value = qkv.transpose(1, 3).unbind(2)  # (M, heads, N, d) each, N = window^2
        if not all(axis.seamless(span) for axis, span in zip(axes, spans, strict=True)):
            bias = bias.masked_fill(_seams(axes, spans, bias.device), MASKED)
        attended = _attended(query, key, value, bias)
        return from_windows(attended.transpose(1, 2).flatten(2), self.window, *part.shape[1:3])

    def _bias_by_offset(self) -> Tensor:
        """(1, heads, N, N): for each query and key the entry of their difference in position."""
        side = 2 * self.window - 1
        table = self.bias.T.reshape(self.heads, side, side)
        # At [y, x, a, b] stands table[y + a, x + b]; a = window - 1 - y' makes it y - y'.
        sliding = table.unfold(1, self.window, 1).unfold(2, self.window, 1).flip(3, 4)
        return sliding.reshape(1, self.heads, self.window**2, self.window**2)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        padded = round_up(height, self.window) * round_up(width, self.window)
        attention = padded * (3 * self.channels**2 + 2 * self.channels * self.window**2)
        return attention + height * width * self.channels**2


@dataclass(frozen=True)
class _Axis:
    """How one side of an image is cut into windows: padded, then shifted cyclically."""

    size: int
    window: int
    asked_shift: int

    @property
    def padded(self) -> int:
        return round_up(self.size, self.window)

    @property
    def shift(self) -> int:
        return self.asked_shift if self.padded > self.window else 0

    @property
    def spans(self) -> list[slice]:
        """All seamless windows together, then each other window."""
        seamless = (self.size - self.shift) // self.window * self.window
        starts = range(seamless, self.padded, self.window)
        first = [slice(0, seamless)] if seamless else []
        return first + [slice(start, start + self.window) for start in starts]

    def seamless(self, span: slice) -> bool:
        """Whether only pixels that are neighbours in the image are in these windows."""
        return int(span.stop) <= self.size - self.shift

    def kinds(self, span: slice, device: torch.device) -> Tensor:
        """(window,): 0 for pixels in their order, 1 for padding, 2 for what was shifted around."""
        if self.seamless(span):
            return torch.zeros(self.window, dtype=torch.int64, device=device)
        at = torch.arange(span.start, span.stop, device=device)
        return (at >= self.size - self.shift).long() + (at >= self.padded - self.shift)


def _attended(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v, (M, heads, N, d) three times -> (M, heads, N, d).

    No fused kernel for CPUs has a gradient for the bias; what PyTorch then falls back on takes
    care of rows that are masked altogether, which there are none of here, for a fifth of the time.
    """
    if bias.requires_grad and query.device.type == "cpu":
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        logits += bias
        attended: Tensor = logits.softmax(dim=-1).to(value.dtype) @ value
        return attended
    return F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype))


def _seams(axes: tuple[_Axis, _Axis], spans: tuple[slice, slice], device: torch.device) -> Tensor:
    """(N, N): whether a query and a key of a window are of different kinds."""
    rows, columns = (axis.kinds(span, device) for axis, span in zip(axes, spans, strict=True))
    kinds = (3 * rows[:, None] + columns).flatten()
    return kinds[:, None] != kinds


def _rolled(grid: Tensor, down: int, right: int) -> Tensor:
    return grid.roll((down, right), (1, 2)) if down or right else grid


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
