"""Finished trials of other runs beside this one: what is known already is not trained again."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.folder import RunError, RunFolder
from ablate.runs.sealing import WEIGHTS, broken_seals, sealed
from reports.record import (
    CurvePoint,
    Measurement,
    Picture,
    Reading,
    Record,
    RecordError,
    TrialRow,
)

FROM = "reused_from"  # the fact of a trial that says which run it was taken over from
_FINISHED = ("done", "diverged")


@dataclass(frozen=True)
class Taken:
    """Trials that were taken over from one run.

    Args:
        folder: Of that run.
        keys: Of the trials.
    """

    folder: Path
    keys: tuple[str, ...]


class Library:
    """The finished trials of the runs in one folder.

    Args:
        place: The run that they are for; its neighbours are looked at.
        made: Facts that a trial must share to be taken over, such as torch and device.
        told: Called with a line about each run that cannot be read.
    """

    def __init__(
        self, place: RunFolder, made: Mapping[str, str], told: Callable[[str], None]
    ) -> None:
        self._place, self._made, self._told = place, dict(made), told
        self._folders: dict[str, RunFolder] | None = None

    def take(self, keys: Iterable[str], record: Record) -> list[Taken]:
        """Copy the trials with these keys that other runs finished, with their weights.

        Args:
            keys: Trials that this run lacks.
            record: Of this run; their mixes are in it.
        """
        wanted: dict[Path, list[str]] = {}
        known = self._known()
        for key in keys:
            if key in known:
                wanted.setdefault(known[key].path, []).append(key)
        found = []
        for path, here in wanted.items():
            taken = tuple(self._take(RunFolder(path), here, record))
            found += [Taken(path, taken)] * bool(taken)
        return found

    def take_from(self, folder: RunFolder, keys: Iterable[str], record: Record) -> tuple[str, ...]:
        """Copy some trials of one run, with their weights; returns those that were copied.

        Args:
            folder: Of that run.
            keys: Trials in its record; one whose weights are damaged is left out.
            record: Of this run; their mixes are in it.
        """
        return tuple(self._take(folder, list(keys), record))

    def _known(self) -> dict[str, RunFolder]:
        """Where each finished trial lies, looked up once."""
        if self._folders is None:
            self._folders = {}
            for folder in _neighbours(self._place):
                for key in self._finished(folder):
                    self._folders.setdefault(key, folder)
        return self._folders

    def _finished(self, folder: RunFolder) -> list[str]:
        try:
            with folder.open() as record:
                trials, facts = record.trials(), record.trial_facts()
                broken = set(broken_seals(record))
        except (RecordError, RunError, OSError, sqlite3.Error, ValueError) as error:
            self._told(f"no trial is taken over from {folder.path}: {' '.join(str(error).split())}")
            return []
        ended = trials[trials["status"].isin(_FINISHED)]["key"]
        alike = _sharing(facts, self._made)
        return [str(key) for key in ended if key in alike and key not in broken]

    def _take(self, folder: RunFolder, keys: list[str], record: Record) -> Iterator[str]:
        """Trials of one run; one whose weights are damaged stays where it is."""
        with folder.open() as other:
            rows = _Rows(other, record, keys)
            for key in keys:
                row, measurements, curve = rows.of(key, folder.path.name)
                if not self._take_weights(folder, key, str(row.facts.get(WEIGHTS, ""))):
                    continue
                try:
                    pictures = rows.pictures(key)
                except RecordError as error:  # numbers and weights are sound
                    self._told(f"trial {key} is taken over without its pictures: {error}")
                    pictures = []
                whole = sealed(row, measurements, curve)
                if record.add_trial(whole, measurements, curve, pictures):
                    yield key

    def _take_weights(self, folder: RunFolder, key: str, sha256: str) -> bool:
        """Link or copy the weights of a trial, if it has any and they are as they were saved."""
        source, target = folder.checkpoint(key), self._place.checkpoint(key)
        if not sha256 or not source.is_file():  # it diverged, or they were removed on purpose
            return True
        with source.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                self._told(f"{source}: the weights are damaged; the trial is not taken over")
                return False
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        partial.unlink(missing_ok=True)
        try:
            partial.hardlink_to(source)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(target)
        with suppress(FileNotFoundError):  # both names were of one file already: it stays
            partial.unlink()
        return True


class _Rows:
    """Trials of a record, as rows for another."""

    def __init__(self, record: Reading, into: Reading, keys: Sequence[str]) -> None:
        self._record = record
        known = set(into.metrics()["name"])
        measured = record.measurements()
        self._trials = _by(record.trials(), "key", keys)
        self._facts = _by(record.trial_facts(), "trial", keys)
        self._measured = _by(measured[measured["metric"].isin(known)], "subject", keys)
        self._curve = _by(record.curve(), "trial", keys)

    def of(self, key: str, name: str) -> tuple[TrialRow, list[Measurement], list[CurvePoint]]:
        """A trial, marked with the name of the run that it is from."""
        (found,) = self._trials[key]
        facts = {str(one["name"]): str(one["value"]) for one in self._facts.get(key, ())}
        row = TrialRow(
            key=key,
            mix=str(found["mix"]),
            seed=int(found["seed"]),
            status=found["status"],
            reason=str(found["reason"]),
            seconds=float(found["seconds"]),
            facts={**facts, FROM: facts.get(FROM, name)},
        )
        measurements = [
            Measurement(key, str(one["metric"]), float(one["value"]), n=int(one["n"]))
            for one in self._measured.get(key, ())
        ]
        curve = [
            CurvePoint(key, str(one["name"]), int(one["step"]), float(one["value"]))
            for one in self._curve.get(key, ())
        ]
        return row, measurements, curve

    def pictures(self, key: str) -> list[Picture]:
        """What a trial made of a few images."""
        rows = self._record.pictures(key).to_dict("records")
        return [Picture(key, one["image"], one["kind"], one["png"]) for one in rows]


def _by(table: pd.DataFrame, column: str, keys: Sequence[str]) -> dict[str, list[dict[Any, Any]]]:
    """Rows of some trials, by trial."""
    rows: dict[str, list[dict[Any, Any]]] = {}
    for row in table[table[column].isin(keys)].to_dict("records"):
        rows.setdefault(str(row[column]), []).append(row)
    return rows


def _neighbours(place: RunFolder) -> list[RunFolder]:
    """Other folders beside this one that hold a record."""
    own = place.path.resolve()
    return [
        RunFolder(record.parent)
        for record in sorted(own.parent.glob("*/record.sqlite"))
        if record.parent.resolve() != own and not record.is_symlink()
    ]


def _sharing(facts: pd.DataFrame, made: Mapping[str, str]) -> set[str]:
    """Trials that were made with the same as ours."""
    alike: set[str] | None = None
    for name, value in made.items():
        same = facts[(facts["name"] == name) & (facts["value"] == value)]["trial"]
        alike = set(same) if alike is None else alike & set(same)
    return alike or set()
