"""Folders of pictures: which files they hold, and all of them read or none."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablate.tasks.dataset import DataError, listed
from ablate.tasks.images import SUFFIXES, ImageError, Levels, read_images


def folder_at(base: Path, name: str, knob: str) -> Path:
    """The folder that a knob names, seen from `base`.

    Raises:
        DataError: It is not there, or is not a folder.
    """
    if not name:
        raise DataError(f"{knob} must name a folder; got an empty name")
    folder = base / Path(name).expanduser()
    if not folder.exists():
        raise DataError(f"{knob}: there is no folder {folder}")
    if not folder.is_dir():
        raise DataError(f"{knob}: {folder} is a file, not a folder")
    return folder


def images_in(folder: Path) -> list[str]:
    """The pictures in a folder and the folders in it, as sorted relative names.

    Hidden files and folders, and files of other kinds, are passed over.

    Raises:
        DataError: There are none; the message says what there is instead.
    """
    names = sorted(_names(folder))
    images = [name for name in names if name.lower().endswith(SUFFIXES)]
    if not images:
        kinds = Counter(Path(name).suffix or "no suffix" for name in names).most_common(3)
        found = ", ".join(f"{count} x {kind}" for kind, count in kinds) or "nothing"
        raise DataError(f"{folder} holds no image ({', '.join(SUFFIXES)}); it holds {found}")
    return images


def read_all(folder: Path, names: Sequence[str]) -> list[Levels]:
    """Every named picture of a folder, kept in a temporary file that the system pages in.

    So a folder may be larger than memory.

    Raises:
        DataError: Some cannot be read (the message names them), or the disk is full.
    """
    problems: list[str] = []

    def good() -> Iterator[Levels]:
        for name, image in zip(names, read_images([folder / n for n in names]), strict=True):
            if isinstance(image, ImageError):
                problems.append(f"{name}: {image}")
            elif not problems:
                yield image

    images = _on_disk(good())
    if problems:
        count = f"{len(problems)} of {len(names)} images in {folder} cannot be read"
        raise DataError(f"{count}: {listed(problems)}")
    return images


def _names(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield (Path(place) / name).relative_to(folder).as_posix()


def _on_disk(images: Iterable[Levels]) -> list[Levels]:
    """The same images, mapped from a temporary file that is gone when they are."""
    kinds: list[tuple[np.dtype[Any], tuple[int, ...], int]] = []
    with tempfile.TemporaryFile() as file:
        try:
            for image in images:
                file.write(b"\0" * (-file.tell() % 64))
                kinds.append((image.dtype, image.shape, file.tell()))
                file.write(np.ascontiguousarray(image).data)
            file.flush()
        except OSError as error:
            raise DataError(
                f"no room for the decoded images in {tempfile.gettempdir()}"
                f" ({error.strerror}); set TMPDIR to a folder on a larger disk"
            ) from None
        if not kinds:
            return []
        data = np.asarray(np.memmap(file, np.uint8, "r"))
    return [
        np.frombuffer(data.data, dtype, int(np.prod(shape)), place).reshape(shape)
        for dtype, shape, place in kinds
    ]
