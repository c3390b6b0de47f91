"""Whether runs belong together: parts of one study, made with the same images and the same code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablate.folder import RunError, RunFolder
from ablate.runs.context import SOURCES, TRAINING_CODE
from ablate.runs.differing import change_words, changes
from ablate.runs.marks import MARKS
from ablate.runs.remade import training_codes
from reports.record import Reading

# Said where they differ, and not refused.
_TOLD = ("device", "cpu", "gpu", "torch", "numpy", "commit")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the runs that are to be joined, open for reading.

    Args:
        folder: Where it lies.
        record: What it found.
        facts: Of the run.
        trials: Columns key, mix, seed, status, reason, seconds.
        mixes: Columns key, label, baseline, spec.
    """

    folder: RunFolder
    record: Reading
    facts: Mapping[str, str]
    trials: pd.DataFrame
    mixes: pd.DataFrame

    @classmethod
    def of(cls, folder: RunFolder, record: Reading) -> Part:
        """Read what is needed again and again."""
        return cls(
            folder=folder,
            record=record,
            facts=record.facts(),
            trials=record.trials(),
            mixes=record.mixes(),
        )

    @property
    def path(self) -> Path:
        """Of the folder."""
        return self.folder.path

    @property
    def sources(self) -> dict[str, str]:
        """The digest of each source file that its trials are made of."""
        found: dict[str, str] = json.loads(self.facts.get(SOURCES, "{}"))
        return found


def require_fitting(parts: Sequence[Part]) -> list[str]:
    """See that runs can be joined; returns what is different and may be, a line each.

    Raises:
        RunError: Two of them do not fit together; the message names them and what differs.
    """
    first = parts[0]
    for part in parts[1:]:
        if reason := _misfit(first, part):
            raise RunError(f"{part.path}: does not fit together with {first.path}: {reason}")
    for one, other in ((a, b) for at, a in enumerate(parts) for b in parts[at + 1 :]):
        if reason := _clash(one, other):
            raise RunError(f"{other.path}: does not fit together with {one.path}: {reason}")
    return [line for part in parts[1:] for line in _remarks(first, part)]


def _misfit(first: Part, part: Part) -> str:
    """Why a run is not of the same study as the first; empty where it is."""
    if first.facts.get("study_fingerprint") != part.facts.get("study_fingerprint"):
        found = changes(first.facts.get("study_text", ""), part.facts.get("study_text", ""))
        refused = [change for change in found if not change.allowed]
        return f"another study ({change_words(refused) or 'as another version reads it'})"
    coded = SOURCES in first.facts and SOURCES in part.facts
    for name, words in MARKS.items():
        if name == "plugins" and coded:  # what is used of them is among the sources
            continue
        if first.facts.get(name, "") != part.facts.get(name, ""):
            return f"other {words}"
    codes = [one.facts[TRAINING_CODE] for one in (first, part) if TRAINING_CODE in one.facts]
    return f"trained by other code ({' and '.join(codes)})" if len({*codes}) > 1 else ""


def _clash(one: Part, other: Part) -> str:
    """What two runs say of the same thing that cannot both be so; empty where nothing is."""
    ours, theirs = one.sources, other.sources
    for file in ours.keys() & theirs.keys():
        if ours[file] != theirs[file]:
            return f"made with another version of {file}"
    mixes = one.mixes.merge(other.mixes, on="key", suffixes=("", "_other"))
    renamed = mixes[mixes["label"] != mixes["label_other"]]
    if not renamed.empty:
        row = renamed.iloc[0]
        return f"one mix is '{row['label']}' here and '{row['label_other']}' there"
    trials = one.trials.merge(other.trials, on=["mix", "seed"], suffixes=("", "_other"))
    recoded = trials[trials["key"] != trials["key_other"]]
    if not recoded.empty:
        row = recoded.iloc[0]
        labels = dict(zip(one.mixes["key"], one.mixes["label"], strict=True))
        label = labels.get(row["mix"], row["mix"])
        return f"'{label}' with seed {row['seed']} was made with another version of its code"
    return ""


def _remarks(first: Part, part: Part) -> list[str]:
    remarks = [
        f"{part.path.name} was made with {name} {part.facts[name]}, "
        f"{first.path.name} with {first.facts[name]}"
        for name in _TOLD
        if name in part.facts and first.facts.get(name, part.facts[name]) != part.facts[name]
    ]
    theirs, ours = training_codes(part.record), training_codes(first.record)
    if theirs != ours and part.trials.size and first.trials.size:  # one began before it was kept
        remarks.append(
            f"{part.path.name} was trained by {_codes(theirs)}, {first.path.name} by {_codes(ours)}"
        )
    return remarks


def _codes(found: set[str]) -> str:
    return f"the code {' and '.join(sorted(found))}" if found else "code that is unknown"
