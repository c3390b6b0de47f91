"""What storing an image costs: JPEG compression, and fewer pixels."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

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

    The small image has ceil(H / scale) x ceil(W / scale) pixels and is clipped to [0, 1], as a
    stored image is, and so is the result; neither is rounded to 8 bits.

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
