"""Attention inside square windows that grow along a stage: the attention of RestorMixer."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import (
    check_at_least,
    check_heads,
    from_windows,
    init_linear,
    pad_to_multiple,
    round_up,
    to_grid,
    to_pixels,
    to_windows,
)
from blocks._register import register


@register(
    family="attention", source="RestorMixer 2025, arXiv:2504.10967, MWSA; as its released code"
)
class MultiWindowAttention(nn.Module):
    """Each pixel attends to the pixels of its own window; then a feed-forward part.

    x: (B, C, H, W) -> (B, C, H, W).
    y = x + Linear(softmax(q k^T / sqrt(d)) v), with q, k, v = Linear(norm(x)) in each window and
    head of d = C / heads channels; out = y + MLP(norm(y)), GELU inside.
    Cost: (4 + 2 mlp_ratio) C^2 + 2 C window^2 multiply-adds a pixel; reach: the window.
    As released there is no bias of position, no shift and no mask: where the window does not
    divide H or W, zeros are added after the right and bottom edge, and these pixels take part.
    What only such pixels need is not computed, unless `spares_padding` is made false: released
    code computes it, so its counted cost is larger. Linear weights start from a normal of 0.02
    cut at +-2, biases at 0.

    Args:
        channels: C; a multiple of heads.
        index: How many of these blocks come before this one in its stage.
        window: Side of the first window, in pixels.
        heads: Attention heads, each of C / heads channels.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
        grow: The i-th of these blocks in a stage has i times the window, as released; else all
            have the same.
    """

    def __init__(
        self,
        channels: int,
        index: int = 0,
        *,
        window: int = 8,
        heads: int = 4,
        mlp_ratio: float = 2.66,
        grow: bool = True,
    ) -> None:
        super().__init__()
        check_at_least("window", window)
        check_heads(channels, heads)
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.apply(init_linear)
        self.channels, self.heads = channels, heads
        self.window = window * (index + 1) if grow else window
        self.spares_padding = True

    def forward(self, x: Tensor) -> Tensor:
        """Add what the windows hold, then the feed-forward part; shape unchanged."""
        height, width = x.shape[-2:]
        padded = to_pixels(pad_to_multiple(x, self.window))  # (B, H', W', C)
        tokens = to_windows(self.norm(padded), self.window)  # (B * windows, window^2, C)
        attended = from_windows(self._attend(tokens), self.window, *padded.shape[1:3])
        if self.spares_padding:
            padded, attended = to_pixels(x), attended[:, :height, :width]  # (B, H, W, C)
        pixels = padded + self.project(attended)
        pixels = pixels + self.mlp(self.mlp_norm(pixels))
        return to_grid(pixels[:, :height, :width])

    def _attend(self, tokens: Tensor) -> Tensor:
        """(M, N, C) -> (M, N, C), each of M windows by itself."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.heads, -1))  # (M, N, 3, heads, d)
        query, key, value = qkv.transpose(1, 3).unbind(2)  # (M, heads, N, d) each
        attended = F.scaled_dot_product_attention(query, key, value)
        return attended.transpose(1, 2).flatten(2)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        padded = round_up(height, self.window) * round_up(width, self.window)
        attention = padded * (3 * self.channels**2 + 2 * self.channels * self.window**2)
        return attention + height * width * self.channels * (self.channels + 2 * self.hidden)
