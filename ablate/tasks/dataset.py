"""A dataset: clean photographs for training and for validation, in memory or mapped from a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ablate.tasks.images import Levels
from ablate.tasks.storage import read_arrays, write_arrays

NAMED: Final = 5  # files that an error names; the others are counted


class DataError(ValueError):
    """Images that cannot be used: one line that names the files."""

    kind = "data"


def listed(problems: Sequence[str]) -> str:
    """The first few of several problems, and how many more there are."""
    more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    return "; ".join(problems[:NAMED]) + more


@dataclass(frozen=True, eq=False)
class Photo:
    """One picture, (H, W, 3) of uint8 or uint16, and its degraded twin where one was given."""

    name: str
    clean: Levels
    degraded: Levels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.clean.shape[0], self.clean.shape[1]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Photographs to train on and others to validate on; make one with `Dataset.of`.

    Args:
        train: At least one.
        validation: At least one; none of them is in `train`.
        digest: SHA-256 over names and pixels: equal for equal data.
    """

    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    digest: str

    @classmethod
    def of(cls, train: Iterable[Photo], validation: Iterable[Photo]) -> Dataset:
        """Put the two parts together.

        Raises:
            DataError: A part is empty, or a picture is in both; the message names both files.
        """
        parts = {"training": tuple(train), "validation": tuple(validation)}
        for part, photos in parts.items():
            if not photos:
                raise DataError(f"there is no {part} image; expected at least 1, got 0")
        hashes = {part: [_fingerprint(photo) for photo in photos] for part, photos in parts.items()}
        _require_disjoint(parts, hashes)
        digest = hashlib.sha256(json.dumps(_identity(parts, hashes)).encode()).hexdigest()
        return cls(parts["training"], parts["validation"], digest)

    @property
    def paired(self) -> bool:
        """Whether every picture came with its degraded twin."""
        return all(photo.degraded is not None for photo in (*self.train, *self.validation))

    def save(self, path: Path) -> None:
        """Write everything to one file, all or nothing, from which `read` maps it."""
        photos = (*self.train, *self.validation)
        images = [i for photo in photos for i in (photo.clean, photo.degraded) if i is not None]
        facts = {
            "digest": self.digest,
            "train": [_described(photo) for photo in self.train],
            "validation": [_described(photo) for photo in self.validation],
        }
        write_arrays(path, facts, images)

    @classmethod
    def read(cls, path: Path) -> Dataset:
        """Map what `save` wrote; pictures are read from the disk when they are looked at.

        Raises:
            DataError: The file is missing or is not a whole saved dataset.
        """
        try:
            facts, images = read_arrays(path)
            train, validation = (
                tuple(Photo(name, *(next(images) for _ in range(count))) for name, count in part)
                for part in (facts["train"], facts["validation"])
            )
        except FileNotFoundError:
            raise DataError(f"{path} is not a saved dataset: no such file") from None
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{path} is not a saved dataset, or is damaged ({why})") from None
        return cls(train, validation, str(facts["digest"]))


def require_size(dataset: Dataset, crop: int, evaluation_crop: int) -> None:
    """See that every picture is at least as large as the crops taken from it.

    Args:
        dataset: The pictures.
        crop: Side of a training crop, in pixels.
        evaluation_crop: Side of a validation crop, in pixels; 0 for whole images.

    Raises:
        DataError: Some are smaller; the message names them with their sizes.
    """
    for part, photos, side in (
        ("training", dataset.train, crop),
        ("validation", dataset.validation, evaluation_crop),
    ):
        small = [
            f"{photo.name} is {photo.size[1]} x {photo.size[0]}"
            for photo in photos
            if min(photo.size) < side
        ]
        if small:
            raise DataError(
                f"{len(small)} of {len(photos)} {part} images are smaller than the {side} x {side}"
                f" pixels of a {part} crop: {listed(small)}"
            )


def _fingerprint(photo: Photo) -> tuple[str, str]:
    """Hashes of the clean and of the degraded picture."""
    return _hash(photo.clean), "" if photo.degraded is None else _hash(photo.degraded)


def _hash(image: Levels) -> str:
    made = hashlib.sha256(f"{image.shape} {image.dtype.name}".encode())
    made.update(np.ascontiguousarray(image).data)
    return made.hexdigest()


def _require_disjoint(
    parts: dict[str, tuple[Photo, ...]], hashes: dict[str, list[tuple[str, str]]]
) -> None:
    names = {
        clean: photo.name
        for photo, (clean, _) in zip(parts["training"], hashes["training"], strict=True)
    }
    same = [
        f"{names[clean]} (training) = {photo.name} (validation)"
        for photo, (clean, _) in zip(parts["validation"], hashes["validation"], strict=True)
        if clean in names
    ]
    if same:
        raise DataError(
            f"training and validation must not share a picture, but these are equal: {listed(same)}"
        )


def _identity(
    parts: dict[str, tuple[Photo, ...]], hashes: dict[str, list[tuple[str, str]]]
) -> dict[str, list[list[str]]]:
    return {
        part: [[photo.name, *hashed] for photo, hashed in zip(photos, hashes[part], strict=True)]
        for part, photos in parts.items()
    }


def _described(photo: Photo) -> tuple[str, int]:
    """A picture's name, and how many arrays it is made of."""
    return photo.name, 1 if photo.degraded is None else 2
