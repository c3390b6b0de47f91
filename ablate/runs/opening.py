"""Opens the record of a run: makes a new one, or sees that the run can go on with what is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain, count

from ablate.costs.counts import cost_metrics
from ablate.costs.footing_rows import CHOSEN_RATE, footing_facts, footing_metrics
from ablate.faults import fault
from ablate.folder import RunError, RunFolder
from ablate.identity.sources import Sources
from ablate.mix import plain
from ablate.profiling.machine import describe
from ablate.runs.context import SOURCES, TRAINING_CODE
from ablate.runs.continuing import require_fitting
from ablate.runs.preparing import first_mix
from ablate.runs.remade import keep_training_code
from ablate.runs.rows import metric_definitions
from ablate.study import Study
from ablate.tasks.scale import task_scale
from reports.record import Record, RecordError

# Told where they change, and not refused.
_COMPARED = ("device", "cpu", "gpu", "torch", "numpy", "commit")


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
    if place.record.exists():
        record = _continued(study, place, marks, plugins, told, sources)
    else:
        record = _created(study, place, marks, sources)
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


def _created(study: Study, place: RunFolder, marks: Mapping[str, str], sources: Sources) -> Record:
    """A new record, with what holds for the whole run."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = {SOURCES: "{}", TRAINING_CODE: sources.training()}
    facts = {**describe(), **marks, **made, "started": now, **_words(study)}
    objectives = study.report.objectives
    return Record.create(
        place.record, study.name, study.text, study.question, facts, objectives, fault
    )


def _continued(
    study: Study,
    place: RunFolder,
    marks: Mapping[str, str],
    plugins: Sequence[str],
    told: Callable[[str], None],
    sources: Sources,
) -> Record:
    """The record that is there, once it is clear that the run can go on with what is asked."""
    record = Record.open(place.record, writable=True)
    record.passing = fault
    try:
        require_fitting(record.facts(), study, marks, plugins, place, sources)
    except RunError:
        record.close()
        raise
    _tell_changes(record, marks["device"], told)
    keep_training_code(record, sources.training(), told)
    words = {"objectives": json.dumps(study.report.objectives), "seeds": str(study.seeds)}
    for name, value in {**words, "study_text": study.text, "question": study.question}.items():
        record.set_fact(name, value)
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

    def suits(folder: RunFolder) -> bool:
        if not folder.record.exists():
            return True
        try:
            with folder.open() as record:
                require_fitting(record.facts(), study, marks, plugins, folder, sources)
                record.require_whole()
        except (RunError, RecordError):
            return False
        return True

    further = (place.path.with_name(f"{place.path.name}-{number}") for number in count(2))
    return next(filter(suits, map(RunFolder, chain([place.path], further))))


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
