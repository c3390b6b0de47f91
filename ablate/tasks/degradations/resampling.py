"""What storing an image costs: JPEG compression, and fewer pixels."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ablate import resizing
from ablate.tasks.degradations._knobs import require
from ablate.tasks.degradations._register import Pixels, register


@register(source="ITU-T T.81; quality as in libjpeg, which Pillow uses")
def jpeg(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    quality: int = 20,
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0",
) -> Pixels:
    """JPEG compression and decompression; the image is rounded to 8 bits first.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: Not used.
        quality: libjpeg's quality, 1 to 100; lower is smaller and blockier.
        subsampling: Resolution of the colour beside that of the luma.

    Raises:
        ValueError: quality is outside 1 to 100.
    """
    from PIL import Image

    del rng
    require("quality", quality, 1, 100)
    stored = io.BytesIO()
    levels = np.rint(np.clip(clean, 0.0, 1.0) * 255.0).astype(np.uint8)
    Image.fromarray(levels).save(stored, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(stored, formats=("JPEG",)) as image:
        return np.asarray(image, np.float32) / np.float32(255.0)


@register(source="Keys 1981, a = -1/2, widened when shrinking, as MATLAB's imresize and Pillow")
def downscale(clean: Pixels, rng: np.random.Generator, *, scale: int = 2) -> Pixels:
    """Bicubic shrinking with antialiasing, then bicubic enlarging to the old size.

    The network gets an image as large as the clean one; for a smaller one, which the network has
    to enlarge, take `shrink`. The small image has ceil(H / scale) x ceil(W / scale) pixels and is
    clipped to [0, 1], as a stored image is, and so is the result; neither is rounded to 8 bits.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: Not used.
        scale: How many times fewer pixels in each direction.

    Raises:
        ValueError: scale is outside 2 to 16.
    """
    del rng
    require("scale", scale, 2, 16, "times")
    size = (clean.shape[0], clean.shape[1])
    small = (-(-size[0] // scale), -(-size[1] // scale))
    image = torch.from_numpy(clean.copy()).movedim(-1, 0)[None]  # (1, 3, H, W)
    for target in (small, size):
        image = functional.interpolate(image, target, mode="bicubic", antialias=True).clamp(0, 1)
    restored: Pixels = image[0].movedim(0, -1).contiguous().numpy()
    return restored


@register(
    source="Keys 1981, a = -1/2, widened, edges mirrored: MATLAB's imresize, the bicubic"
    " degradation of Timofte et al. 2017 (DIV2K)",
    shrinks=True,
)
def shrink(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    scale: Literal[2, 3, 4] = 2,
    rounded: bool = True,
) -> Pixels:
    """Bicubic shrinking with antialiasing: the smaller image of super-resolution.

    The result has ceil(H / scale) x ceil(W / scale) pixels, clipped to [0, 1]; the network has
    to have the same scale. A crop is shrunk by itself, its mirror image beyond its edges.
    For an image that stays as large, take `downscale`.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: Not used.
        scale: How many times fewer pixels in each direction.
        rounded: Round to 8 bits, as the published sets of small images are stored.
    """
    del rng
    image = torch.from_numpy(clean.copy()).movedim(-1, 0)[None]  # (1, 3, H, W)
    small = resizing.shrink(image, scale).clamp(0, 1)
    if rounded:
        small = (small * 255).round() / 255
    pixels: Pixels = small[0].movedim(0, -1).contiguous().numpy()
    return pixels
