"""Selective scans at two resolutions: the Mamba block of RestorMixer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks._directional_scan import DirectionalScan
from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._register import register


@register(family="mamba", source="RestorMixer 2025, arXiv:2504.10967, EMVM; as its released code")
class EfficientMultiscaleVisionMamba(nn.Module):
    """One scan along the rows at full resolution, three on other paths at half; then feed-forward.

    x: (B, C, H, W) -> (B, C, H, W).
    u = norm(x); half = up(scan3(down(u))) with depth-wise convolutions down (7x7) and up (3x3
    transposed); y = s1 * x + scan1(u) + half; out = s2 * y + MLP(norm(y)), GELU inside, s1 and
    s2 one number per channel that starts at 1.
    Cost: see `macs`; the four paths cost 7/16 of four at full resolution; reach: the image.
    An odd side of H x W is rounded up in the half branch and its result cropped.
    Linear weights start from a normal of 0.02 cut at +-2, biases at 0; the scan's own parameters
    as in Mamba. Left out: drop path and dropout, which are 0 in the released settings.

    Args:
        channels: C; any.
        states: States of each scanned channel.
        expand: Scanned channels, in C.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
    """

    def __init__(
        self, channels: int, *, states: int = 16, expand: int = 2, mlp_ratio: float = 1.0
    ) -> None:
        super().__init__()
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.full_scan = DirectionalScan(channels, ("rows",), states=states, expand=expand)
        self.down = nn.Conv2d(channels, channels, 7, 2, 3, groups=channels)
        self.half_scan = DirectionalScan(
            channels, ("columns", "rows_back", "columns_back"), states=states, expand=expand
        )
        self.up = nn.ConvTranspose2d(channels, channels, 3, 2, 1, 1, groups=channels)
        self.scale = nn.Parameter(torch.ones(channels))
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.mlp_scale = nn.Parameter(torch.ones(channels))
        self.apply(init_linear)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Add the scans, then the feed-forward part; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        normed = self.norm(pixels)
        pixels = self.scale * pixels + self.full_scan(normed) + self._half_resolution(normed)
        pixels = self.mlp_scale * pixels + self.mlp(self.mlp_norm(pixels))
        return to_grid(pixels)

    def _half_resolution(self, pixels: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C) by way of (B, ceil(H / 2), ceil(W / 2), C)."""
        height, width = pixels.shape[1:3]
        small = self.half_scan(to_pixels(self.down(to_grid(pixels))))
        return to_pixels(self.up(to_grid(small)))[:, :height, :width]

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        small = (height + 1) // 2, (width + 1) // 2
        scans = self.full_scan.macs(height, width) + self.half_scan.macs(*small)
        resizing = self.channels * (49 + 9) * small[0] * small[1]
        return scans + resizing + 2 * self.channels * self.hidden * height * width
