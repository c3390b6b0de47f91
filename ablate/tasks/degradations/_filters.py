"""Convolution of an image with a small kernel, mirrored at the edges."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ablate.tasks.degradations._register import Pixels

Field = NDArray[np.float64]


def gaussian(sigma: float) -> Pixels:
    """A normalised Gaussian, (2 r + 1,) with r = 4 sigma rounded up; sigma in pixels."""
    radius = int(np.ceil(4.0 * sigma))
    if radius == 0:
        return np.ones(1, np.float32)
    distance = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.asarray(kernel / kernel.sum(), np.float32)


def blurred(image: Pixels, sigma: float) -> Pixels:
    """(H, W) or (H, W, 3) convolved with a Gaussian of `sigma` pixels, one axis at a time."""
    kernel = gaussian(sigma)
    return convolved(convolved(image, kernel[:, None]), kernel[None, :])


def convolved(image: Pixels, kernel: Pixels) -> Pixels:
    """(H, W) or (H, W, C) convolved with a kernel (odd, odd); edges repeat in the mirror."""
    rows, columns = (
        _mirrored(size, reach // 2)
        for size, reach in zip(image.shape[:2], kernel.shape, strict=True)
    )
    padded = np.atleast_3d(image)[rows][:, columns]  # (H + kernel height - 1, ..., C)
    channels = padded.shape[2]
    weight = torch.from_numpy(kernel[::-1, ::-1].copy())
    result = functional.conv2d(
        torch.from_numpy(padded).movedim(-1, 0)[None],  # (1, C, H + ..., W + ...)
        weight.expand(channels, 1, *kernel.shape),
        groups=channels,
    )
    pixels: Pixels = result[0].movedim(0, -1).contiguous().numpy()
    return pixels.reshape(image.shape)


def _mirrored(size: int, margin: int) -> NDArray[np.int64]:
    """Indices of a line of `size` pixels with `margin` more at both ends, seen in the mirror."""
    place = np.arange(-margin, size + margin) % (2 * size)
    return np.minimum(place, 2 * size - 1 - place)


def splatted(rows: Field, columns: Field, weights: Field, shape: tuple[int, int]) -> Pixels:
    """Points with weights as an image: each is shared by the four pixels around it, bilinearly.

    Args:
        rows: Any shape, in pixels; points outside the image are cut off.
        columns: The same shape.
        weights: The same shape.
        shape: (H, W) of the image.
    """
    height, width = shape
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = rows - top, columns - left
    frame = (height + 2, width + 2)  # one pixel of margin all round, where outsiders end up
    image = np.zeros(frame[0] * frame[1])
    for row, share_row in ((top, 1.0 - down), (top + 1, down)):
        for column, share_column in ((left, 1.0 - right), (left + 1, right)):
            place = np.minimum(np.maximum(row + 1, 0), frame[0] - 1) * frame[1]
            place += np.minimum(np.maximum(column + 1, 0), frame[1] - 1)
            share = (weights * share_row * share_column).ravel()
            image += np.bincount(place.ravel(), share, minlength=image.size)
    return image.reshape(frame)[1:-1, 1:-1].astype(np.float32)
