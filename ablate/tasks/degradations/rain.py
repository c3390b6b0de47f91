"""Rain: streaks of falling drops, near and far, over a light veil."""

from __future__ import annotations

import numpy as np

from ablate.tasks.degradations._filters import blurred, splatted
from ablate.tasks.degradations._knobs import require
from ablate.tasks.degradations._register import Pixels, register

SKYLIGHT = 0.85  # of white: a drop mirrors the whole sky, whatever is behind it

# Near, middle and far: share of all, length beside the nearest, opacity, softness in pixels.
STREAKS = ((0.1, 1.0, 0.7, 0.9), (0.3, 0.7, 0.95, 0.45), (0.6, 0.5, 0.9, 0.3))


@register(source="Garg and Nayar 2007, Vision and Rain, doi:10.1007/s11263-006-0028-6")
def rain(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    density: float = 10.0,
    length: float = 24.0,
    angle: float = 0.0,
    spread: float = 40.0,
    opacity: float = 0.8,
    veil: float = 0.05,
) -> Pixels:
    """Streaks of drops that fall during the exposure, near ones long and soft, far ones fine.

    A drop that covers a pixel for a part of the exposure, alpha, replaces that part of its light:
    I = (1 - alpha) J + alpha L, where L is the light of the sky that the drop refracts. Before
    that, rain too far to be seen as streaks lays a veil: J = (1 - veil) clean + veil L.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        density: Mean number of streaks, per 1000 pixels.
        length: Length of the nearest streaks, in pixels.
        angle: Mean slant, in degrees from the vertical.
        spread: Width of the range round the angle that every image draws its own slant from, in
            degrees.
        opacity: Alpha in the middle of the most opaque streak.
        veil: Share of the light that is lost to distant rain.

    Raises:
        ValueError: A value is outside its range.
    """
    require("density", density, 0.0, 100.0, "streaks per 1000 pixels")
    require("length", length, 1.0, 200.0, "pixels")
    require("angle", angle, -90.0, 90.0, "degrees")
    require("spread", spread, 0.0, 180.0, "degrees")
    require("opacity", opacity, 0.0, 1.0)
    require("veil", veil, 0.0, 1.0)
    slant = angle + spread * rng.uniform(-0.5, 0.5)
    image = clean + np.float32(veil) * (np.float32(SKYLIGHT) - clean)
    for share, size, strength, softness in STREAKS:
        cover = _streaks(rng, clean.shape, density * share, length * size, slant, softness)
        alpha = np.float32(opacity * strength) * np.minimum(cover, 1.0)[:, :, None]
        image += alpha * (np.float32(SKYLIGHT) - image)
    return image


def _streaks(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    density: float,
    length: float,
    slant: float,
    softness: float,
) -> Pixels:
    """How much of the exposure each pixel is covered by the streaks of one layer, (H, W)."""
    height, width = shape[:2]
    count = rng.poisson(density / 1000.0 * (height + length) * (width + length))
    middle = rng.uniform(-0.5 * length, np.add((height, width), 0.5 * length), (count, 2))
    long = length * rng.uniform(0.5, 1.0, (count, 1))
    tilt = np.radians(slant + rng.normal(0.0, 1.5, (count, 1)))
    bright = rng.uniform(0.35, 1.0, (count, 1))
    points = int(np.ceil(2.0 * length)) + 1
    along = np.linspace(-0.5, 0.5, points)  # (points,)
    rows = middle[:, :1] + along * long * np.cos(tilt)  # (count, points)
    columns = middle[:, 1:] + along * long * np.sin(tilt)
    weights = bright * (1.0 - (2.0 * along) ** 2) * long / points
    lines = splatted(rows, columns, weights, (height, width))
    peak = np.sqrt(1.0 + 2.0 * np.pi * softness**2)  # what the blur takes from a line's middle
    return np.asarray(blurred(lines, softness) * peak, np.float32)
