"""Residual depth-wise convolution block: the full-resolution stage of RestorMixer."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from blocks._register import register


@register(family="cnn", source="RestorMixer 2025, arXiv:2504.10967, RDCNN; as its released code")
class ResidualDepthwise(nn.Module):
    """A dense 3x3 convolution, then a depth-wise separable one, beside a shortcut.

    x: (B, C, H, W) -> (B, C, H, W).
    y = GELU(norm(conv3x3(x))); z = norm(conv1x1(depthwise3x3(y))); out = GELU(z + x).
    Cost: (10 C^2 + 9 C) H W multiply-adds; reach: 5 x 5 pixels.
    Paper and code: the paper's figure shows neither GELU, the released code has both.
    Convolutions start Kaiming-normal (fan out), norms at 1 and 0: no branch starts at zero.

    Args:
        channels: C; any.
        norm: batch, as released; none leaves normalisation out and gives each convolution a bias.
        activation: gelu, as released; none is the paper's figure.
    """

    def __init__(
        self,
        channels: int,
        *,
        norm: Literal["batch", "none"] = "batch",
        activation: Literal["gelu", "none"] = "gelu",
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.dense = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        self.dense_norm = _norm(norm, channels)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=bias)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=bias)
        self.pointwise_norm = _norm(norm, channels)
        self.activation = nn.GELU() if activation == "gelu" else nn.Identity()
        for convolution in (self.dense, self.depthwise, self.pointwise):
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions found, shape unchanged."""
        y: Tensor = self.activation(self.dense_norm(self.dense(x)))
        y = self.pointwise_norm(self.pointwise(self.depthwise(y)))
        out: Tensor = self.activation(y + x)
        return out

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return (10 * self.channels**2 + 9 * self.channels) * height * width


def _norm(kind: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()
