"""Opens the record of a run: makes a new one, or sees that the run can go on with what is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from ablate.composition.finding import model_folders
from ablate.composition.limits import Limits
from ablate.composition.storage import file_name
from ablate.costs.counts import cost_metrics
from ablate.costs.footing_rows import CHOSEN_RATE, footing_facts, footing_metrics
from ablate.costs.latency_rows import mode_name
from ablate.faults import fault
from ablate.folder import RunError, RunFolder
from ablate.mix import plain
from ablate.profiling.machine import describe
from ablate.profiling.modes import modes_of
from ablate.runs.context import SOURCES, TRAINING_CODE
from ablate.runs.differing import Change, change_words, changes, steering_changes
from ablate.runs.identity import Sources
from ablate.runs.preparing import first_mix
from ablate.runs.remade import UNMIXED, has_results, keep_training_code, remade
from ablate.runs.rows import metric_definitions
from ablate.searches.schedule import Schedule
from ablate.study import Study
from ablate.tasks.scale import task_scale
from reports.record import Record, RecordError

MARKS = {  # what a run keeps to, as people call it
    "data_digest": "images",
    "latency_models": "latency models",
    "plugins": "plug-ins",
}
# Told where they change, and not refused.
_COMPARED = ("device", "cpu", "gpu", "torch", "numpy", "commit")


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


def open_record(
    study: Study,
    place: RunFolder,
    marks: Mapping[str, str],
    plugins: Sequence[str],
    told: Callable[[str], None],
    sources: Sources,
) -> Record:
    """The record of this run: a new one, or the one that this study began.

    Args:
        study: What is asked.
        place: Held by this process.
        marks: From `marks_of`.
        plugins: Files that workers load.
        told: Called with a line about what is another than before, and may be.
        sources: The source files of mixes.

    Raises:
        RunError: The run began with something else that it must keep to; the message says what
            changed and what of it may.
        RecordError: What is there is no record, or a damaged one.
    """
    objectives = study.report.objectives
    if place.record.exists():
        record = Record.open(place.record, writable=True)
        record.passing = fault
        try:
            _require_fitting(record.facts(), study, marks, plugins, place, sources)
        except RunError:
            record.close()
            raise
        _tell_changes(record, marks["device"], told)
        keep_training_code(record, sources.training(), told)
        words = {"objectives": json.dumps(objectives), "seeds": str(study.seeds)}
        for name, value in {**words, "study_text": study.text, "question": study.question}.items():
            record.set_fact(name, value)
    else:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        made = {SOURCES: "{}", TRAINING_CODE: sources.training()}
        facts = {**describe(), **marks, **made, "started": now, **_words(study)}
        record = Record.create(
            place.record, study.name, study.text, study.question, facts, objectives, fault
        )
    scale = task_scale(first_mix(study).task)  # all mixes of a study have one
    record.define(
        [
            *metric_definitions(study.evaluation, scale),
            *cost_metrics(study.profile, marks["device"]),
            *footing_metrics(study),
            CHOSEN_RATE,
        ]
    )
    return record


def beside(
    study: Study,
    place: RunFolder,
    marks: Mapping[str, str],
    plugins: Sequence[str],
    sources: Sources,
) -> RunFolder:
    """Where a study can go on or begin: in the folder itself, else in NAME-2, NAME-3 and so on.

    A damaged record is passed by, whatever study it is of: nothing can be written there.
    """
    for number in count(1):
        path = place.path if number == 1 else place.path.with_name(f"{place.path.name}-{number}")
        folder = RunFolder(path)
        if not folder.record.exists():
            return folder
        try:
            with folder.open() as record:
                _require_fitting(record.facts(), study, marks, plugins, folder, sources)
                record.require_whole()
        except (RunError, RecordError):
            continue
        return folder
    raise AssertionError("numbers do not end")


def _require_fitting(
    facts: Mapping[str, str],
    study: Study,
    marks: Mapping[str, str],
    plugins: Sequence[str],
    place: RunFolder,
    sources: Sources,
) -> None:
    """See that the run is of the same, and that its search would come to the mixes it has."""
    _require_same(facts, study, marks, plugins, place, sources)
    if found := steering_changes(facts, study):
        raise RunError(
            f"{place.path}: this run began with something else ({change_words(found)}); its search "
            "would try other mixes than it has: put that back, or start beside it, where finished "
            "trials that fit are taken over: ablate run ... --new-run"
        )


def _require_same(
    facts: Mapping[str, str],
    study: Study,
    marks: Mapping[str, str],
    plugins: Sequence[str],
    place: RunFolder,
    sources: Sources,
) -> None:
    coded = SOURCES in facts
    found = [
        Change(words, *_shortened(facts[name], marks[name]))
        for name, words in MARKS.items()
        if facts.get(name, marks[name]) != marks[name] and not (coded and name == "plugins")
    ]
    found += _source_changes(facts, plugins, place, sources)
    if facts.get("study_fingerprint") != marks["study_fingerprint"]:
        found += _study_changes(facts, study)
    if not found:
        return
    raise RunError(
        f"{place.path}: this run began with something else ({change_words(found)}); {UNMIXED}"
    )


def _source_changes(
    facts: Mapping[str, str], plugins: Sequence[str], place: RunFolder, sources: Sources
) -> list[Change]:
    """What is different in the source of finished trials, and in what trained them."""
    recorded, code = json.loads(facts.get(SOURCES, "{}")), sources.training()
    found = [
        Change(f"source of {file}", recorded[file], "another version")
        for file in sources.changed(recorded, plugins)
    ]
    with place.open() as record:
        if not found and SOURCES in facts:
            found = remade(record, sources)
        if facts.get(TRAINING_CODE, code) != code and has_results(record):
            found.append(Change("the code that trains", facts[TRAINING_CODE], code))
    return found


def _study_changes(facts: Mapping[str, str], study: Study) -> list[Change]:
    """What is different in the text; at least one change that may not be."""
    found = changes(facts.get("study_text", ""), study.text)
    if all(change.allowed for change in found):
        before, now = facts.get("commit", "unknown"), describe().get("commit", "unknown")
        found.append(Change("how ablate reads the study, commit", *_shortened(before, now)))
    return found


def _shortened(before: str, now: str) -> tuple[str, str]:
    """Two digests or words that differ, each as short as can be read."""
    if len(before) < 24 and len(now) < 24:
        return before or "none", now or "none"
    if before.startswith("{") or now.startswith("{"):  # files with digests
        return before, now
    return f"{before[:8]}...", f"{now[:8]}..."


def _tell_changes(record: Record, device: str, told: Callable[[str], None]) -> None:
    """Say, also in the record, that the run went on elsewhere: it may not be of one piece.

    Costs are found anew on another device; trials say on which they were trained.
    """
    before, now = record.facts(), {**describe(), "device": device}
    for name in _COMPARED:
        if name in now and before.get(name, now[name]) != now[name]:
            text = f"the run began with {name} {before[name]} and went on with {now[name]}"
            record.note("", "warning", text)
            told(text)
    record.set_fact("device", device)


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


def _words(study: Study) -> dict[str, str]:
    """How the study trains and profiles, for the report's account of methods."""
    return {
        **footing_facts(study),
        "training": json.dumps(plain(first_mix(study).training)),
        "evaluation": json.dumps(asdict(study.evaluation)),
        "profile": json.dumps(asdict(study.profile)),
        "search": study.search.name,
        "seeds": str(study.seeds),
    }
