"""Parts of networks that stay at one resolution: mean, joins of groups, enlarging tails.

In every docstring B images of C channels are H x W pixels at the part's input; an image has
`colors` channels, 3 or 1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["1conv", "3conv"]
Tail = Literal["pixelshuffledirect", "pixelshuffle"]

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # red, green, blue of the training images
TAIL_WIDTH = 64  # channels between the convolutions of pixelshuffle


def mean(colors: int) -> Tensor:
    """What is subtracted from an image: DIV2K's mean, (1, 3, 1, 1); of grey ones nothing."""
    values = DIV2K_MEAN if colors == 3 else (0.0,) * colors
    return torch.tensor(values).view(1, colors, 1, 1)


def join(kind: Join, channels: int) -> nn.Module:
    """(B, C, H, W) -> (B, C, H, W): a 3x3 convolution, or three with a quarter of the channels.

    Raises:
        ValueError: The channels are not a multiple of 4, for 3conv.
    """
    if kind == "1conv":
        return nn.Conv2d(channels, channels, 3, padding=1)
    if channels % 4:
        raise ValueError(f"width must be a multiple of 4 for join = '3conv'; got width={channels}")
    quarter = channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, quarter, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(quarter, quarter, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(quarter, channels, 3, padding=1),
    )


def tail(kind: Tail, channels: int, scale: int, colors: int, *, zero: bool) -> nn.Module:
    """(B, C, H, W) -> (B, colors, scale H, scale W); with zero it starts at 0.

    At scale 1 either kind is one 3x3 convolution.
    """
    if scale == 1 or kind == "pixelshuffledirect":
        last = nn.Conv2d(channels, colors * scale**2, 3, padding=1)
        layers: list[nn.Module] = [last, nn.PixelShuffle(scale)] if scale > 1 else [last]
    else:
        last = nn.Conv2d(TAIL_WIDTH, colors, 3, padding=1)
        entrance = nn.Conv2d(channels, TAIL_WIDTH, 3, padding=1)
        layers = [entrance, nn.LeakyReLU(), *_enlarging(scale), last]
    if zero:
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
    return nn.Sequential(*layers)


def _enlarging(scale: int) -> list[nn.Module]:
    """A convolution and a pixel shuffle: by 3 at once, by 4 as twice by 2."""
    layers: list[nn.Module] = []
    for factor in (3,) if scale == 3 else (2,) * (scale // 2):
        wider = nn.Conv2d(TAIL_WIDTH, factor**2 * TAIL_WIDTH, 3, padding=1)
        layers += [wider, nn.PixelShuffle(factor)]
    return layers
