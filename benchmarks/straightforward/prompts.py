"""Learned images that scale features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.straightforward.parts import Block


def mplb(block: Block, x: Tensor) -> Tensor:
    """An image, a column and a row, each resized and applied to a third of the channels."""
    height, width = x.shape[-2:]
    first, second, third = torch.split(x, list(block.thirds), dim=1)
    image = F.interpolate(block.image, (height, width), mode="bilinear", align_corners=True)
    column = F.interpolate(block.column, height, mode="linear", align_corners=True)
    row = F.interpolate(block.row, width, mode="linear", align_corners=True)
    first = first * block.image_conv(image)
    second = second * block.column_conv(column).unsqueeze(3)
    third = third * block.row_conv(row).unsqueeze(2)
    return x + block.mix(torch.cat([first, second, third], dim=1))
