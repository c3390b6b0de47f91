"""Restormer's block: attention between channels, then a gated feed-forward part."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from blocks._gated_feed_forward import FeedForward, GatedFeedForward
from blocks._layout import ChannelNorm, widened
from blocks._register import register
from blocks._transposed_attention import TransposedAttention

EPSILON = 1e-5  # added to the variance


@register(
    family="attention",
    source="Zamir et al. 2022 (Restormer), arXiv:2111.09881, section 3; as its released code",
)
class TransposedTransformer(nn.Module):
    """Attention between channels over the whole image, then a gated feed-forward part.

    x: (B, C, H, W) -> (B, C, H, W).
    y = x + MDTA(norm(x)); out = y + GDFN(norm(y)).
    MDTA: q, k, v = depthwise3x3(conv1x1(x)); conv1x1(softmax(temperature * cosine(q, k)) v) in
    each head of d = C / heads channels: a d x d matrix, whatever H and W.
    GDFN: a, b = depthwise3x3(conv1x1(x)); conv1x1(GELU(a) * b), of M = expansion * C channels.
    Cost: (4 + 3 expansion) C^2 + 2 C^2 / heads + (27 + 18 expansion) C multiply-adds a pixel;
    reach: the image.
    Norms work on the channels of each pixel. Those of the deraining and deblurring models are
    LayerNorms; those of the denoising models (bias_free) divide by the standard deviation and
    scale, but neither centre nor shift. As the paper's text has it, q and k are projected by
    convolutions whose temperature is learned, one for each head, from 1. MoCE-IR's encoder block
    is this one with bias and an expansion of 2.

    Args:
        channels: C; a multiple of heads.
        heads: Attention heads; Restormer has 1, 2, 4, 8 from full resolution downwards.
        expansion: Hidden channels of the feed-forward part, in C, rounded down.
        bias: Whether the convolutions have biases.
        norm: bias (LayerNorm) or bias_free (only scaled: variance but no mean is taken out).
        attention: mdta, or mta: without its depth-wise convolutions, as in the paper's ablation.
        feed_forward: gdfn, or of the paper's ablation: gfn (gated, no depth-wise convolution),
            dfn (depth-wise, not gated), fn (neither); dfn and fn have 3/2 as many hidden channels,
            rounded to a multiple of C, which gives the paper's parameter counts.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 4,
        expansion: float = 2.66,
        bias: bool = False,
        norm: Literal["bias", "bias_free"] = "bias",
        attention: Literal["mdta", "mta"] = "mdta",
        feed_forward: FeedForward = "gdfn",
    ) -> None:
        super().__init__()
        self.norm = _norm(norm, channels)
        self.attention = TransposedAttention(
            channels, heads, bias=bias, depthwise=attention == "mdta"
        )
        self.mlp_norm = _norm(norm, channels)
        self.mlp = GatedFeedForward(channels, expansion, bias=bias, kind=feed_forward)

    def forward(self, x: Tensor) -> Tensor:
        """Add both parts in turn, shape unchanged."""
        x = x + self.attention(self.norm(x))
        mixed: Tensor = x + self.mlp(self.mlp_norm(x))
        return mixed

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return self.attention.macs(height, width) + self.mlp.macs(height, width)


class BiasFreeNorm(nn.Module):
    """x / sqrt(variance + eps) * weight over the channels of each pixel; the mean stays.

    Args:
        channels: C of (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scale (B, C, H, W)."""
        wide = widened(x)
        # Spelt out: on a CPU this takes a fifth of the time of Tensor.var.
        variance = (wide - wide.mean(1, keepdim=True)).square().mean(1, keepdim=True)
        return x * (variance + EPSILON).rsqrt().to(x.dtype) * self.weight


def _norm(kind: Literal["bias", "bias_free"], channels: int) -> nn.Module:
    return ChannelNorm(channels, eps=EPSILON) if kind == "bias" else BiasFreeNorm(channels)
