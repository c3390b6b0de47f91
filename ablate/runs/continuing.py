"""Whether a run can go on with what is asked; if not, what changed and what of it may."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ablate.folder import RunError, RunFolder
from ablate.identity.sources import Sources
from ablate.profiling.machine import describe
from ablate.runs.context import SOURCES, TRAINING_CODE
from ablate.runs.differing import Change, change_words, changes, steering_changes
from ablate.runs.marks import MARKS
from ablate.runs.remade import UNMIXED, has_results, remade
from ablate.study import Study

STEERS = (
    "its search would try other mixes than it has: put that back, or start beside it, where "
    "finished trials that fit are taken over: ablate run ... --new-run"
)


def require_fitting(
    facts: Mapping[str, str],
    study: Study,
    marks: Mapping[str, str],
    plugins: Sequence[str],
    place: RunFolder,
    sources: Sources,
) -> None:
    """See that the run is of the same, and that its search would come to the mixes it has.

    Args:
        facts: Of the run.
        study: What is asked now.
        marks: What a run of it keeps to, see `marks_of`.
        plugins: Files that workers load.
        place: Where the run lies.
        sources: The source files of mixes.

    Raises:
        RunError: It is not; the message says what changed and what of it may.
    """
    found, so = _mark_changes(facts, marks), UNMIXED
    found += _source_changes(facts, plugins, place, sources)
    if facts.get("study_fingerprint") != marks["study_fingerprint"]:
        found += _study_changes(facts, study)
    if not found:
        found, so = steering_changes(facts, study), STEERS
    if found:
        words = change_words(found)
        raise RunError(f"{place.path}: this run began with something else ({words}); {so}")


def _mark_changes(facts: Mapping[str, str], marks: Mapping[str, str]) -> list[Change]:
    """What is different in images, latency models and, in old runs, plug-ins."""
    coded = SOURCES in facts
    return [
        Change(words, *_shortened(facts[name], marks[name]))
        for name, words in MARKS.items()
        if facts.get(name, marks[name]) != marks[name] and not (coded and name == "plugins")
    ]


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
