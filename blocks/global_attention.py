"""Every pixel attends to every pixel: the attention that all others approximate."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, check_heads, init_linear, to_grid, to_pixels
from blocks._register import register


@register(
    family="attention",
    source="Vaswani et al. 2017, arXiv:1706.03762, eq. 1; norms first, as ViT has them, "
    "Dosovitskiy et al. 2021, arXiv:2010.11929, eq. 2-3",
)
class GlobalAttention(nn.Module):
    """Softmax attention over all pixels of the image; then a feed-forward part.

    x: (B, C, H, W) -> (B, C, H, W).
    y = x + Linear(softmax(q k^T / sqrt(d)) v), with q, k, v = Linear(norm(x)) over all pixels and
    in each head of d = C / heads channels; out = y + MLP(norm(y)), GELU inside.
    Cost: (4 + 2 mlp_ratio) C^2 H W + 2 C (H W)^2 multiply-adds, quadratic in pixels: twice the
    side is 16 times the work, and 256 x 256 pixels with C = 32 are 276 G. For small stages, or
    as the mark that cheaper attention is measured against; reach: the image.
    Memory is linear in pixels where a fused kernel runs, quadratic in each head where none does.
    There is no position in it: shuffled pixels give shuffled outputs. ViT adds positions of one
    image size to its input; here the convolutions around a stage have to tell, for any H and W.
    Norms have eps 1e-6. Linear weights start from a normal of 0.02 cut at +-2, biases at 0. Left
    out: drop path and dropout.

    Args:
        channels: C; a multiple of heads.
        heads: Attention heads, each of C / heads channels.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
    """

    def __init__(self, channels: int, *, heads: int = 4, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        check_heads(channels, heads)
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mlp_norm = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.apply(init_linear)
        self.channels, self.heads = channels, heads

    def forward(self, x: Tensor) -> Tensor:
        """Add what the image holds, then the feed-forward part; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        attended = self._attend(self.norm(pixels).flatten(1, 2))
        pixels = pixels + self.project(attended).reshape(pixels.shape)
        pixels = pixels + self.mlp(self.mlp_norm(pixels))
        return to_grid(pixels)

    def _attend(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C), N = H W."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.heads, -1))  # (B, N, 3, heads, d)
        query, key, value = qkv.transpose(1, 3).unbind(2)  # (B, heads, N, d) each
        attended = F.scaled_dot_product_attention(query, key, value)
        return attended.transpose(1, 2).flatten(2)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        pixels = height * width
        linear = 4 * self.channels**2 + 2 * self.channels * self.hidden
        return pixels * (linear + 2 * self.channels * pixels)
