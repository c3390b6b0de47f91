"""Where pictures come from: the photographs shipped with the project, folders, folders of pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ablate.mix import Choice, Task
from ablate.tasks.dataset import DataError, Dataset, Photo, require_size
from ablate.tasks.files import folder_at, images_in, read_all
from ablate.tasks.pairing import paired_photos
from ablate.tasks.scale import task_scale
from blocks import Registry

__all__ = ["DataError", "Dataset", "Photo", "check_task", "load", "require_size", "sources"]

PHOTOS = Path(__file__).parent / "photos"

sources: Registry[Callable[..., Dataset]] = Registry("data source")


def load(choice: Choice, base: Path) -> Dataset:
    """Read the chosen pictures.

    Args:
        choice: A registered source and its knobs.
        base: The folder that relative paths start from.

    Raises:
        UnknownName: No such source.
        DataError: The pictures cannot be used; one line that names files.
    """
    settings: dict[str, Any] = choice.settings
    return sources[choice.name].make(base, **settings)


def check_task(task: Task) -> None:
    """See that data which comes as pairs, and only such data, has the degradation `given`.

    Raises:
        ValueError: It has not, or it is not clear how many times the task shrinks its images.
    """
    paired, given = bool(sources[task.data.name].facts["paired"]), task.degradation.name == "given"
    if paired and not given:
        raise ValueError(
            f"data '{task.data.name}' holds degraded images already, so the degradation must be"
            f" 'given'; got '{task.degradation.name}'"
        )
    if given and not paired:
        raise ValueError(
            f"degradation 'given' needs data that comes as pairs; got data '{task.data.name}'"
        )
    task_scale(task)


@sources.register(paired=False)
def photos(base: Path) -> Dataset:
    """Nine lossless photographs shipped with the project: six to train on, three to validate."""
    del base
    manifest = json.loads((PHOTOS / "MANIFEST.json").read_text(encoding="utf-8"))
    names: list[str] = [item["file"] for item in manifest]
    all_photos = [
        (name, Photo(PurePosixPath(name).stem, image))
        for name, image in zip(names, read_all(PHOTOS, names), strict=True)
    ]
    return Dataset.of(
        (photo for name, photo in all_photos if name.startswith("train/")),
        (photo for name, photo in all_photos if name.startswith("val/")),
    )


@sources.register(paired=False)
def folder(base: Path, *, train: str, validation: str = "", holdout: float = 0.1) -> Dataset:
    """A folder of clean images, with those in its sub-folders.

    Args:
        base: The folder that relative paths start from.
        train: Folder of the images to train on.
        validation: Folder of the images to validate on; empty holds some of `train` out, chosen
            by a hash of their names. Frames of one video belong in one folder or the other.
        holdout: Fraction of `train` that is held out where `validation` is empty; at least one.

    Raises:
        DataError: A folder is missing or holds no image, images cannot be read, or the two parts
            share a picture.
    """
    train_folder = folder_at(base, train, "train")
    if validation:
        return Dataset.of(
            clean_photos(train_folder), clean_photos(folder_at(base, validation, "validation"))
        )
    return _held_out(clean_photos(train_folder), holdout, train_folder)


@sources.register(paired=True)
def pairs(
    base: Path,
    *,
    input: str,
    target: str,
    validation_input: str = "",
    validation_target: str = "",
    holdout: float = 0.1,
    scale: Literal[1, 2, 3, 4] = 1,
) -> Dataset:
    """Folders of degraded images and of their clean twins, matched by name without its suffix.

    Args:
        base: The folder that relative paths start from.
        input: Folder of the degraded images to train on.
        target: Folder of the clean images to train on.
        validation_input: Folder of the degraded images to validate on; empty, with
            `validation_target`, holds some of the training pairs out, chosen by a hash of their
            names.
        validation_target: Folder of the clean images to validate on.
        holdout: Fraction of the pairs that is held out where there are no validation folders; at
            least one.
        scale: How many times fewer pixels a side the degraded images have (super-resolution);
            of a clean image that is larger than that, the last rows and columns are not used.

    Raises:
        DataError: As for a folder; or images have no twin, or one of another size.
    """
    if bool(validation_input) != bool(validation_target):
        raise DataError(
            "validation_input and validation_target must both name a folder, or both be empty;"
            f" got validation_input='{validation_input}', validation_target='{validation_target}'"
        )
    input_folder = folder_at(base, input, "input")
    train = paired_photos(input_folder, folder_at(base, target, "target"), scale)
    if not validation_input:
        return _held_out(train, holdout, input_folder)
    validation = paired_photos(
        folder_at(base, validation_input, "validation_input"),
        folder_at(base, validation_target, "validation_target"),
        scale,
    )
    return Dataset.of(train, validation)


def clean_photos(folder: Path) -> list[Photo]:
    """Every image of a folder and its sub-folders, as clean photographs.

    Raises:
        DataError: It holds no image, or some cannot be read; the files are named.
    """
    names = images_in(folder)
    images = read_all(folder, names)
    return [Photo(name, image) for name, image in zip(names, images, strict=True)]


def _held_out(photos: Sequence[Photo], holdout: float, folder: Path) -> Dataset:
    """Split by a hash of the names, so that images added later change the split little."""
    if not 0.0 < holdout < 1.0:
        raise DataError(f"holdout must be between 0 and 1; got holdout={holdout:g}")
    if len(photos) < 2:
        raise DataError(
            f"{folder} holds 1 image, which cannot be both trained and validated on;"
            " add images, or name a folder for validation"
        )
    shuffled = sorted(photos, key=lambda photo: hashlib.sha256(photo.name.encode()).digest())
    count = min(max(round(holdout * len(photos)), 1), len(photos) - 1)
    held = {photo.name for photo in shuffled[:count]}
    return Dataset.of(
        (photo for photo in photos if photo.name not in held),
        (photo for photo in photos if photo.name in held),
    )
