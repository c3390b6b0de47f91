"""Runs a trained network on images: whole or in tiles, and scores what comes out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ablate.metrics import protocol, score
from ablate.mix import Evaluation
from ablate.network import scale_of
from ablate.resizing import enlarge


class Pair(Protocol):
    """A degraded image and the clean one, float32: (3, H, W), the clean one a scale larger."""

    @property
    def degraded(self) -> Tensor:
        """What the network gets."""

    @property
    def clean(self) -> Tensor:
        """What it should give back."""


def restore(
    model: nn.Module,
    image: Tensor,
    *,
    tile: int = 0,
    overlap: int = 32,
    device: torch.device,
    channels_last: bool = False,
) -> Tensor:
    """The restored image, clamped to [0, 1], where `image` lies: scale times as large.

    In tiles, memory depends on the tile and not on the image. Tiles fade into one another in the
    middle half of their overlap; the outer quarter of it is thrown away, so that a network that
    sees no further than overlap / 4 pixels gives the same as on the whole image.

    Args:
        model: forward(image) -> {"image": ...}; run in eval mode, left in the mode it was in.
        image: (3, H, W), float32.
        tile: Side of a tile of the image, in pixels; 0 restores the whole image at once.
        overlap: How far neighbouring tiles reach over one another at least, in pixels of the
            image.
        device: Where the model is.
        channels_last: Memory layout given to the model.

    Raises:
        ValueError: tile is not larger than overlap.
    """
    if tile and not 0 <= overlap < tile:
        raise ValueError(
            f"tile must be larger than overlap, and overlap at least 0; "
            f"got tile={tile}, overlap={overlap}"
        )
    height, width = image.shape[-2:]
    side, scale = tile or max(height, width), scale_of(model)
    total = image.new_zeros(3, scale * height, scale * width)
    weight = image.new_zeros(1, scale * height, scale * width)
    with _evaluating(model):
        for rows in _spans(height, side, overlap, scale):
            for columns in _spans(width, side, overlap, scale):
                part = image[:, rows.read, columns.read].unsqueeze(0).to(device)
                if channels_last:
                    part = part.contiguous(memory_format=torch.channels_last)
                restored = model(part)["image"][0].to(image)
                fade = (rows.fade[:, None] * columns.fade).to(image)
                total[:, rows.written, columns.written] += fade * restored
                weight[:, rows.written, columns.written] += fade
    return (total / weight).clamp(0, 1)


def evaluate(
    model: nn.Module,
    pairs: Sequence[Pair],
    evaluation: Evaluation,
    device: torch.device,
    channels_last: bool = False,
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """The mean of each metric over the images, and the metrics of each image.

    Raises:
        ValueError: There are no images, or one cannot be scored.
    """
    with _evaluating(model):
        restored = (
            restore(model, pair.degraded, device=device, channels_last=channels_last)
            for pair in pairs
        )
        return _scored(restored, pairs, evaluation)


def evaluate_inputs(
    pairs: Sequence[Pair], evaluation: Evaluation
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """As `evaluate`, for a network that changes nothing: what there is to gain on.

    A degraded image that is smaller is enlarged by bicubic interpolation.
    """
    return _scored((_as_large(pair) for pair in pairs), pairs, evaluation)


def _as_large(pair: Pair) -> Tensor:
    scale = pair.clean.shape[-1] // pair.degraded.shape[-1]
    return enlarge(pair.degraded[None], scale)[0]


def _scored(
    restored: Iterator[Tensor], pairs: Sequence[Pair], evaluation: Evaluation
) -> tuple[dict[str, float], list[dict[str, float]]]:
    if not pairs:
        raise ValueError(
            "there is no validation image to score "
            f"({protocol(evaluation)}); expected at least 1, got 0"
        )
    rows = [
        score(image, pair.clean, evaluation) for image, pair in zip(restored, pairs, strict=True)
    ]
    return {name: math.fsum(row[name] for row in rows) / len(rows) for name in rows[0]}, rows


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


@dataclass(frozen=True)
class _Span:
    """A tile along one axis: pixels of the image, of the result, and their weights there."""

    read: slice
    written: slice
    fade: Tensor


def _spans(length: int, tile: int, overlap: int, scale: int) -> list[_Span]:
    """The tiles of one axis."""
    if tile >= length:
        return [_Span(slice(0, length), slice(0, length * scale), torch.ones(length * scale))]
    count = math.ceil((length - overlap) / (tile - overlap))
    starts = [min(i * (tile - overlap), length - tile) for i in range(count)]
    return [
        _Span(
            slice(start, start + tile),
            slice(start * scale, (start + tile) * scale),
            _fade(tile * scale, overlap * scale, start > 0, start + tile < length),
        )
        for start in starts
    ]


def _fade(tile: int, overlap: int, left: bool, right: bool) -> Tensor:
    """1 inside, falling as a squared sine to 0 at the sides where another tile takes over."""
    position = (torch.arange(overlap, dtype=torch.float64) + 0.5) / max(overlap, 1)
    rise = torch.sin(math.pi / 2 * ((position - 0.25) * 2).clamp(0, 1)) ** 2
    fade = torch.ones(tile, dtype=torch.float64)
    if left:
        fade[:overlap] *= rise
    if right:
        fade[tile - overlap :] *= rise.flip(0)
    return fade
