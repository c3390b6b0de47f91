"""Selective scans from four sides, then a local part with channel attention: MambaIR's block."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from blocks._channel_attention import ChannelAttention
from blocks._directional_scan import DirectionalScan
from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._paths import Path
from blocks._register import register

Local = Literal["cab", "light_cab", "channel_attention", "mlp", "none"]
PATHS: tuple[Path, ...] = ("rows", "columns", "rows_back", "columns_back")
KEPT: dict[int, tuple[Path, ...]] = {1: ("rows",), 2: ("rows", "rows_back"), 4: PATHS}


@register(
    family="mamba", source="MambaIR, Guo et al. 2024, arXiv:2402.15648, RSSB; as its released code"
)
class ResidualStateSpace(nn.Module):
    """A scan of the image along its rows and columns, both ways; then what is near, reweighed.

    x: (B, C, H, W) -> (B, C, H, W).
    y = s1 * x + scan(norm(x)), the scan of VMamba (SS2D, `DirectionalScan`);
    out = s2 * y + local(norm(y)), s1 and s2 one number per channel that starts at 1.
    cab: conv3x3(GELU(conv3x3(u))), C / compress channels inside, then channel attention;
    light_cab: conv1x1, depth-wise conv3x3, GELU, conv1x1, C / 2 channels inside, depth-wise
    conv3x3 of dilation 2, then channel attention. All with biases.
    Cost: see `macs`; the scan and its projections are nine tenths with the settings of the light
    models, seven of the classic ones; reach: the image.
    Released networks take light_cab where the image is enlarged by one convolution and a pixel
    shuffle, cab in all others. Of the paper's table, "without convolution" is channel_attention
    here, "without convolution and channel attention" is none (y is the output, with no norm and
    no s2), and "plain MLP" is mlp, whose width the paper does not say: with mlp_ratio 3 it has
    the weights of cab's convolutions.
    Below 2 squeeze channels the attention has one channel inside, as released for the narrow
    levels of MambaIR's U-Net; where its ReLU is shut, all weights are constants.
    Linear weights start from a normal of 0.02 cut at +-2, biases at 0; convolutions as PyTorch
    has them, the scan's own parameters as in Mamba. Left out: drop path, which is only in
    training and at most 0.1.

    Args:
        channels: C; any.
        states: States of each scanned channel.
        expand: Scanned channels, in C, rounded down.
        directions: Paths of the scan. 1: row after row from the top left; 2: the same and
            backwards; 4: and column after column, both ways.
        local: What follows the scan.
        compress: C over the channels inside cab.
        squeeze: C over the channels inside channel attention, which has at least one.
        mlp_ratio: Hidden channels of mlp, in C, rounded down.
    """

    def __init__(
        self,
        channels: int,
        *,
        states: int = 16,
        expand: float = 2.0,
        directions: Literal[1, 2, 4] = 4,
        local: Local = "cab",
        compress: int = 3,
        squeeze: int = 30,
        mlp_ratio: float = 3.0,
    ) -> None:
        super().__init__()
        check_at_least("compress", compress)
        check_at_least("squeeze", squeeze)
        parts = _local(local, channels, compress, mlp_ratio)
        if local in ("cab", "light_cab", "channel_attention"):
            parts.append(ChannelAttention(channels, max(channels // squeeze, 1)))
        self.norm = nn.LayerNorm(channels)
        self.scan = DirectionalScan(channels, KEPT[directions], states=states, expand=expand)
        self.scale = nn.Parameter(torch.ones(channels))
        self.local = nn.Sequential(*parts) if parts else None
        if self.local is not None:
            self.local_norm = nn.LayerNorm(channels)
            self.local_scale = nn.Parameter(torch.ones(channels))
        self.apply(init_linear)

    def forward(self, x: Tensor) -> Tensor:
        """Add the scan, then the local part; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        pixels = self.scale * pixels + self.scan(self.norm(pixels))
        if self.local is not None:
            near = to_pixels(self.local(to_grid(self.local_norm(pixels))))
            pixels = self.local_scale * pixels + near
        return to_grid(pixels)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        parts = list(self.local) if self.local is not None else []
        weights = sum(part.weight.numel() for part in parts if isinstance(part, nn.Conv2d))
        attention = sum(part.macs() for part in parts if isinstance(part, ChannelAttention))
        return self.scan.macs(height, width) + weights * height * width + attention


def _local(local: Local, channels: int, compress: int, mlp_ratio: float) -> list[nn.Module]:
    """The local part up to channel attention."""
    if local == "cab":
        return _convolutions(channels, compress)
    if local == "light_cab":
        return _light_convolutions(channels)
    return _mlp(channels, mlp_ratio) if local == "mlp" else []


def _convolutions(channels: int, compress: int) -> list[nn.Module]:
    inner = channels // compress
    check_at_least("channels over compress", inner)
    return [
        nn.Conv2d(channels, inner, 3, padding=1),
        nn.GELU(),
        nn.Conv2d(inner, channels, 3, padding=1),
    ]


def _light_convolutions(channels: int) -> list[nn.Module]:
    inner = channels // 2
    check_at_least("channels over 2", inner)
    return [
        nn.Conv2d(channels, inner, 1),
        nn.Conv2d(inner, inner, 3, padding=1, groups=inner),
        nn.GELU(),
        nn.Conv2d(inner, channels, 1),
        nn.Conv2d(channels, channels, 3, padding=2, dilation=2, groups=channels),
    ]


def _mlp(channels: int, ratio: float) -> list[nn.Module]:
    """Convolutions of one pixel, which start as Linears do."""
    hidden = int(ratio * channels)
    check_at_least("mlp_ratio times channels", hidden)
    layers = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
    for layer in layers:
        nn.init.trunc_normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return [layers[0], nn.GELU(), layers[1]]
