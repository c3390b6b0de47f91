"""Attention at linear cost by two softmaxes: first all pixels are summed up, then each asks."""

from __future__ import annotations

from torch import Tensor, nn

from blocks._layout import check_at_least, check_heads, init_linear, to_grid, to_pixels, widened
from blocks._register import register


@register(
    family="linear_attention",
    source="Shen et al. 2021 (Efficient attention), arXiv:1812.01243, eq. 4 with softmaxes",
)
class EfficientAttention(nn.Module):
    """Each key channel is a map over the image that collects values; queries mix what they found.

    x: (B, C, H, W) -> (B, C, H, W).
    y = x + Linear(softmax_d(q) (softmax_N(k)^T v)), with q, k, v = Linear(norm(x)) in each head of
    d = C / heads channels; softmax_d over the channels of a pixel, softmax_N over the pixels of a
    channel, so that all weights that a pixel gives add up to 1; out = y + MLP(norm(y)), GELU
    inside.
    Cost: (4 + 2 mlp_ratio) C^2 + 2 C^2 / heads multiply-adds a pixel; reach: the image.
    There is no position in it, and what is collected changes with the size of the image, as every
    mean over it does. The softmax over pixels is in float32. The paper has the attention and its
    residual connection alone, put into existing networks; norms and the feed-forward part are as
    in the other attention blocks, and so is the start: Linear weights from a normal of 0.02 cut at
    +-2, biases at 0.

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
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mlp_norm = nn.LayerNorm(channels)
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
        query, key, value = (self._split(part) for part in self.qkv(tokens).chunk(3, dim=-1))
        maps = widened(key).softmax(dim=2).to(key.dtype)  # each sums to 1 over the image
        memory = maps.transpose(-2, -1) @ value  # (B, heads, d, d)
        attended: Tensor = query.softmax(dim=-1) @ memory
        return attended.transpose(1, 2).reshape(tokens.shape)

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, d)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        linear = 4 * self.channels + 2 * self.hidden
        attention = 2 * self.channels // self.heads
        return self.channels * (linear + attention) * height * width
