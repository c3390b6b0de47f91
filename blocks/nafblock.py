"""Nonlinear-activation-free block: gates and channel attention in place of activations (NAFNet)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks._layout import ChannelNorm, check_at_least
from blocks._pooling import GlobalMean
from blocks._register import register


@register(family="cnn", source="Chen et al. 2022 (NAFNet), arXiv:2204.04676, section 4")
class NonlinearActivationFree(nn.Module):
    """A depth-wise convolution and a feed-forward part, both gated by a product of halves.

    x: (B, C, H, W) -> (B, C, H, W).
    gate(a, b) = a * b, the halves of the channels; attend(a) = a * conv1x1(mean of a over H, W).
    y = x + beta * conv1x1(attend(gate(depthwise3x3(conv1x1(norm(x))))));
    out = y + gamma * conv1x1(gate(conv1x1(norm(y)))).
    Cost: about 6 C^2 H W multiply-adds with both expansions 2; reach: 3 x 3 pixels, and the
    image through the mean.
    beta and gamma start at 0, so an untrained block is the identity; all convolutions have a bias.
    Left out: dropout, which is 0 in every released setting. The mean can be local (TLC), as the
    authors have it for testing on large images: an option of the topology.

    Args:
        channels: C; any whose expansions are even.
        expand: Channels of the depth-wise convolution, in C.
        mlp_expand: Channels between the two feed-forward convolutions, in C.
    """

    def __init__(self, channels: int, *, expand: int = 2, mlp_expand: int = 2) -> None:
        super().__init__()
        inner, hidden = _even("expand", expand, channels), _even("mlp_expand", mlp_expand, channels)
        self.norm = ChannelNorm(channels)
        self.enter = nn.Conv2d(channels, inner, 1)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.mean = GlobalMean()
        self.attention = nn.Conv2d(inner // 2, inner // 2, 1)
        self.leave = nn.Conv2d(inner // 2, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.mlp_norm = ChannelNorm(channels)
        self.mlp_enter = nn.Conv2d(channels, hidden, 1)
        self.mlp_leave = nn.Conv2d(hidden // 2, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.channels, self.inner, self.hidden = channels, inner, hidden

    def forward(self, x: Tensor) -> Tensor:
        """Add both parts in turn, shape unchanged."""
        y: Tensor = _gate(self.depthwise(self.enter(self.norm(x))))  # (B, inner / 2, H, W)
        y = y * self.attention(self.mean(y))
        x = x + self.leave(y) * self.beta
        y = self.mlp_leave(_gate(self.mlp_enter(self.mlp_norm(x))))
        return x + y * self.gamma

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        pointwise = self.channels * (self.inner + self.hidden) * 3 // 2
        attention = (self.inner // 2) ** 2
        return (pointwise + 9 * self.inner) * height * width + attention


def _gate(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=1)
    return first * second


def _even(name: str, factor: int, channels: int) -> int:
    check_at_least(name, factor)
    if factor * channels % 2:
        raise ValueError(
            f"channels times {name} must be even; got channels={channels}, {name}={factor}"
        )
    return factor * channels
