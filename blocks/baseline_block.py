"""The block that NAFNet was made from by taking away activations: the paper's baseline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._channel_attention import ChannelAttention
from blocks._layout import ChannelNorm, check_at_least
from blocks._register import register


@register(
    family="cnn",
    source="Chen et al. 2022 (NAFNet), arXiv:2204.04676, section 3, Baseline; as its released code",
)
class Baseline(nn.Module):
    """A depth-wise convolution with channel attention and a feed-forward part, both with GELU.

    x: (B, C, H, W) -> (B, C, H, W).
    attend(a) = a * sigmoid(conv1x1(ReLU(conv1x1(mean of a over H, W)))), half the channels inside.
    y = x + beta * conv1x1(attend(GELU(depthwise3x3(conv1x1(norm(x))))));
    out = y + gamma * conv1x1(GELU(conv1x1(norm(y)))).
    Cost: about (2 expand + 2 mlp_expand) C^2 H W multiply-adds; reach: 3 x 3 pixels, and the image
    through the mean.
    The released models of width 32 have expand 1, those of width 64 have 2.
    beta and gamma start at 0, so an untrained block is the identity; all convolutions have a bias.
    Left out: dropout, which is 0 in every released setting. The mean can be local (TLC): an
    option of the topology.

    Args:
        channels: C; at least 2.
        expand: Channels of the depth-wise convolution, in C.
        mlp_expand: Channels between the two feed-forward convolutions, in C.
    """

    def __init__(self, channels: int, *, expand: int = 1, mlp_expand: int = 2) -> None:
        super().__init__()
        check_at_least("expand", expand)
        check_at_least("mlp_expand", mlp_expand)
        inner, hidden = expand * channels, mlp_expand * channels
        check_at_least("channels times expand", inner, 2)
        self.norm = ChannelNorm(channels)
        self.enter = nn.Conv2d(channels, inner, 1)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.attention = ChannelAttention(inner, inner // 2)
        self.leave = nn.Conv2d(inner, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.mlp_norm = ChannelNorm(channels)
        self.mlp_enter = nn.Conv2d(channels, hidden, 1)
        self.mlp_leave = nn.Conv2d(hidden, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.channels, self.inner, self.hidden = channels, inner, hidden

    def forward(self, x: Tensor) -> Tensor:
        """Add both parts in turn, shape unchanged."""
        y: Tensor = F.gelu(self.depthwise(self.enter(self.norm(x))))  # (B, inner, H, W)
        x = x + self.leave(self.attention(y)) * self.beta
        y = self.mlp_leave(F.gelu(self.mlp_enter(self.mlp_norm(x))))
        return x + y * self.gamma

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        pointwise = 2 * self.channels * (self.inner + self.hidden)
        return (pointwise + 9 * self.inner) * height * width + self.attention.macs()
