"""What a run keeps to while it goes on: its study, images, plug-ins, device, latency models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ablate.composition.finding import model_folders
from ablate.composition.limits import Limits
from ablate.costs.latency_rows import mode_name
from ablate.latency_model.storage import file_name
from ablate.profiling.modes import modes_of
from ablate.searches.schedule import Schedule
from ablate.study import Study

MARKS = {  # what a run keeps to, as people call it
    "data_digest": "images",
    "latency_models": "latency models",
    "plugins": "plug-ins",
}


def fingerprint(study: Study) -> str:
    """The same for studies that ask, train, score and profile the same.

    Comments, objectives, the number of seeds and when to stop may change: a run can be given more
    (`steering_changes` has the exception).
    """
    parts: tuple[object, ...] = (study.questions, study.slots, study.search, study.evaluation)
    if study.constraints:  # they came later: a study without any keeps its fingerprint
        parts = (*parts, study.constraints)
    if study.footing:  # the same
        parts = (*parts, study.footing)
    if study.schedule.rungs:  # the same; who is confirmed in the end may change
        parts = (*parts, replace(study.schedule, confirm=Schedule.confirm))
    return hashlib.sha256(repr((*parts, study.profile)).encode()).hexdigest()[:16]


def marks_of(
    study: Study,
    device: str,
    digests: Sequence[str],
    plugins: Sequence[str],
    limits: Limits | None,
    folder: Path,
) -> dict[str, str]:
    """What a run must not change while it goes on, by the name of its fact.

    Args:
        study: What is asked.
        device: cpu or cuda.
        digests: Of each data set.
        plugins: Files that workers load.
        limits: The study's constraints, where it has any.
        folder: Of the run; latency models may lie there.
    """
    return {
        "study_fingerprint": fingerprint(study),
        "data_digest": " ".join(digests),
        "device": device,
        "plugins": _contents(plugins),
        "latency_models": json.dumps(_models(study, limits, folder)),
    }


def _contents(files: Sequence[str]) -> str:
    """A hash of what is in plug-ins."""
    return " ".join(hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] for file in files)


def _models(study: Study, limits: Limits | None, folder: Path) -> dict[str, str]:
    """The files of the latency models that decide what is tried, each with its digest."""
    mode, folders = modes_of(study.profile)[0], model_folders(study, folder)
    names = [file_name(mode_name(size, study.profile, mode)) for size in _sizes(limits)]
    paths = [next((f / name for f in folders if (f / name).exists()), None) for name in names]
    if study.footing and study.footing.equal == "latency":
        base = study.path.parent if study.path else Path.cwd()
        paths.append(base / study.footing.equal_model)
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in paths
        if path and path.is_file()
    }


def _sizes(limits: Limits | None) -> list[tuple[int, int]]:
    return list(limits.models) if limits else []
