"""Linear attention in the shape of a Mamba block: global reach at linear cost (ACL)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, check_heads, init_linear, to_grid, to_pixels
from blocks._linear_attention import kernel_attention, key_mass, positive
from blocks._register import register


@register(
    family="linear_attention",
    source="LAMA of ACL, CVPR 2025, pp. 17913-17923; after MLLA, Han et al. 2024, arXiv:2405.16605",
)
class LinearAttentionMamba(nn.Module):
    """Kernel attention over all pixels, gated, between depth-wise convolutions; then feed-forward.

    x: (B, C, H, W) -> (B, C, H, W).
    x = x + depthwise(x); u = norm(x); gate = SiLU(Linear(u)); v = SiLU(depthwise(Linear(u)));
    q, k = ELU(Linear(v)) + 1; a = q (k^T v) / (q sum(k)) in each head;
    x = x + Linear((a + depthwise(v)) * gate); x = x + depthwise(x); out = x + MLP(norm(x)).
    Cost: (5 + 2 mlp_ratio) C^2 + 2 C^2 / heads + 37 C multiply-adds a pixel; reach: the image.
    The values are v itself, with no projection of their own. Against MLLA there is no rotary
    embedding, hence any H and W, and the feed-forward part is half as wide. ACL has released no
    code: these equations are those on which independent re-implementations agree.
    Linear weights start from a normal of 0.02 cut at +-2, biases at 0, as in MLLA.

    Args:
        channels: C; a multiple of heads.
        heads: Attention heads, each of C / heads channels.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
    """

    def __init__(self, channels: int, *, heads: int = 4, mlp_ratio: float = 2.0) -> None:
        super().__init__()
        check_heads(channels, heads)
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        self.position = _depthwise(channels)
        self.norm = nn.LayerNorm(channels)
        self.gate = nn.Linear(channels, channels)
        self.enter = nn.Linear(channels, channels)
        self.depthwise = _depthwise(channels)
        self.query_key = nn.Linear(channels, 2 * channels)
        self.local = _depthwise(channels)
        self.leave = nn.Linear(channels, channels)
        self.late_position = _depthwise(channels)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.apply(init_linear)
        self.channels, self.heads = channels, heads

    def forward(self, x: Tensor) -> Tensor:
        """Add both parts in turn, shape unchanged."""
        x = x + self.position(x)
        normed = self.norm(to_pixels(x))  # (B, H, W, C)
        value = F.silu(self.depthwise(to_grid(self.enter(normed))))  # (B, C, H, W)
        mixed = self._attend(to_pixels(value)) + to_pixels(self.local(value))
        x = x + to_grid(self.leave(mixed * F.silu(self.gate(normed))))
        x = x + self.late_position(x)
        return x + to_grid(self.mlp(self.mlp_norm(to_pixels(x))))

    def _attend(self, pixels: Tensor) -> Tensor:
        """Row-normalised kernel attention over all pixels, (B, H, W, C) -> (B, H, W, C)."""
        tokens = pixels.flatten(1, 2)  # (B, N, C), N = H W
        query, key = positive(self.query_key(tokens)).chunk(2, dim=-1)
        query, key, value = (self._split(part) for part in (query, key, tokens))
        attended = kernel_attention(query, key, value, key_mass(query, key))
        return attended.transpose(1, 2).reshape(pixels.shape)

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, d)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        linear = 5 * self.channels + 2 * self.hidden
        attention = 2 * self.channels // self.heads + 1
        depthwise = 4 * 9
        return self.channels * (linear + attention + depthwise) * height * width


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
