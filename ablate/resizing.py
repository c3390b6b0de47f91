"""Bicubic resizing by whole factors, as MATLAB's imresize does it and super-resolution papers say.

Keys 1981 with a = -1/2; shrinking widens the kernel (antialiasing); beyond the edges of an image
lies its mirror image.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 2  # pixels of the smaller image that the kernel sees on each side


def shrink(image: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H / scale, W / scale), sides rounded up."""
    height, width = (-(-side // scale) for side in image.shape[-2:])
    reach = REACH * scale
    bottom, right = height * scale - image.shape[-2], width * scale - image.shape[-1]
    around = mirrored(image, reach, reach + right, reach, reach + bottom)
    return _resized(around, height + 2 * REACH, width + 2 * REACH)[..., REACH:-REACH, REACH:-REACH]


def enlarge(image: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) -> (B, C, scale H, scale W); the image itself for a scale of 1."""
    if scale == 1:
        return image
    around = mirrored(image, REACH, REACH, REACH, REACH)
    height, width = (scale * side for side in around.shape[-2:])
    inside = slice(REACH * scale, -REACH * scale)
    return _resized(around, height, width)[..., inside, inside]


def mirrored(image: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    """Continue (B, C, H, W) by its mirror images, edge pixels repeated; any amount of them."""
    rows = _mirror(image.shape[-2], top, bottom, image.device)
    columns = _mirror(image.shape[-1], left, right, image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


def _mirror(length: int, before: int, after: int, device: torch.device) -> Tensor:
    """Which pixel stands at each position: 1 0 | 0 1 2 ... for a mirror before the first."""
    turn = torch.arange(-before, length + after, device=device) % (2 * length)
    return torch.minimum(turn, 2 * length - 1 - turn)


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(image, (height, width), mode="bicubic", antialias=True)
