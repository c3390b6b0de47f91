"""A record written to: each trial and each sitting is one transaction, whole or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from reports.record.file import make
from reports.record.inserting import (
    delete_trial,
    insert_curve,
    insert_measurements,
    insert_mix,
    insert_notes,
    insert_partial,
    insert_pictures,
    insert_samples,
    is_settled,
    replace_trial,
)
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
                insert_mix(self._connection, mix)

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
            if is_settled(self._connection, row.key):
                return False
            replace_trial(self._connection, row)
            self._measure(measurements)
            insert_curve(self._connection, curve)
            insert_pictures(self._connection, pictures)
        return True

    def forget(self, trial: str) -> None:
        """Take a trial out with all that it measured: its row is not what was written."""
        with self._transaction():
            delete_trial(self._connection, trial)

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
            added = insert_partial(self._connection, row)
            if added:
                self._measure(measurements)
                insert_notes(self._connection, notes)
        return added

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
            insert_samples(self._connection, samples)
            insert_notes(self._connection, notes)

    def note(self, subject: str, topic: str, text: str) -> None:
        """Add a remark; the same one twice counts once."""
        with self._transaction():
            insert_notes(self._connection, [Note(subject, topic, text)])

    def _measure(self, measurements: Iterable[Measurement]) -> None:
        rows = list(measurements)
        known = {name for (name,) in self._connection.execute("SELECT name FROM metrics")}
        unknown = sorted({row.metric for row in rows} - known)
        if unknown:
            raise RecordError(
                f"{self.path}: metric {unknown[0]!r} was never defined "
                f"(defined: {', '.join(sorted(known)) or 'none'})"
            )
        insert_measurements(self._connection, rows)

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
