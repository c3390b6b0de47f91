"""What rows are in SQL, each kind by a function; transactions are begun and ended elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from sqlite3 import Connection

from reports.record.rows import (
    CurvePoint,
    Measurement,
    MixRow,
    Note,
    PartialRow,
    Picture,
    Sample,
    TrialRow,
)


def insert_mix(connection: Connection, mix: MixRow) -> None:
    """A mix with its levels and stages; one whose key is there already is left as it is."""
    added = connection.execute(
        "INSERT INTO mixes (key, label, spec, baseline) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (key) DO NOTHING",
        (mix.key, mix.label, mix.spec, int(mix.baseline)),
    )
    if not added.rowcount:
        return
    connection.executemany(
        "INSERT INTO levels VALUES (?, ?, ?, ?)",
        [(mix.key, at, axis, level) for at, (axis, level) in enumerate(mix.levels.items())],
    )
    connection.executemany(
        "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?)",
        [
            (mix.key, at, stage.slot, stage.blocks, stage.family, stage.depth)
            for at, stage in enumerate(mix.stages)
        ],
    )


def is_settled(connection: Connection, trial: str) -> bool:
    """Whether a trial has a result, and not only failed attempts."""
    query = "SELECT 1 FROM trials WHERE key = ? AND status != 'failed'"
    return connection.execute(query, (trial,)).fetchone() is not None


def replace_trial(connection: Connection, row: TrialRow) -> None:
    """A trial and its facts, in the stead of earlier attempts at it and of what these measured.

    Such an attempt may also have failed with another source of its mix, under another key.
    """
    earlier = connection.execute(
        "SELECT key FROM trials WHERE mix = ? AND seed = ? AND status = 'failed'",
        (row.mix, int(row.seed)),
    )
    for key in dict.fromkeys((row.key, *(key for (key,) in earlier))):
        delete_trial(connection, key)
    connection.execute(
        "INSERT INTO trials (key, mix, seed, status, reason, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        (row.key, row.mix, int(row.seed), row.status, row.reason, float(row.seconds)),
    )
    connection.executemany(
        "INSERT INTO trial_facts VALUES (?, ?, ?)",
        [(row.key, name, str(value)) for name, value in row.facts.items()],
    )


def delete_trial(connection: Connection, trial: str) -> None:
    """A trial is taken out with all that it measured."""
    connection.execute("DELETE FROM trials WHERE key = ?", (trial,))
    connection.execute("DELETE FROM measured WHERE subject = ?", (trial,))


def insert_partial(connection: Connection, row: PartialRow) -> bool:
    """What a trial came to before its end; says whether it was not there yet."""
    added = connection.execute(
        "INSERT INTO partials (key, trial, mix, seed, step, seconds) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (row.key, row.trial, row.mix, int(row.seed), int(row.step), float(row.seconds)),
    )
    return bool(added.rowcount)


def insert_measurements(connection: Connection, measurements: Iterable[Measurement]) -> None:
    """Replacing gives a new id, so that the latest measurement is the last row."""
    rows = [(_kind(row), _numbers(row)) for row in measurements]
    kinds = dict.fromkeys(kind for kind, _ in rows)
    numbers = {kind: _number(connection, kind) for kind in kinds}
    connection.executemany(
        "INSERT OR REPLACE INTO measured (kind, subject, value, low, high, n) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [(numbers[kind], *row) for kind, row in rows],
    )


def insert_samples(connection: Connection, samples: Iterable[Sample]) -> None:
    """Single timings of a sitting."""
    connection.executemany(
        "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (s.subject, s.metric, s.mode, s.sitting, s.process, s.round, float(s.value))
            for s in samples
        ],
    )


def insert_curve(connection: Connection, curve: Iterable[CurvePoint]) -> None:
    """Points of learning curves."""
    connection.executemany(
        "INSERT OR REPLACE INTO curve VALUES (?, ?, ?, ?)",
        [(c.trial, c.name, int(c.step), float(c.value)) for c in curve],
    )


def insert_pictures(connection: Connection, pictures: Iterable[Picture]) -> None:
    """Inputs and targets are the same for many trials: equal pictures are kept once."""
    for picture in pictures:
        digest = hashlib.sha256(picture.png).hexdigest()
        connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest, picture.png))
        connection.execute(
            "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)",
            (picture.trial, picture.image, picture.kind, digest),
        )


def insert_notes(connection: Connection, notes: Iterable[Note]) -> None:
    """Remarks; the same one twice counts once."""
    connection.executemany(
        "INSERT OR IGNORE INTO notes (subject, topic, text) VALUES (?, ?, ?)",
        [(note.subject, note.topic, note.text) for note in notes],
    )


def _numbers(row: Measurement) -> tuple[object, ...]:
    """Plain numbers: SQLite would store a numpy float32 as bytes."""
    ends = (None if end is None else float(end) for end in (row.low, row.high))
    return (row.subject, float(row.value), *ends, int(row.n))


def _kind(row: Measurement) -> tuple[str, ...]:
    return (row.metric, row.mode, row.backend, row.device, row.sitting)


def _number(connection: Connection, kind: tuple[str, ...]) -> int | None:
    """Of a kind of measurement; one that is new is added."""
    found = connection.execute(
        "SELECT id FROM kinds "
        "WHERE metric = ? AND mode = ? AND backend = ? AND device = ? AND sitting = ?",
        kind,
    ).fetchone()
    if found:
        return int(found[0])
    return connection.execute(
        "INSERT INTO kinds (metric, mode, backend, device, sitting) VALUES (?, ?, ?, ?, ?)", kind
    ).lastrowid
