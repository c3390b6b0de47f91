"""The plain block from which NAFNet is reached in five steps, and each block on the way."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from blocks._channel_attention import ChannelAttention
from blocks._layout import ChannelNorm, check_at_least
from blocks._pooling import GlobalMean
from blocks._register import register

Activation = Literal["relu", "gelu", "gate"]
Attention = Literal["none", "channel", "simple"]


@register(
    family="cnn",
    source="Chen et al. 2022 (NAFNet), arXiv:2204.04676, section 3, PlainNet, and section 4",
)
class Plain(nn.Module):
    """A depth-wise convolution and a feed-forward part; its knobs lead to NAFNet's block.

    x: (B, C, H, W) -> (B, C, H, W).
    y = x + beta * conv1x1(attend(act(depthwise3x3(conv1x1(norm(x))))));
    out = y + gamma * conv1x1(act(conv1x1(norm(y)))).
    Cost: about (2 expand + 2 mlp_expand) C^2 H W multiply-adds, with a gate
    (3 expand + 1.5 mlp_expand) C^2 H W: 6 C^2 H W either way by default; reach: 3 x 3 pixels, and
    the image where there is attention.
    The paper's ladder, one knob a step: norm layer, activation gelu, attention channel (now this
    computes what baseline_block does, with weights of the same names), activation gate, attention
    simple (now it computes what nafblock does, whose expand counts channels before the gate: its 2
    is 1 here).
    Left open by the paper: the figures draw no beta and gamma, the released code of both ends has
    them; the plain block itself is not released. All convolutions have a bias. The mean can be
    local (TLC): an option of the topology.

    Args:
        channels: C; at least 2 for channel attention.
        norm: Before each part, over the channels of a pixel; none leaves it out.
        activation: gate multiplies the first half of the channels with the second.
        attention: channel scales channels by a sigmoid of two layers over their means, simple by
            one layer over their means.
        expand: Channels that come out of the first activation, in C; a gate takes twice as many,
            so that the depth-wise convolution has them too.
        mlp_expand: Channels between the two feed-forward convolutions, in C; a gate hands on half.
        residual_scale: What beta and gamma are: zero is a number for each channel that starts at
            0, so that an untrained block is the identity; none leaves them out.
    """

    def __init__(
        self,
        channels: int,
        *,
        norm: Literal["none", "layer"] = "none",
        activation: Activation = "relu",
        attention: Attention = "none",
        expand: int = 1,
        mlp_expand: int = 2,
        residual_scale: Literal["zero", "none"] = "zero",
    ) -> None:
        super().__init__()
        check_at_least("expand", expand)
        check_at_least("mlp_expand", mlp_expand)
        active, hidden = expand * channels, mlp_expand * channels
        halves = 2 if activation == "gate" else 1
        if hidden % halves:
            raise ValueError(
                "channels times mlp_expand must be even for a gate; "
                f"got channels={channels}, mlp_expand={mlp_expand}"
            )
        inner, mlp_active = active * halves, hidden // halves
        self.norm = _norm(norm, channels)
        self.enter = nn.Conv2d(channels, inner, 1)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.activation = _activation(activation)
        self.attention = _attention(attention, active)
        self.leave = nn.Conv2d(active, channels, 1)
        self.beta = _residual_scale(residual_scale, channels)
        self.mlp_norm = _norm(norm, channels)
        self.mlp_enter = nn.Conv2d(channels, hidden, 1)
        self.mlp_leave = nn.Conv2d(mlp_active, channels, 1)
        self.gamma = _residual_scale(residual_scale, channels)
        self.per_pixel = channels * (inner + active + hidden + mlp_active) + 9 * inner

    def forward(self, x: Tensor) -> Tensor:
        """Add both parts in turn, shape unchanged."""
        y = self.activation(self.depthwise(self.enter(self.norm(x))))  # (B, expand C, H, W)
        x = x + _scaled(self.leave(self.attention(y)), self.beta)
        y = self.mlp_leave(self.activation(self.mlp_enter(self.mlp_norm(x))))
        return x + _scaled(y, self.gamma)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return self.per_pixel * height * width + self.attention.macs()


class Gate(nn.Module):
    """The first half of the channels times the second, (B, 2 C, H, W) -> (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Multiply the halves."""
        first, second = x.chunk(2, dim=1)
        return first * second


class SimpleAttention(nn.Conv2d):
    """Scales each channel by a linear function of all channels' means, (B, C, H, W) -> same.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 1)
        self.mean = GlobalMean()

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels."""
        return x * super().forward(self.mean(x))

    def macs(self) -> int:
        """Multiply-adds for one image, whatever its size."""
        return self.in_channels**2


class NoAttention(nn.Identity):
    """Hands its input on, (B, C, H, W) -> same."""

    def macs(self) -> int:
        """Multiply-adds for one image: none."""
        return 0


def _norm(kind: str, channels: int) -> nn.Module:
    return ChannelNorm(channels) if kind == "layer" else nn.Identity()


def _activation(kind: Activation) -> nn.Module:
    kinds: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "gate": Gate}
    return kinds[kind]()


def _attention(kind: Attention, channels: int) -> ChannelAttention | SimpleAttention | NoAttention:
    if kind == "channel":
        check_at_least("channels times expand", channels, 2)
        return ChannelAttention(channels, channels // 2)
    return SimpleAttention(channels) if kind == "simple" else NoAttention()


def _residual_scale(kind: str, channels: int) -> nn.Parameter | None:
    return nn.Parameter(torch.zeros(1, channels, 1, 1)) if kind == "zero" else None


def _scaled(y: Tensor, scale: Tensor | None) -> Tensor:
    return y if scale is None else y * scale
