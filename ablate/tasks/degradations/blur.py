"""Blur of the optics (Gaussian) and of a camera that moves during the exposure."""

from __future__ import annotations

import numpy as np

from ablate.tasks.degradations._filters import blurred, convolved, splatted
from ablate.tasks.degradations._knobs import draw, require
from ablate.tasks.degradations._register import Pixels, register

POINTS_PER_PIXEL = 4  # of a path: fine enough that its kernel has no gaps


@register(source="the isotropic Gaussian point spread of Gu et al. 2019, IKC, arXiv:1904.03377")
def gaussian_blur(
    clean: Pixels, rng: np.random.Generator, *, sigma: float = 2.0, sigma_max: float = 0.0
) -> Pixels:
    """Convolution with a Gaussian; the mean colour stays.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        sigma: Standard deviation of the kernel, in pixels.
        sigma_max: Above 0, every image draws its own from sigma to this, in pixels.

    Raises:
        ValueError: A value is outside 0 to 50, or sigma_max is below sigma.
    """
    return blurred(clean, draw(rng, "sigma", sigma, sigma_max, 50.0, "pixels"))


@register(source="Boracchi and Foi 2012, doi:10.1109/TIP.2012.2192126: the path is the kernel")
def motion_blur(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    length: float = 15.0,
    angle: float = 0.0,
    spread: float = 180.0,
    shake: float = 30.0,
) -> Pixels:
    """A camera that moves at constant speed along a path while the shutter is open.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        length: Length of the path, in pixels.
        angle: Mean direction, in degrees counter-clockwise from the horizontal.
        spread: Width of the range round the angle that every image draws its own from, in
            degrees; 180 is any direction.
        shake: How far the heading wanders by the end of the path (standard deviation), in
            degrees; 0 is a straight line.

    Raises:
        ValueError: A value is outside its range.
    """
    require("length", length, 0.0, 200.0, "pixels")
    require("angle", angle, -360.0, 360.0, "degrees")
    require("spread", spread, 0.0, 180.0, "degrees")
    require("shake", shake, 0.0, 180.0, "degrees")
    heading = np.radians(angle + spread * rng.uniform(-0.5, 0.5))
    return convolved(clean, path_kernel(rng, length, heading, np.radians(shake)))


def path_kernel(rng: np.random.Generator, length: float, heading: float, shake: float) -> Pixels:
    """The kernel (odd, odd) of a path: sum 1, centred; angles in radians."""
    points = int(np.ceil(length * POINTS_PER_PIXEL)) + 1
    wander = np.cumsum(rng.standard_normal(points)) * (shake / np.sqrt(points))
    step = length / max(points - 1, 1)
    rows = np.cumsum(-np.sin(heading + wander)) * step
    columns = np.cumsum(np.cos(heading + wander)) * step
    rows, columns = rows - rows.mean(), columns - columns.mean()
    reach_row, reach_column = (int(np.abs(axis).max()) + 1 for axis in (rows, columns))
    shape = (2 * reach_row + 1, 2 * reach_column + 1)
    kernel = splatted(rows + reach_row, columns + reach_column, np.ones(points), shape)
    return np.asarray(kernel / kernel.sum(), np.float32)
