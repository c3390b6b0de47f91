"""A few restored crops of a trial, as PNG files for the report."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ablate.restoring import restore
from ablate.tasks.sampling import Pair

PICTURES = 3  # validation images whose restoration is kept for the report


def pictures_of(
    model: nn.Module, pairs: Sequence[Pair], device: torch.device
) -> tuple[tuple[str, str, bytes], ...]:
    """(image, kind, PNG) of a few validation images: degraded (as it is), clean and restored."""
    chosen = pairs[:: max(1, len(pairs) // PICTURES)][:PICTURES]
    pictures = []
    for pair in chosen:
        degraded, clean = _middle(pair)
        restored = restore(model, degraded, device=device)
        kinds = {"input": degraded, "target": clean, "restored": restored}
        for kind, image in kinds.items():
            pictures.append((pair.name, kind, to_png(image)))
    return tuple(pictures)


def to_png(image: Tensor) -> bytes:
    """An image (3, H, W) in [0, 1], rounded to 8 bits, as a PNG file."""
    from PIL import Image

    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def _middle(pair: Pair, side: int = 128) -> tuple[Tensor, Tensor]:
    """The middle of a large pair, degraded and clean: pictures in a report are small."""
    scale = pair.clean.shape[-1] // pair.degraded.shape[-1]
    small = side // scale
    top, left = (max(0, (length - small) // 2) for length in pair.degraded.shape[-2:])
    return _cut(pair.degraded, top, left, small), _cut(
        pair.clean, top * scale, left * scale, small * scale
    )


def _cut(image: Tensor, top: int, left: int, side: int) -> Tensor:
    return image[:, top : top + side, left : left + side]
