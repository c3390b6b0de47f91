"""A record written to: each trial and each sitting is one transaction, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from reports.record.file import make
from reports.record.reading import Reading
from reports.record.rows import (
    CurvePoint,
    Measurement,
    Metric,
    MixRow,
    Note,
    PartialRow,
    Picture,
    RecordError,
    Sample,
    TrialRow,
)

Passing = Callable[[str], None]


def _unhindered(point: str) -> None:
    """Nothing happens at a point, outside of tests."""


class Record(Reading):
    """The record of a run. What is written here once is the truth; all else can be rebuilt.

    Attributes:
        passing: Called with the name of each point at which a test may end the process.
    """

    passing: Passing = staticmethod(_unhindered)

    @classmethod
    def create(
        cls,
        path: Path | str,
        study_name: str,
        study_text: str,
        question: str,
        facts: Mapping[str, str],
        objectives: Sequence[str],
        passing: Passing = _unhindered,
    ) -> Self:
        """Make a new record and open it for writing.

        Args:
            path: The file, which must not exist; its folder must.
            study_name: Name of the study.
            study_text: The study file, word for word.
            question: The question that the study asks.
            facts: Versions, machine, git commit and the like, by name.
            objectives: Names of the metrics that make the front, in order.
            passing: Called at each point at which a test may end the process.

        Raises:
            RecordError: There is a file already, or it cannot be created.
        """
        own = {
            "study_name": study_name,
            "study_text": study_text,
            "question": question,
            "objectives": json.dumps(list(objectives)),
        }
        make(Path(path), {**own, **{name: str(value) for name, value in facts.items()}}, passing)
        record = cls.open(path, writable=True)
        record.passing = passing
        return record

    def set_fact(self, name: str, value: str) -> None:
        """Add a fact of the whole run, or replace it."""
        with self._transaction():
            self._many("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, str(value))])

    def define(self, metrics: Iterable[Metric]) -> None:
        """Say what metrics mean; a metric must be defined before it is measured."""
        with self._transaction():
            self._many(
                "INSERT INTO metrics VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "unit = excluded.unit, better = excluded.better, protocol = excluded.protocol",
                [(m.name, m.unit, m.better, m.protocol) for m in metrics],
            )

    def add_mixes(self, mixes: Iterable[MixRow]) -> None:
        """Add mixes; one whose key is there already is left as it is.

        Raises:
            RecordError: Two different mixes have the same label.
        """
        with self._transaction():
            for mix in mixes:
                self._add_mix(mix)

    def add_trial(
        self,
        row: TrialRow,
        measurements: Iterable[Measurement] = (),
        curve: Iterable[CurvePoint] = (),
        pictures: Iterable[Picture] = (),
    ) -> bool:
        """Add a trial with all that belongs to it, whole or not at all.

        The first result of a trial stays: a key that is there already is left alone, so a trial
        that is handed in twice counts once. Only a failed trial is replaced, by its next attempt.

        Returns:
            Whether it was written.

        Raises:
            RecordError: Its mix or a metric is unknown.
        """
        with self._transaction():
            if self._settled(row.key):
                return False
            self._many(  # also one that failed with another source of its mix
                "DELETE FROM trials WHERE key = ? OR (mix = ? AND seed = ? AND status = 'failed')",
                [(row.key, row.mix, int(row.seed))],
            )
            self._many("DELETE FROM measurements WHERE subject = ?", [(row.key,)])
            self._many(
                "INSERT INTO trials (key, mix, seed, status, reason, seconds) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(row.key, row.mix, int(row.seed), row.status, row.reason, float(row.seconds))],
            )
            self._many(
                "INSERT INTO trial_facts VALUES (?, ?, ?)",
                [(row.key, name, str(value)) for name, value in row.facts.items()],
            )
            self._measure(measurements)
            self._many(
                "INSERT OR REPLACE INTO curve VALUES (?, ?, ?, ?)",
                [(c.trial, c.name, int(c.step), float(c.value)) for c in curve],
            )
            self._draw(pictures)
        return True

    def forget(self, trial: str) -> None:
        """Take a trial out with all that it measured: its row is not what was written."""
        with self._transaction():
            self._many("DELETE FROM trials WHERE key = ?", [(trial,)])
            self._many("DELETE FROM measurements WHERE subject = ?", [(trial,)])

    def add_partial(
        self,
        row: PartialRow,
        measurements: Iterable[Measurement] = (),
        notes: Iterable[Note] = (),
    ) -> bool:
        """Add what a trial came to at a step before its last; the first one of a key stays.

        Args:
            row: Which trial, and the step.
            measurements: Their subject is the row's key.
            notes: Remarks on it, with the same subject.

        Returns:
            Whether it was written.

        Raises:
            RecordError: Its mix or a metric is unknown.
        """
        with self._transaction():
            added = self._connection.execute(
                "INSERT INTO partials (key, trial, mix, seed, step, seconds) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (row.key, row.trial, row.mix, int(row.seed), int(row.step), float(row.seconds)),
            )
            if added.rowcount:
                self._measure(measurements)
                self._remark(notes)
        return bool(added.rowcount)

    def add_sitting(
        self,
        measurements: Iterable[Measurement],
        samples: Iterable[Sample] = (),
        notes: Iterable[Note] = (),
    ) -> None:
        """Add what one sitting measured, whole or not at all; written again it is replaced.

        Raises:
            RecordError: A metric is unknown.
        """
        with self._transaction():
            self._measure(measurements)
            self._many(
                "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (s.subject, s.metric, s.mode, s.sitting, s.process, s.round, float(s.value))
                    for s in samples
                ],
            )
            self._remark(notes)

    def note(self, subject: str, topic: str, text: str) -> None:
        """Add a remark; the same one twice counts once."""
        with self._transaction():
            self._remark([Note(subject, topic, text)])

    def _settled(self, trial: str) -> bool:
        query = "SELECT 1 FROM trials WHERE key = ? AND status != 'failed'"
        return self._connection.execute(query, (trial,)).fetchone() is not None

    def _add_mix(self, mix: MixRow) -> None:
        added = self._connection.execute(
            "INSERT INTO mixes (key, label, spec, baseline) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO NOTHING",
            (mix.key, mix.label, mix.spec, int(mix.baseline)),
        )
        if not added.rowcount:
            return
        self._many(
            "INSERT INTO levels VALUES (?, ?, ?, ?)",
            [(mix.key, at, axis, level) for at, (axis, level) in enumerate(mix.levels.items())],
        )
        self._many(
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?)",
            [
                (mix.key, at, stage.slot, stage.blocks, stage.family, stage.depth)
                for at, stage in enumerate(mix.stages)
            ],
        )

    def _measure(self, measurements: Iterable[Measurement]) -> None:
        rows = list(measurements)
        known = {name for (name,) in self._connection.execute("SELECT name FROM metrics")}
        unknown = sorted({row.metric for row in rows} - known)
        if unknown:
            raise RecordError(
                f"{self.path}: metric {unknown[0]!r} was never defined "
                f"(defined: {', '.join(sorted(known)) or 'none'})"
            )
        # Replacing gives a new id, so that the latest measurement is the last row.
        self._many(
            "INSERT OR REPLACE INTO measurements (subject, metric, value, low, high, n, mode, "
            "backend, device, sitting) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_flat(row) for row in rows],
        )

    def _draw(self, pictures: Iterable[Picture]) -> None:
        """Inputs and targets are the same for many trials: equal pictures are kept once."""
        for picture in pictures:
            digest = hashlib.sha256(picture.png).hexdigest()
            self._many("INSERT OR IGNORE INTO blobs VALUES (?, ?)", [(digest, picture.png)])
            self._many(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)",
                [(picture.trial, picture.image, picture.kind, digest)],
            )

    def _remark(self, notes: Iterable[Note]) -> None:
        self._many(
            "INSERT OR IGNORE INTO notes (subject, topic, text) VALUES (?, ?, ?)",
            [(note.subject, note.topic, note.text) for note in notes],
        )

    def _many(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(query, rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self.passing("record.begun")
            yield
            self.passing("record.before_commit")
            self._connection.execute("COMMIT")
            self.passing("record.after_commit")
        except sqlite3.Error as problem:
            self._roll_back()
            raise RecordError(f"{self.path}: cannot be written ({problem})") from problem
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _flat(row: Measurement) -> tuple[object, ...]:
    """Plain numbers: SQLite would store a numpy float32 as bytes."""
    ends = (None if end is None else float(end) for end in (row.low, row.high))
    place = (row.mode, row.backend, row.device, row.sitting)
    return (row.subject, row.metric, float(row.value), *ends, int(row.n), *place)
