"""The crops a network is trained and scored on, a pure function of seed and step.

Every mix of a study sees the same crops with the same degradation, so comparisons are paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ablate.mix import Choice, Evaluation, Training
from ablate.tasks.dataset import Dataset, Photo
from ablate.tasks.degradations import Pixels, apply_degradation
from ablate.tasks.images import as_float

PLACES, DEGRADATIONS = 0, 1  # two streams of chance: a stronger noise sees the same crops

# Fractions of the two-dimensional golden ratio p, p^3 = p + 1: successive multiples spread
# evenly over the unit square (Roberts 2018, the R2 sequence).
SPREAD = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, eq=False)
class Pair:
    """A degraded image and what it should be restored to, (3, h, w) float32 each."""

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
        Degraded and clean images, (batch, 3, crop, crop) float32 each.
    """
    places = np.random.default_rng((seed, step, PLACES))
    chance = np.random.default_rng((seed, step, DEGRADATIONS))
    shape = (training.batch, training.crop, training.crop, 3)
    degraded, clean = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for row in range(training.batch):
        photo = dataset.train[places.integers(len(dataset.train))]
        place = _random_place(photo, training.crop, places)
        turn = places.integers(8) if training.augment else 0
        clean[row], degraded[row] = _crop(
            photo, place, training.crop, int(turn), degradation, chance
        )
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


def _whole(dataset: Dataset, degradation: Choice, evaluation: Evaluation) -> Iterator[Pair]:
    for number, photo in enumerate(dataset.validation):
        clean = as_float(photo.clean)
        chance = np.random.default_rng((evaluation.noise_seed, number, 0))
        degraded = _degraded(clean, photo.degraded, degradation, chance)
        yield Pair(photo.name, _tensor(degraded), _tensor(clean))


def _spread_crops(dataset: Dataset, degradation: Choice, evaluation: Evaluation) -> Iterator[Pair]:
    photos, side = dataset.validation, evaluation.crop
    taken: list[set[tuple[int, int]]] = [set() for _ in photos]
    counts = [0] * len(photos)
    for crop in range(evaluation.crops):
        number = crop * len(photos) // evaluation.crops
        photo, rank = photos[number], counts[number]
        counts[number] += 1
        place = _even_place(photo, side, rank)
        if place in taken[number]:
            continue
        taken[number].add(place)
        chance = np.random.default_rng((evaluation.noise_seed, number, rank))
        clean, degraded = _crop(photo, place, side, 0, degradation, chance)
        yield Pair(f"{photo.name}@{place[0]},{place[1]}", _tensor(degraded), _tensor(clean))


def _random_place(photo: Photo, side: int, rng: np.random.Generator) -> tuple[int, int]:
    height, width = photo.size
    return int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))


def _even_place(photo: Photo, side: int, rank: int) -> tuple[int, int]:
    """Top and left of a picture's crop number `rank`; number 0 is in the middle."""
    height, width = photo.size
    row, column = ((0.5 + rank * step) % 1.0 for step in SPREAD)
    return round(row * (height - side)), round(column * (width - side))


def _crop(
    photo: Photo,
    place: tuple[int, int],
    side: int,
    turn: int,
    degradation: Choice,
    chance: np.random.Generator,
) -> tuple[Pixels, Pixels]:
    """A clean crop and its degraded twin, both turned alike, (side, side, 3) each."""
    rows, columns = (slice(start, start + side) for start in place)
    clean = as_float(_turned(photo.clean[rows, columns], turn))
    given = None if photo.degraded is None else _turned(photo.degraded[rows, columns], turn)
    return clean, _degraded(clean, given, degradation, chance)


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
