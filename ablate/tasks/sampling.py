"""The crops a network is trained and scored on, a pure function of seed and step.

Every mix of a study sees the same crops with the same degradation, so comparisons are paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ablate.mix import Choice, Evaluation, Training
from ablate.tasks.dataset import Dataset, Photo
from ablate.tasks.degradations import Pixels, apply_degradation
from ablate.tasks.images import as_float
from ablate.tasks.scale import shrinking

PLACES, DEGRADATIONS = 0, 1  # two streams of chance: a stronger noise sees the same crops

# Fractions of the two-dimensional golden ratio p, p^3 = p + 1: successive multiples spread
# evenly over the unit square (Roberts 2018, the R2 sequence).
SPREAD = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, eq=False)
class Pair:
    """A degraded image and what it should be restored to, float32.

    The clean image is (3, h, w); the degraded one too, or (3, h / scale, w / scale) where the
    task shrinks.
    """

    name: str
    degraded: Tensor
    clean: Tensor


def training_batch(
    dataset: Dataset, degradation: Choice, training: Training, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """The batch of one training step.

    Args:
        dataset: Where crops are taken from: every picture is equally likely, every place too.
        degradation: Applied to the clean crop; not used for pictures given with their twins.
        training: Its batch, crop and augment are used, nothing else.
        seed: Of the trial, 0 or more.
        step: Of the training, 0 or more.

    Returns:
        Degraded and clean images, (batch, 3, crop, crop) float32 each; the degraded ones have
        crop / scale pixels a side where the task shrinks.
    """
    places = np.random.default_rng((seed, step, PLACES))
    chance = np.random.default_rng((seed, step, DEGRADATIONS))
    side, scale = training.crop, _scale(dataset.train, degradation)
    clean = np.empty((training.batch, side, side, 3), np.float32)
    degraded = np.empty((training.batch, side // scale, side // scale, 3), np.float32)
    for row in range(training.batch):
        photo = dataset.train[places.integers(len(dataset.train))]
        place = _random_place(photo, side, scale, places)
        turn = int(places.integers(8)) if training.augment else 0
        crop = _Crop(place, side, scale, turn)
        clean[row], degraded[row] = crop.of(photo, degradation, chance)
    return _tensor(degraded), _tensor(clean)


def validation_pairs(
    dataset: Dataset, degradation: Choice, evaluation: Evaluation
) -> tuple[Pair, ...]:
    """The images that every mix is scored on, always the same for the same settings.

    Crops are shared out evenly over the pictures and spread evenly over each; where a picture is
    so small that two would coincide, it is taken once. The degradation is seeded by the noise
    seed, the picture and the crop's number in it.
    """
    if evaluation.crop == 0:
        return tuple(_whole(dataset, degradation, evaluation))
    return tuple(_spread_crops(dataset, degradation, evaluation))


def _scale(photos: Sequence[Photo], degradation: Choice) -> int:
    """How many times the degraded images are smaller, a side."""
    given = photos[0].degraded
    return shrinking(degradation) if given is None else photos[0].size[0] // given.shape[0]


def _whole(dataset: Dataset, degradation: Choice, evaluation: Evaluation) -> Iterator[Pair]:
    """Whole images, less the rows and columns that do not make a pixel of the smaller image."""
    scale = _scale(dataset.validation, degradation)
    for number, photo in enumerate(dataset.validation):
        height, width = (side // scale * scale for side in photo.size)
        clean = as_float(photo.clean[:height, :width])
        chance = np.random.default_rng((evaluation.noise_seed, number, 0))
        degraded = _degraded(clean, photo.degraded, degradation, chance)
        yield Pair(photo.name, _tensor(degraded), _tensor(clean))


def _spread_crops(dataset: Dataset, degradation: Choice, evaluation: Evaluation) -> Iterator[Pair]:
    photos, side = dataset.validation, evaluation.crop
    scale = _scale(photos, degradation)
    taken: list[set[tuple[int, int]]] = [set() for _ in photos]
    counts = [0] * len(photos)
    for crop in range(evaluation.crops):
        number = crop * len(photos) // evaluation.crops
        photo, rank = photos[number], counts[number]
        counts[number] += 1
        place = _even_place(photo, side, scale, rank)
        if place in taken[number]:
            continue
        taken[number].add(place)
        chance = np.random.default_rng((evaluation.noise_seed, number, rank))
        clean, degraded = _Crop(place, side, scale).of(photo, degradation, chance)
        yield Pair(f"{photo.name}@{place[0]},{place[1]}", _tensor(degraded), _tensor(clean))


def _random_place(photo: Photo, side: int, scale: int, rng: np.random.Generator) -> tuple[int, int]:
    grid, (down, across) = _grid(photo, side, scale)
    return grid * int(rng.integers(down + 1)), grid * int(rng.integers(across + 1))


def _even_place(photo: Photo, side: int, scale: int, rank: int) -> tuple[int, int]:
    """Top and left of a picture's crop number `rank`; number 0 is in the middle."""
    grid, (down, across) = _grid(photo, side, scale)
    row, column = ((0.5 + rank * step) % 1.0 for step in SPREAD)
    return grid * round(row * down), grid * round(column * across)


def _grid(photo: Photo, side: int, scale: int) -> tuple[int, tuple[int, int]]:
    """On which multiples a crop may begin, and the last of them down and across.

    Anywhere, unless a smaller twin was given: then where a pixel of it begins.
    """
    grid = 1 if photo.degraded is None else scale
    height, width = photo.size
    return grid, ((height - side) // grid, (width - side) // grid)


@dataclass(frozen=True)
class _Crop:
    """Where a crop lies in the clean picture, and how it is turned.

    Args:
        place: Top and left; of a picture with a smaller twin, where a pixel of it begins.
        side: Pixels; a multiple of the scale.
        scale: How many times the degraded picture is smaller, a side.
        turn: As of `_turned`.
    """

    place: tuple[int, int]
    side: int
    scale: int
    turn: int = 0

    def of(
        self, photo: Photo, degradation: Choice, chance: np.random.Generator
    ) -> tuple[Pixels, Pixels]:
        """The clean crop and its degraded twin, both turned alike."""
        clean = as_float(self._cut(photo.clean, 1))
        given = None if photo.degraded is None else self._cut(photo.degraded, self.scale)
        return clean, _degraded(clean, given, degradation, chance)

    def _cut(self, image: np.ndarray, smaller: int) -> np.ndarray:
        side = self.side // smaller
        rows, columns = (slice(at // smaller, at // smaller + side) for at in self.place)
        return _turned(image[rows, columns], self.turn)


def _degraded(
    clean: Pixels, given: np.ndarray | None, degradation: Choice, chance: np.random.Generator
) -> Pixels:
    if given is not None:
        return as_float(given)
    return apply_degradation(degradation, clean, chance)


def _turned(image: np.ndarray, turn: int) -> np.ndarray:
    """One of the eight symmetries of the square: turn // 4 mirrors, turn % 4 quarter turns."""
    return np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)


def _tensor(pixels: Pixels) -> Tensor:
    """(..., H, W, 3) as a contiguous (..., 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, -3)))
