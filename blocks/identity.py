"""The zero of the scale: a block that does nothing."""

from __future__ import annotations

from torch import Tensor, nn

from blocks._register import register


@register(family="none", source="the empty choice; every other block is measured against it")
class Identity(nn.Module):
    """Hands its input on.

    x: (B, C, H, W) -> (B, C, H, W).
    Cost: none; reach: 1 pixel.

    Args:
        channels: C; any.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return x itself."""
        return x

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image: none."""
        return 0
