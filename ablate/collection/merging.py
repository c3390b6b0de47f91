"""Runs of one study joined into one: each trial exactly once, whoever trained it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablate.collection.copying import counted, link, measurements, mix_rows, named, remarks
from ablate.collection.fitting import Part, require_fitting
from ablate.folder import RunError, RunFolder
from ablate.runs.context import SOURCES
from ablate.runs.reuse import Library
from ablate.runs.sealing import broken_seals
from reports.record import Metric, PartialRow, Record

MERGED = "merged_from"  # the fact of a run that names those that it was joined from
OWN = ("study_name", "study_text", "question", "objectives")  # facts that `Record.create` sets
_RANK = {"done": 0, "diverged": 0, "failed": 1}


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What came of joining runs.

    Args:
        folder: Of the run that they were joined into.
        runs: Names of the runs.
        mixes: In all of them together.
        trials: That stand in the joined run, failed ones among them.
        failed: Of these.
        twice: That stood in more than one run.
        differing: Of these, whose numbers are not the same: those of the first run named are kept.
        left_out: Trials whose row or weights are damaged.
        remarks: What is different between the runs, and what was damaged, a line each.
    """

    folder: Path
    runs: tuple[str, ...]
    mixes: int
    trials: int
    failed: int
    twice: int
    differing: int
    left_out: int
    remarks: tuple[str, ...]


def merge(runs: Sequence[Path], out: Path) -> Merged:
    """Join runs into a new one; they stay as they are.

    A trial that several runs have is taken from the first of them that finished it. Latencies and
    energies, and what was noted of them, are of one machine each and are left behind: `ablate run
    STUDY --out OUT` measures all mixes side by side.

    Args:
        runs: Folders of at least two runs, which nobody runs meanwhile.
        out: The folder of the new run, which must not exist.

    Raises:
        RunError: There is no such run, or it is running; two of them do not fit together; or there
            is something where the new one is to lie.
        RecordError: A record cannot be read.
    """
    folders = [RunFolder(path) for path in _distinct(runs)]
    if out.exists():
        raise RunError(f"{out}: exists already; name a folder that does not, to join the runs in")
    with ExitStack() as stack:
        parts = []
        for folder in folders:
            record = stack.enter_context(folder.open())
            stack.enter_context(folder.held())
            parts.append(Part.of(folder, record))
        remarks = require_fitting(parts)
        draft = out.with_name(f".{out.name}.merging")
        shutil.rmtree(draft, ignore_errors=True)  # of a command that was killed
        draft.mkdir(parents=True)
        try:
            merged = _Joining(parts, RunFolder(draft), remarks).join(out)
            draft.rename(out)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return merged


class _Joining:
    """A joined run in the making."""

    def __init__(self, parts: Sequence[Part], place: RunFolder, remarks: Iterable[str]) -> None:
        self.parts, self.place, self.remarks = parts, place, list(remarks)
        owners = [(key, part) for part in parts for key in part.trials["key"]]
        self.twice = len(owners) - len({key for key, _ in owners})

    def join(self, out: Path) -> Merged:
        with self._created() as record:
            for part in self.parts:
                record.define(Metric(*row) for row in part.record.metrics().to_numpy().tolist())
                record.add_mixes(mix_rows(part))
                record.add_sitting(counted(part), (), remarks(part))
            self._take_trials(record)
            for part in self.parts:
                self._take_partials(record, part)
            for line in self.remarks:
                record.note("", "warning", line)
            trials, mixes = record.trials(), len(record.mixes())
        for part in self.parts:
            for file in part.path.glob("data-*.npy"):
                link(file, self.place.path / file.name)
        wanted = {key for part in self.parts for key in part.trials["key"]}
        return Merged(
            folder=out,
            runs=tuple(part.path.name for part in self.parts),
            mixes=mixes,
            trials=len(trials),
            failed=int((trials["status"] == "failed").sum()),
            twice=self.twice,
            differing=self._differing(),
            left_out=len(wanted - set(trials["key"])),
            remarks=tuple(self.remarks),
        )

    def _created(self) -> Record:
        first = self.parts[0]
        facts = {name: value for name, value in first.facts.items() if name not in OWN}
        sources = {file: found for part in self.parts for file, found in part.sources.items()}
        seeds = max(int(part.facts.get("seeds", 1)) for part in self.parts)
        runs = [part.path.name for part in self.parts]
        facts |= {SOURCES: json.dumps(sources)} if SOURCES in facts else {}
        facts |= {"seeds": str(seeds), MERGED: json.dumps(runs)}
        facts.pop("shard", None)
        return Record.create(
            self.place.record,
            first.facts["study_name"],
            first.facts["study_text"],
            first.facts["question"],
            facts,
            first.record.objectives,
        )

    def _take_trials(self, record: Record) -> None:
        """Each trial from one run; where its weights are damaged, from the next that has it."""
        library = Library(self.place, {}, self.remarks.append)
        sound = {part.path: self._sound(part) for part in self.parts}
        for rank in sorted(set(_RANK.values())):
            for part in self.parts:
                ranked = part.trials["status"].map(_RANK) == rank
                there = {str(key) for key in record.trials()["key"]}
                keys = [str(key) for key in part.trials[ranked]["key"]]
                keys = [key for key in keys if key not in there and key in sound[part.path]]
                library.take_from(part.folder, keys, record)

    def _sound(self, part: Part) -> set[str]:
        """Trials of a run that are what was written."""
        broken = set(broken_seals(part.record))
        self.remarks += [
            f"{part.path.name}: trial {key} is not what was written (its checksum does not hold)"
            for key in sorted(broken)
        ]
        return {str(key) for key in part.trials["key"]} - broken

    def _take_partials(self, record: Record, part: Part) -> None:
        """What trials came to before their last step, and the states of those that rest."""
        partials, measured = part.record.partials(), part.record.measurements()
        ended = set(record.trials()["key"])
        for row in named(partials):
            values = measured[measured["subject"] == row["key"]]
            record.add_partial(PartialRow(**row), measurements(values))
        for trial in sorted({str(key) for key in partials["trial"]} - ended):
            with suppress(FileNotFoundError, FileExistsError):
                link(part.folder.state(trial), self.place.state(trial))

    def _differing(self) -> int:
        """Trials that several runs finished, with other numbers in one than in another."""
        tables = []
        for part in self.parts:
            done = part.trials[part.trials["status"] == "done"]["key"]
            measured = part.record.measurements()
            tables.append(measured[measured["subject"].isin(done)])
        table = pd.concat([table for table in tables if not table.empty] or tables)
        spread = table.groupby(["subject", "metric", "mode"], observed=True)["value"].nunique()
        return int((spread > 1).groupby(level="subject", observed=True).any().sum())


def _distinct(runs: Sequence[Path]) -> list[Path]:
    """The runs, of which there must be two and none twice."""
    seen: dict[Path, Path] = {}
    for run in runs:
        if run.resolve() in seen:
            raise RunError(f"{run}: is named twice; each run is joined once")
        seen[run.resolve()] = run
    if len(seen) < 2:
        raise RunError(f"merge: expected at least two runs; got {len(seen)}")
    return list(seen.values())
