"""Crops of restored images as they are shown: the same pixels of all, and where they err."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 192  # pixels of a shown crop; larger ones are cut to their middle
STEPS = 16  # colours of an error map
COLOURS = "inferno"  # matplotlib's; even steps to the eye, and to the colour-blind
SEEN = 0.99  # share of the pixels whose error the scale holds
TOPS = (2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256)

Pixels = NDArray[np.uint8]  # (height, width, 3)
Errors = NDArray[np.float64]  # (height, width), of 255


@dataclass(frozen=True)
class ErrorScale:
    """How errors are coloured, the same in all maps.

    Args:
        top: Where the last colour begins to stand for all that is larger, of 255.
        colours: From no error to the top, as #rrggbb.
    """

    top: float
    colours: tuple[str, ...]

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Position from 0 to 1 and text."""
        return ((0.0, "0"), (0.5, f"{self.top / 2:g}"), (1.0, f"{self.top:g}"))


def read(png: bytes) -> Image.Image:
    """A picture of the record."""
    return Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGB")


def enlarged(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture at a size, by bicubic interpolation; as it is where it has that size."""
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def middle(picture: Image.Image) -> Pixels:
    """The middle of a picture, at most SIDE pixels a side, not scaled."""
    width, height = picture.size
    left, top = max(width - SIDE, 0) // 2, max(height - SIDE, 0) // 2
    shown = picture.crop((left, top, left + min(width, SIDE), top + min(height, SIDE)))
    return np.asarray(shown, dtype=np.uint8)


def psnr(shown: Pixels, target: Pixels) -> float:
    """PSNR of 8-bit pixels in dB; infinite where they are the same, NaN where sizes differ."""
    if shown.shape != target.shape:
        return math.nan
    error = float(((shown.astype(float) - target.astype(float)) ** 2).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def errors(shown: Pixels, target: Pixels) -> Errors:
    """Absolute error of each pixel, the mean over its colours, of 255: (height, width)."""
    gap = np.abs(shown.astype(np.float64) - target.astype(np.float64))
    return np.asarray(gap.mean(axis=2))


def scale_of_errors(maps: Iterable[Errors]) -> ErrorScale:
    """A scale that holds nearly all errors of all maps, up to a round number."""
    flat = np.concatenate([np.empty(0), *(each.ravel() for each in maps)])
    reach = float(np.quantile(flat, SEEN)) if flat.size else 0.0
    top = next((top for top in TOPS if top >= reach), TOPS[-1])
    return ErrorScale(float(top), _colours())


def _colours() -> tuple[str, ...]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = colormaps[COLOURS](np.linspace(0.0, 1.0, STEPS))
    return tuple(to_hex(shade) for shade in shades)


def error_uri(found: Errors, scale: ErrorScale) -> str:
    """An error map as a small PNG in a data URI."""
    steps = np.minimum(found / scale.top * STEPS, STEPS - 1).astype(np.uint8)
    height, width = steps.shape
    picture = Image.frombytes("P", (width, height), steps.tobytes())
    picture.putpalette([part for colour in scale.colours for part in bytes.fromhex(colour[1:])])
    return _uri(picture, "png", bits=4, optimize=True)


def uri(shown: Pixels) -> str:
    """Pixels as they are, without loss, in a data URI."""
    return _uri(Image.fromarray(shown), "webp", lossless=True, quality=90, method=4)


def _uri(picture: Image.Image, kind: str, **settings: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind.upper(), **settings)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
