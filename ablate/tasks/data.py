"""Where pictures come from: the photographs shipped with the project, folders, folders of pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ablate.mix import Choice, Task
from ablate.tasks.dataset import DataError, Dataset, Photo, require_size
from ablate.tasks.images import read_image
from blocks import Registry

__all__ = ["DataError", "Dataset", "Photo", "check_task", "load", "require_size", "sources"]

Source = TypeVar("Source", bound=Callable[..., Dataset])

sources: Registry[Callable[..., Dataset]] = Registry("data source")

PHOTOS = Path(__file__).parent / "photos"


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
        ValueError: It has not.
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


@sources.register(paired=False)
def photos(base: Path) -> Dataset:
    """Nine lossless photographs shipped with the project: six to train on, three to validate."""
    del base
    manifest = json.loads((PHOTOS / "MANIFEST.json").read_text(encoding="utf-8"))

    def part(split: str) -> Iterator[Photo]:
        for item in manifest:
            if item["split"] == split:
                file = PHOTOS / item["file"]
                yield Photo(file.stem, read_image(file))

    return Dataset.of(part("train"), part("val"))
