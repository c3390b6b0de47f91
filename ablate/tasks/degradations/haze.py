"""Haze: light scattered by the air between the camera and the scene."""

from __future__ import annotations

import numpy as np

from ablate.tasks.degradations._knobs import draw, require
from ablate.tasks.degradations._register import Pixels, register


@register(source="Koschmieder 1924; He et al. 2009, doi:10.1109/CVPR.2009.5206515, eq. 1 and 2")
def haze(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    beta: float = 1.6,
    beta_max: float = 0.0,
    airlight: float = 0.9,
) -> Pixels:
    """Scattering by the air: I = J t + A (1 - t), t = exp(-beta d).

    The depth d is a smooth random field between a near and a far distance drawn for each image,
    on the whole farther towards the top; the farthest possible point has d = 1.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        beta: Extinction over the depth 1; 0 is clear air.
        beta_max: Above 0, every image draws its own from beta to this.
        airlight: A, the colour of endless haze, of white.

    Raises:
        ValueError: A value is outside its range, or beta_max is below beta.
    """
    extinction = draw(rng, "beta", beta, beta_max, 20.0, "per depth")
    require("airlight", airlight, 0.0, 1.0)
    t = np.exp(np.float32(-extinction) * _depth(rng, clean.shape))[:, :, None]
    hazy: Pixels = clean * t + np.float32(airlight) * (np.float32(1.0) - t)
    return hazy


def _depth(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """A smooth random depth in [0, 1], (H, W): a slope and a few long waves."""
    height, width = shape[:2]
    row = (np.arange(height) + 0.5) / height
    column = (np.arange(width) + 0.5) / width
    field = -rng.uniform(0.5, 1.5) * row[:, None] + rng.uniform(-0.4, 0.4) * column
    for _ in range(4):
        down, across = rng.uniform(-1.5, 1.5, 2) * 2.0 * np.pi
        phase, high = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.05, 0.2)
        field = field + high * np.cos(down * row[:, None] + across * column + phase)
    near, far = rng.uniform(0.1, 0.4), rng.uniform(0.7, 1.0)
    low, high = field.min(), field.max()
    depth = near + (far - near) * (field - low) / max(high - low, 1e-12)
    return np.asarray(depth, np.float32)
