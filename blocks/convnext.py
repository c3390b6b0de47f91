"""A large depth-wise convolution, then a wide feed-forward part at each pixel (ConvNeXt)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks._layout import check_at_least, check_odd, init_linear, to_grid, to_pixels
from blocks._register import register


@register(
    family="cnn", source="Liu et al. 2022 (ConvNeXt), arXiv:2201.03545, section 2; as its code"
)
class ConvNeXt(nn.Module):
    """A 7x7 depth-wise convolution, a norm and a feed-forward part, all in one branch.

    x: (B, C, H, W) -> (B, C, H, W).
    out = x + s * Linear(GELU(Linear(norm(depthwise7x7(x))))), s one number for each channel.
    Cost: (2 mlp_ratio C^2 + kernel^2 C) H W multiply-adds; reach: kernel x kernel pixels.
    s is layer scale (Touvron et al. 2021, arXiv:2103.17239): from 1e-6 a deep network starts as
    good as shallow, and each branch grows as it earns it. That takes steps: a factor moves by
    about the learning rate in one step of Adam, and until then the weights behind it learn from
    gradients as small as it is. A brief training may want a start of 0.1 or 1.
    The norm is over the channels of a pixel, eps 1e-6. All weights start from a normal of 0.02 cut
    at +-2, biases at 0. Left out: drop path.

    Args:
        channels: C; any.
        kernel: Side of the depth-wise convolution, odd.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
        layer_scale: What s starts from; at 0 an untrained block is the identity.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel: int = 7,
        mlp_ratio: float = 4.0,
        layer_scale: float = 1e-6,
    ) -> None:
        super().__init__()
        check_odd("kernel", kernel)
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.layer_scale = nn.Parameter(torch.full((channels,), layer_scale))
        self.apply(init_linear)
        _init_convolution(self.depthwise)
        self.channels, self.kernel = channels, kernel

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch, shape unchanged."""
        pixels = self.norm(to_pixels(self.depthwise(x)))  # (B, H, W, C)
        return x + to_grid(self.layer_scale * self.mlp(pixels))

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        per_pixel = self.channels * (2 * self.hidden + self.kernel**2)
        return per_pixel * height * width


def _init_convolution(convolution: nn.Conv2d) -> None:
    nn.init.trunc_normal_(convolution.weight, std=0.02)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
