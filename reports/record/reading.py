"""A record read back as DataFrames, in the order in which things were written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

from reports.record.file import connect, require_whole
from reports.record.frames import MEASURED, frame, measured_frame, uncollected
from reports.record.rows import RecordError


class Reading:
    """An open record; close it, or use it in a `with`.

    Whatever is asked of it, a damaged page or a disk that fails is a RecordError.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path | str, writable: bool = False) -> Self:
        """Open a record; unless writable it cannot be changed by accident.

        Raises:
            RecordError: It is missing, empty, damaged, of a newer format, or something else.
        """
        path = Path(path)
        return cls(path, connect(path, writable=writable))

    def close(self) -> None:
        """Let go of the file; the log is folded into it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def require_whole(self) -> None:
        """See that no page of the file is damaged; opening to write does so, to read does not.

        Raises:
            RecordError: One is.
        """
        require_whole(self.path, self._connection)

    def facts(self) -> dict[str, str]:
        """What is known of the whole run: study, question, versions, machine, git commit."""
        return dict(self._rows("SELECT name, value FROM facts ORDER BY rowid"))

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the metrics that the study asks for, in its order."""
        return tuple(json.loads(self.facts().get("objectives", "[]")))

    def metrics(self) -> pd.DataFrame:
        """Columns name, unit, better, protocol."""
        return self._table("SELECT name, unit, better, protocol FROM metrics ORDER BY rowid")

    def mixes(self) -> pd.DataFrame:
        """Columns key, label, baseline, spec (JSON)."""
        table = self._table("SELECT key, label, baseline, spec FROM mixes ORDER BY id")
        return table.astype({"baseline": bool})

    def specs(self, mixes: Sequence[str]) -> dict[str, str]:
        """Key -> specification (JSON) of these mixes; what is not in the record is left out."""
        query = "SELECT key, spec FROM mixes WHERE key IN (SELECT value FROM json_each(?))"
        return dict(self._rows(query, (_listed(mixes),)))

    def settings(self) -> list[tuple[str, str, str]]:
        """The different task, training and topology (JSON; "" unknown) that mixes have together."""
        parts = ("$.task", "$.training", "$.network.topology")
        query = (
            "SELECT DISTINCT ifnull(json_extract(spec, ?), ''), ifnull(json_extract(spec, ?), ''), "
            "ifnull(json_extract(spec, ?), '') FROM mixes WHERE json_valid(spec) AND NOT baseline"
        )
        return self._rows(query, parts)

    def levels(self) -> pd.DataFrame:
        """Columns mix, axis, level (both categories): one row per mix and axis."""
        # A mix and its levels and stages are added together, once, and stay: the order in which
        # they stand is that of the mixes, and within one that of its axes and slots.
        return self._table("SELECT mix, axis, level FROM levels ORDER BY rowid", few="axis level")

    def stages(self) -> pd.DataFrame:
        """Columns mix, slot, blocks, family (these categories), depth: a row per mix and slot."""
        query = "SELECT mix, slot, blocks, family, depth FROM stages ORDER BY rowid"  # as levels
        return self._table(query, few="slot blocks family")

    def trials(self) -> pd.DataFrame:
        """Columns key, mix, seed, status, reason, seconds."""
        return self._table("SELECT key, mix, seed, status, reason, seconds FROM trials ORDER BY id")

    def trial_count(self) -> int:
        """How many trials there are, without reading them."""
        return int(self._rows("SELECT count(*) FROM trials")[0][0])

    def partials(self) -> pd.DataFrame:
        """Columns key, trial, mix, seed, step, seconds: what trials came to before their last step.

        A record that is older than such rows has none.
        """
        if not self._has("partials"):
            return pd.DataFrame(columns=["key", "trial", "mix", "seed", "step", "seconds"])
        return self._table("SELECT key, trial, mix, seed, step, seconds FROM partials ORDER BY id")

    def trial_facts(self) -> pd.DataFrame:
        """Columns trial, name (categories), value."""
        return self._table("SELECT trial, name, value FROM trial_facts ORDER BY rowid", few="name")

    def measurements(self) -> pd.DataFrame:
        """Columns subject, metric, value, low, high, n, mode, backend, device, sitting.

        Metric, mode, back end, device and sitting are categories.
        """
        ends = {"low": float, "high": float}
        if not self._has("kinds"):  # until format 2
            query = f"SELECT {', '.join(MEASURED)} FROM measurements ORDER BY id"
            return self._table(query, few="metric mode backend device sitting").astype(ends)
        with uncollected():
            rows = self._rows("SELECT subject, kind, value, low, high, n FROM measured ORDER BY id")
            # Read after the rows, as another process may be writing: kinds come and never go.
            kinds = self._rows("SELECT id, metric, mode, backend, device, sitting FROM kinds")
            try:
                return measured_frame(rows, kinds).astype(ends)
            except LookupError as problem:
                reason = f"a measurement is of kind {problem}, which is not there"
                raise RecordError(f"{self.path}: cannot be read ({reason})") from problem

    def samples(self, sittings: Collection[str] | None = None) -> pd.DataFrame:
        """Columns subject, metric, mode, sitting, process, round, value.

        Of all sittings; or of some, and those of the machine.
        """
        if sittings is None:
            return self._table("SELECT * FROM samples")
        some = "sitting IN (SELECT value FROM json_each(?)) OR subject = 'machine'"
        return self._table(f"SELECT * FROM samples WHERE {some}", (_listed(sittings),))

    def curve(
        self, names: Collection[str] | None = None, trials: Collection[str] | None = None
    ) -> pd.DataFrame:
        """Columns trial, name, step, value.

        Args:
            names: Of the curves; None for all.
            trials: Whose; None for all.
        """
        where, values = _of_trials(trials)
        if names is not None:
            where += " AND name IN (SELECT value FROM json_each(?))"
            values += (_listed(names),)
        return self._table(f"SELECT * FROM curve WHERE {where}", values)

    def curve_names(self, trials: Collection[str] | None = None) -> list[str]:
        """Names of the curves of these trials, or of all."""
        where, values = _of_trials(trials)
        return [
            of for (of,) in self._rows(f"SELECT DISTINCT name FROM curve WHERE {where}", values)
        ]

    def notes(self) -> pd.DataFrame:
        """Columns subject, topic, text."""
        return self._table("SELECT subject, topic, text FROM notes ORDER BY id")

    def pictures(self, trial: str | None = None) -> pd.DataFrame:
        """Columns trial, image, kind, png (bytes); of one trial, or of all."""
        return self._table(
            "SELECT trial, image, kind, png FROM pictures JOIN blobs USING (sha256) "
            "WHERE ?1 IS NULL OR trial = ?1 ORDER BY pictures.rowid",
            (trial,),
        )

    def pictured(self) -> set[str]:
        """Keys of the trials that left pictures."""
        return {key for (key,) in self._rows("SELECT trial FROM pictures")}

    def _table(self, query: str, values: tuple[object, ...] = (), *, few: str = "") -> pd.DataFrame:
        """The rows; `few` names the columns of few different texts."""
        with uncollected():
            return frame(*self._asked(query, values), few)

    def _has(self, table: str) -> bool:
        """Whether there is such a table: older formats have fewer."""
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)))

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return self._asked(query, values)[1]

    def _asked(
        self, query: str, values: tuple[object, ...]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of the columns, and the rows."""
        try:
            cursor = self._connection.execute(query, values)
            return [column[0] for column in cursor.description], cursor.fetchall()
        except sqlite3.Error as problem:
            raise RecordError(f"{self.path}: cannot be read ({problem})") from problem


def _listed(names: Collection[str]) -> str:
    """As SQLite's json_each reads it: as many as there are, where `?` is limited."""
    return json.dumps(list(names))


def _of_trials(trials: Collection[str] | None) -> tuple[str, tuple[object, ...]]:
    """A condition, and what stands in the place of its `?`."""
    if trials is None:
        return "TRUE", ()
    return "trial IN (SELECT value FROM json_each(?))", (_listed(trials),)
