"""Feed-forward parts of 1x1 convolutions: gated, with a depth-wise convolution, or neither."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least
from blocks._transposed_attention import conv1x1, conv_depthwise

FeedForward = Literal["gdfn", "dfn", "gfn", "fn"]


class GatedFeedForward(nn.Module):
    """Two 1x1 convolutions, between them a gate and a depth-wise convolution (GDFN), or less.

    x: (B, C, H, W) -> (B, C, H, W).
    gdfn: a, b = depthwise3x3(conv1x1(x)); out = conv1x1(GELU(a) * b), of M hidden channels each.
    gfn is the same without the depth-wise convolution. dfn: conv1x1(GELU(depthwise3x3(
    conv1x1(x)))); fn: conv1x1(GELU(conv1x1(x))). These two have 3/2 as many hidden channels,
    rounded to a multiple of C (4 C at 2.66), so that the 1x1 convolutions have about as many
    weights in all four: the parameters of Restormer's ablation come out with 4 C alone.
    Cost: 3 C M + 18 M multiply-adds a pixel (gdfn); reach: 3 x 3 pixels.
    Source: Zamir et al. 2022, arXiv:2111.09881, equation 2 and its ablation.

    Args:
        channels: C; any.
        expansion: M in C, rounded down.
        bias: Whether the convolutions have biases.
        kind: gdfn, or what the paper compares it with.
    """

    def __init__(
        self, channels: int, expansion: float, *, bias: bool, kind: FeedForward = "gdfn"
    ) -> None:
        super().__init__()
        self.gated, has_depthwise = kind.startswith("g"), "d" in kind
        hidden = int(channels * (expansion if self.gated else round(1.5 * expansion)))
        check_at_least("expansion times channels", hidden)
        inner = 2 * hidden if self.gated else hidden
        self.enter = conv1x1(channels, inner, bias=bias)
        self.depthwise = conv_depthwise(inner, 3, bias=bias) if has_depthwise else nn.Identity()
        self.leave = conv1x1(hidden, channels, bias=bias)
        taps = 9 if has_depthwise else 0
        self.macs_per_pixel = channels * (inner + hidden) + taps * inner

    def forward(self, x: Tensor) -> Tensor:
        """Pass on (B, C, H, W)."""
        x = self.depthwise(self.enter(x))
        left: Tensor = self.leave(_gate(x) if self.gated else F.gelu(x))
        return left

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return self.macs_per_pixel * height * width


def _gate(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=1)
    return F.gelu(first) * second
