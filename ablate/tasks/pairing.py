"""Degraded images and their clean twins: two folders, matched by name and held to one size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ablate.tasks.dataset import DataError, Photo, listed
from ablate.tasks.files import images_in, read_all


def paired_photos(inputs: Path, targets: Path, scale: int = 1) -> list[Photo]:
    """The images of two folders that have the same name, degraded and clean.

    Args:
        inputs: Folder of the degraded images.
        targets: Folder of the clean images; rows and columns that do not make a pixel of the
            degraded image are cut off.
        scale: How many times the degraded images are smaller, a side.

    Raises:
        DataError: As `clean_photos`; or images have no twin, or one of another size.
    """
    names = _by_stem(inputs), _by_stem(targets)
    stems = _common(names, inputs, targets)
    degraded, clean = (
        read_all(folder, [by_stem[stem] for stem in stems])
        for folder, by_stem in zip((inputs, targets), names, strict=True)
    )
    photos = [Photo(*row) for row in zip(stems, clean, degraded, strict=True)]
    _require_sizes(photos, inputs, targets, scale)
    return [_whole_pixels(photo, scale) for photo in photos]


def _by_stem(folder: Path) -> dict[str, str]:
    """The images of a folder by their relative name without its suffix."""
    found: dict[str, str] = {}
    for name in images_in(folder):
        stem = PurePosixPath(name).with_suffix("").as_posix()
        if stem in found:
            raise DataError(
                f"{folder}: {found[stem]} and {name} have one name but for the suffix,"
                " so it is not clear which of them makes the pair"
            )
        found[stem] = name
    return found


def _common(names: tuple[dict[str, str], dict[str, str]], inputs: Path, targets: Path) -> list[str]:
    """The names of all pairs."""
    (degraded, clean), alone = names, list[str]()
    for here, there, folder in ((degraded, clean, inputs), (clean, degraded, targets)):
        lonely = [here[stem] for stem in here if stem not in there]
        if lonely:
            count = f"{len(lonely)} of {len(here)} images in {folder} have no twin"
            alone.append(f"{count}: {listed(lonely)}")
    if alone:
        raise DataError(f"inputs and targets must have the same names; {'; '.join(alone)}")
    return list(degraded)


def _require_sizes(photos: Sequence[Photo], inputs: Path, targets: Path, scale: int) -> None:
    unequal = [
        f"{photo.name}: {photo.degraded.shape[1]} x {photo.degraded.shape[0]}"
        f" against {photo.size[1]} x {photo.size[0]}"
        for photo in photos
        if photo.degraded is not None
        and photo.degraded.shape[:2] != tuple(side // scale for side in photo.size)
    ]
    if unequal:
        rule = "differ in size" if scale == 1 else f"are not 1 : {scale} in size"
        raise DataError(
            f"{len(unequal)} of {len(photos)} pairs {rule}"
            f" ({inputs} against {targets}): {listed(unequal)}{_other_scale(photos)}"
        )


def _other_scale(photos: Sequence[Photo]) -> str:
    """The mend, where all pairs are of one other scale."""
    for scale in (1, 2, 3, 4):
        if all(
            photo.degraded is not None
            and tuple(scale * side for side in photo.degraded.shape[:2]) == photo.size
            for photo in photos
        ):
            return f"; if that is meant, write scale = {scale}"
    return ""


def _whole_pixels(photo: Photo, scale: int) -> Photo:
    """Without the rows and columns that do not make a pixel of the smaller image."""
    height, width = (side // scale * scale for side in photo.size)
    if (height, width) == photo.size:
        return photo
    clean = photo.clean[:height, :width].copy()
    return Photo(photo.name, clean, photo.degraded)
