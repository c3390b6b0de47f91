"""The images of a study, found usable and laid out for the workers before anything is trained."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ablate.metrics import WINDOW
from ablate.mix import Choice, Mix
from ablate.study import Study
from ablate.tasks.data import DataError, Dataset, load, require_size


def prepare_data(study: Study) -> dict[Choice, Dataset]:
    """The images of a study by choice of data, found usable before anything is trained.

    Raises:
        DataError: They cannot be used; the message names files.
    """
    base = study.path.parent if study.path else Path.cwd()
    datasets = {choice: load(choice, base) for choice in study.data()}
    scored = study.evaluation.crop or WINDOW + 2 * study.evaluation.border
    for dataset in datasets.values():
        require_size(dataset, _largest_crop(study), scored)
    return datasets


def keep(dataset: Dataset, path: Path) -> None:
    """Write a data set for the workers, unless it is there already, pixel for pixel."""
    with contextlib.suppress(DataError):  # missing or damaged: it is made again
        there = Dataset.read(path)
        if Dataset.of(there.train, there.validation).digest == dataset.digest:
            return
    dataset.save(path)


def first_mix(study: Study) -> Mix:
    """What all mixes of a study share can be read off any of them."""
    return study.mix(study.at(0))


def _largest_crop(study: Study) -> int:
    """The largest training crop that a mix of the study asks for."""
    answers = [q.answers for q in study.questions if q.place == ("training", "crop")]
    return max(answers[0]) if answers else first_mix(study).training.crop
