"""Attention inside square windows with a bias for each relative position, shifted or not."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, check_heads, from_windows, round_up, to_windows


class WindowAttention(nn.Module):
    """Each pixel attends to the pixels of its own window (Swin's W-MSA and SW-MSA).

    x: (B, H, W, C) -> (B, H, W, C).
    q, k, v = Linear(x); a = softmax(q k^T / sqrt(d) + bias) v in each window and head of
    d = C / heads channels, bias one number for each head and offset of the two pixels; out =
    Linear(a). With a shift the grid of windows starts that many pixels down and to the right; the
    windows that would cross the border are cut there, so that nothing reaches around the image.
    Cost: 4 C^2 + 2 C window^2 multiply-adds a pixel; reach: the window.
    Where the window does not divide H or W, the image is filled up on the right and at the bottom
    for the attention alone, and no pixel attends to the filling. Only the windows along these
    borders are masked; the others share one bias, so no mask as large as all scores is made.
    Biases of position start from a normal of 0.02, cut at +-2; the Linears are as PyTorch makes
    them.

    Args:
        channels: C; a multiple of heads.
        window: Side of a window, in pixels.
        heads: Attention heads, each of C / heads channels.
        shift: Where the first whole window starts, in pixels; less than the window.
    """

    def __init__(self, channels: int, *, window: int, heads: int, shift: int = 0) -> None:
        super().__init__()
        check_at_least("window", window)
        check_heads(channels, heads)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.project = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.bias, std=0.02)
        self.channels, self.window, self.heads, self.shift = channels, window, heads, shift

    def forward(self, pixels: Tensor) -> Tensor:
        """Attend within the windows of (B, H, W, C); shape unchanged."""
        height, width = pixels.shape[1:3]
        qkv = self._fill_and_shift(self.qkv(pixels))  # (B, H', W', 3 C)
        bias, zones = self._bias_by_offset(), self._zones(height, width, pixels.device)
        top, left = (self._unmasked(size) for size in (height, width))
        inner = self._attend(qkv[:, :top, :left], bias, None)
        right = self._attend(qkv[:, :top, left:], bias, zones[:top, left:])
        lower = self._attend(qkv[:, top:], bias, zones[top:])
        attended = _join(_join(inner, right, dim=2), lower, dim=1)
        if self.shift:
            attended = attended.roll((self.shift, self.shift), (1, 2))
        projected: Tensor = self.project(attended[:, :height, :width])
        return projected

    def _fill_and_shift(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3 C) -> (B, H', W', 3 C), multiples of the window."""
        height, width = pixels.shape[1:3]
        down, right = (round_up(size, self.window) - size for size in (height, width))
        if down or right:
            pixels = F.pad(pixels, (0, 0, 0, right, 0, down))
        return pixels.roll((-self.shift, -self.shift), (1, 2)) if self.shift else pixels

    def _bias_by_offset(self) -> Tensor:
        """(heads, N, N) for queries and keys of one window, N = window^2."""
        side = 2 * self.window - 1
        table = self.bias.T.reshape(self.heads, side, side)
        # At [y, x, i, j] of the unfolded table is its entry y + i, x + j: with i and j turned
        # round, the offset from key to query.
        table = table.unfold(1, self.window, 1).unfold(2, self.window, 1).flip(3, 4)
        return table.reshape(self.heads, self.window**2, self.window**2)

    def _unmasked(self, size: int) -> int:
        """How far along an axis of this size the windows are whole and within the image."""
        return max(size - self.shift, 0) // self.window * self.window

    def _zones(self, height: int, width: int, device: torch.device) -> Tensor:
        """(H', W'): pixels that may see each other, though a shift brings others beside them."""
        rows, columns = (self._axis_zones(size, device) for size in (height, width))
        return 3 * rows[:, None] + columns

    def _axis_zones(self, size: int, device: torch.device) -> Tensor:
        """Along one axis after the shift: 0 in place, 1 brought round from the start, 2 filled."""
        filled = round_up(size, self.window)
        place = torch.arange(filled, device=device)
        brought_round = place >= filled - self.shift
        came_from = place + self.shift - filled * brought_round
        return torch.where(came_from >= size, 2, brought_round.to(torch.int64))

    def _attend(self, qkv: Tensor, bias: Tensor, zones: Tensor | None) -> Tensor:
        """(B, h, w, 3 C) -> (B, h, w, C), within the windows and there within the zones."""
        batch, height, width = qkv.shape[:3]
        if not height or not width:
            return qkv[..., : self.channels]
        tokens = to_windows(qkv, self.window)  # (M, N, 3 C)
        split = tokens.reshape(*tokens.shape[:2], 3, self.heads, -1)
        query, key, value = split.transpose(1, 3).unbind(2)  # (M, heads, N, d) each
        if zones is not None:
            zone = to_windows(zones[None, ..., None], self.window)  # (windows, N, 1)
            apart = (zone != zone.transpose(1, 2))[:, None]
            bias = bias.masked_fill(apart, float("-inf")).repeat(batch, 1, 1, 1)
        attended = F.scaled_dot_product_attention(
            query, key, value, bias.expand(len(query), -1, -1, -1)
        )
        return from_windows(attended.transpose(1, 2).flatten(2), self.window, height, width)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        filled = round_up(height, self.window) * round_up(width, self.window)
        attention = 2 * self.channels * self.window**2
        return height * width * 4 * self.channels**2 + filled * attention


def _join(first: Tensor, second: Tensor, dim: int) -> Tensor:
    """Both side by side; what is empty costs nothing."""
    if not first.numel() or not second.numel():
        return first if second.shape[dim] == 0 else second
    return torch.cat([first, second], dim=dim)
