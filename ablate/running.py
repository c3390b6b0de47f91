"""The loop of a study: propose mixes, train them, time them side by side, write the report."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import torch

from ablate.composition.finding import model_folders
from ablate.composition.limits import limits
from ablate.composition.rows import predicted_metrics
from ablate.costs.counts import cost_metrics
from ablate.costs.footing_rows import CHOSEN_RATE, footing_facts, footing_metrics
from ablate.events import Ended, Listener, Warned, phases, silence
from ablate.folder import RunError, RunFolder
from ablate.metrics import WINDOW
from ablate.mix import Choice, Mix, Profile, plain
from ablate.profiling.machine import describe
from ablate.rows import metric_definitions
from ablate.runner import Runner
from ablate.study import Study
from ablate.tasks.data import DataError, Dataset, load, require_size
from ablate.tasks.scale import task_scale
from reports.answer import answer
from reports.build import write_report
from reports.record import Record
from reports.results import read

Workers = int | Literal["auto"]


def run(
    study: Study,
    folder: Path | str | None = None,
    *,
    workers: Workers = "auto",
    device: str = "auto",
    plugins: Sequence[str] = (),
    listener: Listener = silence,
) -> RunFolder:
    """Run a study, or go on with it: what is in its record is not done again.

    Args:
        study: What is asked.
        folder: Where the run lies; runs/NAME where it is not given.
        workers: Processes that train at a time; auto is one per core on a CPU, one on CUDA.
        device: Where to train and to profile: cpu, cuda, or auto for what the study says.
        plugins: Files that workers load first.
        listener: Told how the run goes on.

    Returns:
        The folder, with the record, the weights and the report in it.

    Raises:
        RunError: The folder holds another study, is in use, or the device is not there.
        ModelError: The study bounds latency and has no latency model of this machine, or nothing
            keeps to its constraints.
        DataError: The images cannot be used; nothing was trained.
    """
    place = RunFolder(Path(folder or Path("runs") / study.name))
    chosen = choose_device(study.profile, device)
    bounds = limits(study, model_folders(study, place.path), chosen, phases(listener))
    if bounds:
        bounds.require_some()
    datasets = prepare_data(study)
    digests = {choice: dataset.digest for choice, dataset in datasets.items()}
    marks = {
        "study_fingerprint": fingerprint(study),
        "data_digest": " ".join(digests.values()),
        "device": chosen,
        "plugins": _contents(plugins),
    }
    with place.held(), contextlib.closing(_record(study, place, marks)) as record:
        for choice, dataset in datasets.items():
            keep(dataset, place.data(choice))
        if bounds:
            record.define(predicted_metrics(bounds))
            record.note("", "constraints", bounds.words)
        runner = Runner(study, place, record, chosen, digests, plugins, listener, bounds)
        runner.search(worker_count(workers, chosen))
        runner.time()
        _warn_of_failures(record, listener)
        report = _report(place)
        listener(Ended(place.path, report, answer(read(place.record)).sentence))
    return place


def _warn_of_failures(record: Record, listener: Listener) -> None:
    """The last word on what did not work, so that it is not overlooked among the lines before."""
    trials = record.trials()
    failed = int((trials["status"] == "failed").sum())
    if failed:
        text = f"{failed} of {len(trials)} trials failed; the same command tries them again"
        listener(Warned(text))


def _report(place: RunFolder) -> Path:
    """Write the report; whatever stands in its way, the measurements are safe.

    Raises:
        RunError: It cannot be written.
    """
    try:
        return write_report(place.record, place.path)["report.html"]
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"{place.path}: the report could not be written ({reason}); everything measured is in "
            f"record.sqlite; try again: ablate report {place.path}"
        ) from error


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
    """Write a data set for the workers, unless it is there already."""
    with contextlib.suppress(DataError):  # missing or damaged: it is made again
        if Dataset.read(path).digest == dataset.digest:
            return
    dataset.save(path)


def choose_device(profile: Profile, asked: str) -> str:
    """The device that was asked for, else what the profile says, else CUDA where there is one.

    Raises:
        RunError: CUDA was asked for and is not there.
    """
    device = profile.device if asked == "auto" else asked
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    require_device(device)
    return device


def require_device(device: str) -> None:
    """See that a device is there.

    Raises:
        RunError: CUDA was asked for and is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError("device: cuda was asked for, but torch sees no CUDA device; use cpu")


def worker_count(workers: Workers, device: str) -> int:
    """How many trials run at a time: on a CPU each has one thread, on CUDA one has the device."""
    if workers != "auto":
        return workers
    return 1 if device == "cuda" else max(1, cores())


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: fewer than there are, in a container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fingerprint(study: Study) -> str:
    """The same for studies that ask, train, score and profile the same.

    Comments, objectives and the number of seeds may change: a run can be given more seeds.
    """
    parts: tuple[object, ...] = (study.questions, study.slots, study.search, study.evaluation)
    if study.constraints:  # they came later: a study without any keeps its fingerprint
        parts = (*parts, study.constraints)
    if study.footing:  # the same
        parts = (*parts, study.footing)
    return hashlib.sha256(repr((*parts, study.profile)).encode()).hexdigest()[:16]


def _record(study: Study, place: RunFolder, marks: Mapping[str, str]) -> Record:
    """The record of this run: a new one, or the one that this study began.

    Raises:
        RunError: The record was made by another study, on other images, on another device or
            with other plug-ins.
    """
    objectives = study.report.objectives
    if place.record.exists():
        record = Record.open(place.record, writable=True)
        _require_same(record.facts(), marks, place)
        _note_changes(record)
        record.set_fact("objectives", json.dumps(objectives))
        record.set_fact("seeds", str(study.seeds))
    else:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {**describe(), **marks, "started": now, **_words(study)}
        record = Record.create(
            place.record, study.name, study.text, study.question, facts, objectives
        )
    scale = task_scale(_first_mix(study).task)  # all mixes of a study have one
    record.define(
        [
            *metric_definitions(study.evaluation, scale),
            *cost_metrics(study.profile, marks["device"]),
            *footing_metrics(study),
            CHOSEN_RATE,
        ]
    )
    return record


def _contents(files: Sequence[str]) -> str:
    """A hash of what is in plug-ins: numbers made with other code do not mix."""
    return " ".join(hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] for file in files)


def _require_same(facts: Mapping[str, str], marks: Mapping[str, str], place: RunFolder) -> None:
    how = {
        "study_fingerprint": "with another version of the study",
        "data_digest": "with other images",
        "device": f"on another device ({facts.get('device')})",
        "plugins": "with other plug-ins, or another version of them",
    }
    for name, mark in marks.items():
        if facts.get(name, mark) != mark:
            raise RunError(
                f"{place.path}: this run was made {how[name]}, and its numbers do not mix "
                f"with new ones; keep it and start beside it: ablate run ... --out {place.path}-2"
            )


def _note_changes(record: Record) -> None:
    """Say in the record that the run went on elsewhere: its numbers may not be of one piece."""
    before, now = record.facts(), describe()
    for name in ("cpu", "torch", "numpy"):
        if name in now and before.get(name, now[name]) != now[name]:
            text = f"the run began with {name} {before[name]} and went on with {now[name]}"
            record.note("", "warning", text)


def _words(study: Study) -> dict[str, str]:
    """How the study trains and profiles, for the report's account of methods."""
    first = _first_mix(study)
    return {
        **footing_facts(study),
        "training": json.dumps(plain(first.training)),
        "evaluation": json.dumps(asdict(study.evaluation)),
        "profile": json.dumps(asdict(study.profile)),
        "search": study.search.name,
        "seeds": str(study.seeds),
    }


def _first_mix(study: Study) -> Mix:
    return study.mix(study.at(0))


def _largest_crop(study: Study) -> int:
    """The largest training crop that a mix of the study asks for."""
    answers = [q.answers for q in study.questions if q.place == ("training", "crop")]
    return max(answers[0]) if answers else _first_mix(study).training.crop
