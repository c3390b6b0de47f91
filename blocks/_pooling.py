"""The mean over an image, or over a neighbourhood as large as the training crops were."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import to_grid, to_pixels


class GlobalMean(nn.Module):
    """The mean of each channel: over H and W, or locally on images larger than the window.

    x: (B, C, H, W) -> (B, C, 1, 1), or (B, C, H, W) where it is local.
    With a window (test-time local converter), the mean at a pixel is over the window around it,
    and near an edge over the nearest window that lies within the image; a window that covers the
    image is the whole of it. Source: Chu et al. 2022, arXiv:2112.04491.

    Args:
        window: Side of the window in pixels of x; 0 is always global.
    """

    def __init__(self, window: int = 0) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """Average (B, C, H, W)."""
        height, width = x.shape[-2:]
        if not self.window or (self.window >= height and self.window >= width):
            return _mean(x)
        rows, columns = min(self.window, height), min(self.window, width)
        return _edges_repeated(_box_mean(x, rows, columns), height, width)


def use_local_means(module: nn.Module, window: int) -> None:
    """Give every `GlobalMean` inside a module this window."""
    for part in module.modules():
        if isinstance(part, GlobalMean):
            part.window = window


def _mean(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 1, 1), with a gradient that lies in memory as x does.

    Left to itself, that of channels-last features does not, and what adds it to others is slow.
    """
    if x.stride(1) == 1:
        return to_grid(to_pixels(x).mean((1, 2), keepdim=True))
    return x.mean((2, 3), keepdim=True)


def _box_mean(x: Tensor, rows: int, columns: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H - rows + 1, W - columns + 1) by sums that run along both axes.

    The sums are of float64: in float32 a difference of two far along a large image is noise.
    """
    total = F.pad(x.double().cumsum(2).cumsum(3), (1, 0, 1, 0))
    upper, lower = total[:, :, :-rows], total[:, :, rows:]
    sums = (
        lower[..., columns:] - lower[..., :-columns] - upper[..., columns:] + upper[..., :-columns]
    )
    return (sums / (rows * columns)).to(x.dtype)


def _edges_repeated(x: Tensor, height: int, width: int) -> Tensor:
    """Repeat the edges of (B, C, h, w), evenly on both sides, to (B, C, height, width)."""
    down, right = height - x.shape[2], width - x.shape[3]
    padding = (right // 2, right - right // 2, down // 2, down - down // 2)
    return F.pad(x, padding, mode="replicate")
