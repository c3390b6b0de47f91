"""Weather between the camera and the scene: rain, snow and haze."""

from __future__ import annotations

import numpy as np

from ablate.tasks.degradations._filters import Field, blurred, splatted
from ablate.tasks.degradations._knobs import draw, require
from ablate.tasks.degradations._register import Pixels, register

RAINLIGHT = 0.85  # of white: a drop mirrors the whole sky, whatever is behind it
SNOWLIGHT = 0.97

# Near, middle and far: share of all, size beside the nearest, opacity, softness in pixels.
STREAKS = ((0.1, 1.0, 0.7, 0.9), (0.3, 0.7, 0.95, 0.45), (0.6, 0.5, 0.9, 0.3))
FLAKES = ((0.08, 1.0, 0.75, 0.45), (0.27, 0.55, 0.9, 0.35), (0.65, 0.3, 0.85, 0.3))


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
    image = clean + np.float32(veil) * (np.float32(RAINLIGHT) - clean)
    for share, size, strength, softness in STREAKS:
        cover = _streaks(rng, clean.shape, density * share, length * size, slant, softness)
        alpha = np.float32(opacity * strength) * np.minimum(cover, 1.0)[:, :, None]
        image += alpha * (np.float32(RAINLIGHT) - image)
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
    return clean + z * (np.float32(SNOWLIGHT) - clean)


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
