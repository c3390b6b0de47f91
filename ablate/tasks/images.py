"""Reading pictures exactly: every format, mode and bit depth is either right or refused by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Levels = NDArray[np.uint8] | NDArray[np.uint16]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MOST_PIXELS: Final = 80_000_000  # below the size at which Pillow itself begins to warn
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF 6.0
AHEAD: Final = 32  # pictures that are decoded before they are asked for


class ImageError(ValueError):
    """A picture that cannot be read exactly: why, in a few words, without the file's name."""


def as_float(levels: Levels) -> NDArray[np.float32]:
    """(H, W, 3) levels of 8 or 16 bits as float32 in [0, 1]."""
    return np.multiply(levels, np.float32(1.0 / np.iinfo(levels.dtype).max), dtype=np.float32)


def read_image(path: Path) -> Levels:
    """Read one picture as (H, W, 3), uint8 or, for 16-bit grey, uint16.

    Grey becomes three equal channels, a palette its colours; the EXIF orientation is applied;
    colour profiles are not. An alpha channel is dropped where it is opaque everywhere and
    refused elsewhere: what shows through is not part of the picture.

    Raises:
        ImageError: The file cannot be opened, is damaged or too large, or is of a kind that
            would be read wrongly.
    """
    with _pillow_warnings():
        return _read(path)


def read_images(paths: Sequence[Path]) -> Iterator[Levels | ImageError]:
    """Read many pictures, several at a time, in order; one that cannot be read gives its error."""

    def attempt(path: Path) -> Levels | ImageError:
        try:
            return _read(path)
        except ImageError as error:
            return error

    with _pillow_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), AHEAD):  # so that results do not pile up in memory
            yield from pool.map(attempt, paths[start : start + AHEAD])


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Make an error of Pillow's warning about sheer size, and nothing of its others."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _read(path: Path) -> Levels:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        if path.stat().st_size == 0:
            raise ImageError("the file is empty (0 bytes)")
        with Image.open(path, formats=FORMATS) as image:
            _require_handled(image, path)
            image.load()
            return _levels(ImageOps.exif_transpose(image))
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"not a PNG, JPEG, WebP, BMP or TIFF image{_begins(path)}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(_too_large()) from None
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ImageError(str(error.strerror).lower()) from None
    except Exception as error:  # whatever a decoder makes of damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"damaged or cut short ({reason})") from None


def _too_large() -> str:
    return f"more than {MOST_PIXELS // 1_000_000} megapixels"


def _begins(path: Path) -> str:
    with path.open("rb") as file:
        return f"; it begins with {file.read(8)!r}"


def _require_handled(image: Image.Image, path: Path) -> None:
    """Refuse, before decoding, what Pillow would read as something else."""
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(f"{_too_large()}: {image.width} x {image.height}")
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        raise ImageError(f"{frames} frames or pages in one file; save each as a file of its own")
    _require_known_levels(image, _bits(image, path))


def _require_known_levels(image: Image.Image, bits: int) -> None:
    """Refuse levels that would be clipped, wrapped, inverted or cut to 8 bits."""
    tags = getattr(image, "tag_v2", {})
    if image.mode == "F":
        raise ImageError(f"{bits}-bit floating-point levels; save it with 8 bits, or 16 bits grey")
    if tags.get(SAMPLE_FORMAT, (1,))[0] != 1:
        raise ImageError(f"{bits}-bit signed levels; save it with 8 bits, or 16 bits grey")
    if bits <= 8:
        return
    if not image.mode.startswith("I"):
        raise ImageError(f"{bits}-bit colour; save it with 8 bits per channel")
    if bits != 16:
        raise ImageError(f"{bits}-bit grey; save it with 8 or 16 bits")
    if tags.get(PHOTOMETRIC, 1) == 0:
        raise ImageError("16-bit grey whose zero is white; save it with black as zero")
    if (level := image.info.get("transparency")) is not None:
        raise ImageError(f"16-bit grey whose level {level} is transparent; save it without that")


def _bits(image: Image.Image, path: Path) -> int:
    """Bits per channel in the file, which the decoded mode does not always show."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]  # signature 8, chunk head 8, width 4, height 4, depth 1
    if image.format == "TIFF":
        samples = image.tag_v2.get(BITS_PER_SAMPLE, (1,))  # type: ignore[attr-defined]
        return int(max(samples)) if isinstance(samples, tuple) else int(samples)
    return 16 if image.mode.startswith("I;16") else 8


def _levels(image: Image.Image) -> Levels:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _opaque(image)
    if image.mode in ("1", "L", "P", "RGB"):
        return np.asarray(image.convert("RGB"), np.uint8)
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.uint16)
        return np.repeat(grey[:, :, None], 3, axis=2)
    raise ImageError(f"colour mode {image.mode}; save it as RGB or grey")


def _opaque(image: Image.Image) -> Levels:
    pixels = np.asarray(image.convert("RGBA"), np.uint8)
    if (least := pixels[:, :, 3].min()) < 255:
        raise ImageError(
            f"partly transparent (alpha down to {least} of 255); save it without an alpha channel"
        )
    return np.ascontiguousarray(pixels[:, :, :3])
