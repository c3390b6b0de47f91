"""Attention in windows that are shifted from block to block: Swin, as SwinIR restores with it."""

from __future__ import annotations

from torch import Tensor, nn

from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._register import register
from blocks._window_attention import WindowAttention


@register(
    family="attention",
    source="Liu et al. 2021 (Swin), arXiv:2103.14030, eq. 3-4; as SwinIR has it, arXiv:2108.10257",
)
class Swin(nn.Module):
    """Each pixel attends to the pixels of its own window, cut elsewhere in each second block.

    x: (B, C, H, W) -> (B, C, H, W).
    y = x + Linear(softmax(q k^T / sqrt(d) + bias) v), with q, k, v = Linear(norm(x)) in each window
    and head of d = C / heads channels; out = y + MLP(norm(y)), GELU inside.
    Cost: (4 + 2 mlp_ratio) C^2 + 2 C window^2 multiply-adds a pixel; reach: the window.
    bias is learned, one number for each head and each difference of two positions in a window.
    In odd blocks of a stage windows begin half a window later; what is left at the borders is
    smaller windows. Along an axis that one window covers nothing is shifted (the original then
    shifts along neither). SwinIR fills up whole images by reflection to multiples of the window;
    here any H and W come through: zeros are added after the right and bottom edge for the
    attention alone, and no pixel attends to them.
    SwinIR has 6 heads with C = 60 or 180, mlp_ratio 2; Swin for recognition has mlp_ratio 4.
    Linear weights and the bias of position start from a normal of 0.02 cut at +-2, other biases
    at 0. Left out: drop path and dropout.

    Args:
        channels: C; a multiple of heads.
        index: How many of these blocks come before this one in its stage.
        window: Side of a window, in pixels.
        heads: Attention heads, each of C / heads channels.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
        shift: Whether windows are shifted by window / 2, rounded down, in odd blocks.
    """

    def __init__(
        self,
        channels: int,
        index: int = 0,
        *,
        window: int = 8,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        shift: bool = True,
    ) -> None:
        super().__init__()
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        later = window // 2 if shift and index % 2 else 0
        self.norm = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, window=window, heads=heads, shift=later)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.apply(init_linear)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Add what the windows hold, then the feed-forward part; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        pixels = pixels + self.attention(self.norm(pixels))
        pixels = pixels + self.mlp(self.mlp_norm(pixels))
        return to_grid(pixels)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        mlp = 2 * self.channels * self.hidden * height * width
        return self.attention.macs(height, width) + mlp
