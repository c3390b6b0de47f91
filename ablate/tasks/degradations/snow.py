"""Snow: soft irregular flakes, near and far, over a light veil."""

from __future__ import annotations

import numpy as np

from ablate.tasks.degradations._filters import Field
from ablate.tasks.degradations._knobs import require
from ablate.tasks.degradations._register import Pixels, register

WHITE = 0.97  # of a flake

# Near, middle and far: share of all, size beside the nearest, opacity, softness of its radius.
FLAKES = ((0.08, 1.0, 0.75, 0.45), (0.27, 0.55, 0.9, 0.35), (0.65, 0.3, 0.85, 0.3))


@register(source="Liu et al. 2018, DesnowNet, arXiv:1708.04512, eq. 1: I = a z + J (1 - z)")
def snow(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    density: float = 8.0,
    radius: float = 4.0,
    drift: float = 3.0,
    opacity: float = 0.95,
    veil: float = 0.05,
) -> Pixels:
    """Flakes of three distances, irregular and soft, drawn out a little as they fall.

    I = (1 - z) J + z a with z the opacity of the flakes over a pixel and a their white; flakes
    behind one another multiply what they let through.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        density: Mean number of flakes, per 1000 pixels.
        radius: Radius of the nearest flakes, in pixels.
        drift: How far the nearest flakes move during the exposure, in pixels.
        opacity: z in the middle of the most opaque flake.
        veil: Share of the light that is lost to distant snow.

    Raises:
        ValueError: A value is outside its range.
    """
    require("density", density, 0.0, 100.0, "flakes per 1000 pixels")
    require("radius", radius, 0.5, 50.0, "pixels")
    require("drift", drift, 0.0, 100.0, "pixels")
    require("opacity", opacity, 0.0, 1.0)
    require("veil", veil, 0.0, 1.0)
    wind = rng.uniform(-0.6, 0.6)  # radians from the vertical
    through = np.full(clean.shape[:2], 1.0 - veil)
    for share, size, strength, softness in FLAKES:
        flakes = _Flakes(
            density * share, radius * size, drift * size, opacity * strength, softness, wind
        )
        through *= flakes.let_through(rng, clean.shape)
    z = np.float32(1.0) - through.astype(np.float32)[:, :, None]
    return clean + z * (np.float32(WHITE) - clean)


class _Flakes:
    """The flakes of one distance."""

    def __init__(
        self,
        density: float,
        radius: float,
        drift: float,
        opacity: float,
        softness: float,
        wind: float,
    ) -> None:
        self.density, self.radius, self.drift = density, radius, drift
        self.opacity, self.softness, self.wind = opacity, softness, wind

    def let_through(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Field:
        """The share of the light that passes between the flakes, (H, W)."""
        height, width = shape[:2]
        reach = int(np.ceil(1.6 * self.radius + 0.5 * self.drift)) + 1
        area = (height + 2 * reach) * (width + 2 * reach)
        count = rng.poisson(self.density / 1000.0 * area)
        middle = rng.uniform(-reach, (height + reach, width + reach), (count, 2))
        corner = np.rint(middle).astype(np.int64)
        offset = np.arange(-reach, reach + 1)
        rows = corner[:, :1, None] + offset[:, None]  # (count, side, 1)
        columns = corner[:, 1:, None] + offset  # (count, 1, side)
        alpha = self._alpha(
            rng, rows - middle[:, :1, None], columns - middle[:, 1:, None]
        )  # (count, side, side)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        place = np.broadcast_to(rows * width + columns, alpha.shape)[inside]
        depth = np.bincount(place, -np.log1p(-alpha[inside]), minlength=height * width)
        return np.asarray(np.exp(-depth)).reshape(height, width)

    def _alpha(self, rng: np.random.Generator, down: Field, right: Field) -> Field:
        """Opacity at an offset in pixels from the middle of each flake."""
        count = len(down)
        one = (count, 1, 1)
        radius = self.radius * rng.uniform(0.6, 1.2, one)
        opacity = self.opacity * rng.uniform(0.5, 1.0, one)
        fall = down * np.cos(self.wind) + right * np.sin(self.wind)
        aside = right * np.cos(self.wind) - down * np.sin(self.wind)
        fall = fall - np.clip(fall, -0.5 * self.drift, 0.5 * self.drift)
        around = np.arctan2(aside, fall)
        phase = rng.uniform(0.0, 2.0 * np.pi, (2, *one))
        edge = 1.0 + 0.18 * np.cos(2.0 * around + phase[0]) + 0.1 * np.cos(3.0 * around + phase[1])
        soft = self.softness * radius + 0.4
        height = (radius * edge - np.hypot(fall, aside)) / (2.0 * soft) + 0.5
        height = np.clip(height, 0.0, 1.0)
        return np.asarray(np.minimum(opacity * height**2 * (3.0 - 2.0 * height), 0.999))
