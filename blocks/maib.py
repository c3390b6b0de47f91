"""Selective scans along nested S-shaped stripes, their paths weighed by attention: MaIR's block."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from blocks._directional_scan import DirectionalScan
from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._paths import Order, Walk
from blocks._register import register


@register(
    family="mamba", source="MaIR, Li et al. 2024, arXiv:2412.20066, RMB; as its released code"
)
class NestedStripeScan(nn.Module):
    """A scan that snakes through narrow stripes, from four sides; then a feed-forward part.

    x: (B, C, H, W) -> (B, C, H, W).
    y = s1 * x + scan(norm(x)), the scan of VMamba (`DirectionalScan`) along other paths, weighed
    by `ShuffleAttention` before they are summed;
    out = s2 * y + MLP(norm(y)), GELU inside, s1 and s2 one number per channel that starts at 1.
    nested: vertical stripes from left to right, the first walked downwards, the next upwards, and
    so on; in each, row by row, to the right and to the left in turn. The second path is the first
    of the image turned by 180 degrees (not the first backwards), the third and fourth are these
    two of the transposed image. The paper has them start in the four corners; in released code, as
    here, two start at the top left and two at the bottom right. Where the side along the stripes
    is even, a path jumps by one stripe at each change of stripes. The paper's other walks are
    taken from four sides likewise: raster (its Z-shaped scan, VMamba's), snake (S-shaped, over
    the whole width), window (raster within square windows).
    Cost: see `macs`; reach: the image.
    Paths are computed from H and W, any size, and kept for the sizes last seen. Linear weights
    start from a normal of 0.02 cut at +-2, biases at 0, the scan's own parameters as in Mamba.
    The means of the attention can be local (TLC). Left out: drop path and dropout, which are only
    in training.

    Args:
        channels: C; any.
        index: How many of these blocks come before this one in its stage.
        states: States of each scanned channel.
        expand: Scanned channels, in C, rounded down.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
        stripe: Width of a stripe, or side of a window, in pixels; raster and snake have neither.
        order: The walk that the four paths are.
        shift: In every second block the first stripe or window is half as wide, so that their
            borders lie elsewhere.
        merge: "shuffle": each path of each channel is weighed by what their means over the image
            say; "sum": all alike.
    """

    def __init__(
        self,
        channels: int,
        index: int = 0,
        *,
        states: int = 16,
        expand: float = 2.0,
        mlp_ratio: float = 2.5,
        stripe: int = 4,
        order: Order = "nested",
        shift: bool = True,
        merge: Literal["shuffle", "sum"] = "shuffle",
    ) -> None:
        super().__init__()
        check_at_least("stripe", stripe)
        self.hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", self.hidden)
        self.norm = nn.LayerNorm(channels)
        self.scan = DirectionalScan(
            channels,
            ("rows", "rows_back", "columns", "columns_back"),
            states=states,
            expand=expand,
            walk=_walk(order, stripe, shift and index % 2 == 1),
            merge=merge,
        )
        self.scale = nn.Parameter(torch.ones(channels))
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, self.hidden), nn.GELU(), nn.Linear(self.hidden, channels)
        )
        self.mlp_scale = nn.Parameter(torch.ones(channels))
        self.apply(init_linear)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Add the scan, then the feed-forward part; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        pixels = self.scale * pixels + self.scan(self.norm(pixels))
        pixels = self.mlp_scale * pixels + self.mlp(self.mlp_norm(pixels))
        return to_grid(pixels)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        mlp = 2 * self.channels * self.hidden * height * width
        return self.scan.macs(height, width) + mlp


def _walk(order: Order, stripe: int, shifted: bool) -> Walk:
    """Walks that are the same are equal, so that they share their tables."""
    if order in ("raster", "snake"):
        return Walk(order)
    return Walk(order, stripe, shifted)
