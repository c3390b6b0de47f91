"""MPMF-Net's prompt block: learned images and profiles that scale the features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least
from blocks._register import register


@register(
    family="prompt",
    source="Wen et al. 2025 (MPMF-Net), AAAI, doi:10.1609/aaai.v39i8.32898, MPLB; as its code",
)
class MultiAxisPrompts(nn.Module):
    """A learned image, a column and a row, resized to the features, each scale a third of them.

    x: (B, C, H, W) -> (B, C, H, W).
    a, b, c = x, split into thirds of the channels;
    out = x + conv1x1(concat(a * depthwise3x3(image), b * depthwise3(column), c * depthwise3(row))).
    The image is (C/3, S, S) and resized bilinearly to H x W, corner to corner; the column
    (C/3, S) to H, the same for all pixels of a row; the row (C/3, S) to W.
    Cost: C^2 + 3 C multiply-adds a pixel; reach: one pixel, at a place that it knows.
    All start at 1. The depth-wise convolutions have no bias, the 1x1 has one. The prompts are the
    same for every image. Where 3 does not divide C, the first thirds are one channel wider;
    released code fails there, and squeezes away the first axis of what it resizes, which is why
    it could not have one prompt for each image.

    Args:
        channels: C; at least 3.
        side: S, pixels of the prompts; MPMF-Net has 64, 32, 16 from full resolution downwards.
    """

    def __init__(self, channels: int, *, side: int = 32) -> None:
        super().__init__()
        check_at_least("channels", channels, 3)
        check_at_least("side", side)
        self.thirds = tuple((channels + extra) // 3 for extra in (2, 1, 0))
        first, second, third = self.thirds
        self.image = nn.Parameter(torch.ones(1, first, side, side))
        self.image_conv = nn.Conv2d(first, first, 3, padding=1, groups=first, bias=False)
        self.column = nn.Parameter(torch.ones(1, second, side))
        self.column_conv = nn.Conv1d(second, second, 3, padding=1, groups=second, bias=False)
        self.row = nn.Parameter(torch.ones(1, third, side))
        self.row_conv = nn.Conv1d(third, third, 3, padding=1, groups=third, bias=False)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Add what the prompts make of the features, shape unchanged."""
        height, width = x.shape[-2:]
        first, second, third = torch.split(x, list(self.thirds), dim=1)
        image = F.interpolate(self.image, (height, width), mode="bilinear", align_corners=True)
        column = F.interpolate(self.column, height, mode="linear", align_corners=True)
        row = F.interpolate(self.row, width, mode="linear", align_corners=True)
        scaled = (
            first * self.image_conv(image),
            second * self.column_conv(column)[..., None],  # (1, C/3, H, 1)
            third * self.row_conv(row)[..., None, :],  # (1, C/3, 1, W)
        )
        mixed: Tensor = self.mix(torch.cat(scaled, dim=1))
        return x + mixed

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image; the prompts' own convolutions run once for a batch."""
        first, second, third = self.thirds
        prompts = 9 * first * height * width + 3 * (second * height + third * width)
        return self.channels**2 * height * width + prompts
