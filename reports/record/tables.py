"""The tables of a record, and how one of an older format comes by them."""

from __future__ import annotations

import contextlib
import sqlite3

VERSION = 3

PARTIALS = """
CREATE TABLE partials (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, trial TEXT NOT NULL,
    mix TEXT NOT NULL REFERENCES mixes (key), seed INTEGER NOT NULL, step INTEGER NOT NULL,
    seconds REAL NOT NULL
) STRICT
"""  # since format 2

# Since format 3, of half a million measurements there are a few hundred kinds: five texts are
# kept and read once for each kind, and a measurement has its number.
KINDS = """
CREATE TABLE kinds (
    id INTEGER PRIMARY KEY, metric TEXT NOT NULL REFERENCES metrics (name), mode TEXT NOT NULL,
    backend TEXT NOT NULL, device TEXT NOT NULL, sitting TEXT NOT NULL,
    UNIQUE (metric, mode, backend, device, sitting)
) STRICT
"""
MEASURED = """
CREATE TABLE measured (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, kind INTEGER NOT NULL REFERENCES kinds (id),
    value REAL NOT NULL, low REAL, high REAL, n INTEGER NOT NULL, UNIQUE (subject, kind)
) STRICT
"""
MEASUREMENTS = """
CREATE VIEW measurements AS
SELECT measured.id, subject, metric, value, low, high, n, mode, backend, device, sitting
FROM measured JOIN kinds ON kinds.id = kind
"""  # a table until format 2, with the same columns

TABLES = f"""
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE metrics (
    name TEXT PRIMARY KEY, unit TEXT NOT NULL,
    better TEXT NOT NULL CHECK (better IN ('higher', 'lower', 'none')), protocol TEXT NOT NULL
) STRICT;
CREATE TABLE mixes (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, label TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL, baseline INTEGER NOT NULL
) STRICT;
CREATE TABLE levels (
    mix TEXT NOT NULL REFERENCES mixes (key), position INTEGER NOT NULL,
    axis TEXT NOT NULL, level TEXT NOT NULL, PRIMARY KEY (mix, axis)
) STRICT;
CREATE TABLE stages (
    mix TEXT NOT NULL REFERENCES mixes (key), position INTEGER NOT NULL, slot TEXT NOT NULL,
    blocks TEXT NOT NULL, family TEXT NOT NULL, depth INTEGER NOT NULL, PRIMARY KEY (mix, slot)
) STRICT;
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, mix TEXT NOT NULL REFERENCES mixes (key),
    seed INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('done', 'diverged', 'failed')),
    reason TEXT NOT NULL, seconds REAL NOT NULL, UNIQUE (mix, seed)
) STRICT;
CREATE TABLE trial_facts (
    trial TEXT NOT NULL REFERENCES trials (key) ON DELETE CASCADE,
    name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (trial, name)
) STRICT;
CREATE TABLE curve (
    trial TEXT NOT NULL REFERENCES trials (key) ON DELETE CASCADE,
    name TEXT NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (trial, name, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, png BLOB NOT NULL) STRICT;
CREATE TABLE pictures (
    trial TEXT NOT NULL REFERENCES trials (key) ON DELETE CASCADE, image TEXT NOT NULL,
    kind TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES blobs (sha256),
    PRIMARY KEY (trial, image, kind)
) STRICT;
{KINDS};
{MEASURED};
{MEASUREMENTS};
CREATE TABLE samples (
    subject TEXT NOT NULL, metric TEXT NOT NULL REFERENCES metrics (name), mode TEXT NOT NULL,
    sitting TEXT NOT NULL, process INTEGER NOT NULL, round INTEGER NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (subject, metric, mode, sitting, process, round)
) STRICT, WITHOUT ROWID;
CREATE TABLE notes (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, topic TEXT NOT NULL, text TEXT NOT NULL,
    UNIQUE (subject, topic, text)
) STRICT;
{PARTIALS};
"""

_SPLIT = (
    KINDS,
    MEASURED,
    "INSERT INTO kinds (metric, mode, backend, device, sitting) "
    "SELECT metric, mode, backend, device, sitting FROM measurements "
    "GROUP BY metric, mode, backend, device, sitting ORDER BY min(id)",
    "INSERT INTO measured SELECT measurements.id, subject, kinds.id, value, low, high, n "
    "FROM measurements JOIN kinds USING (metric, mode, backend, device, sitting) "
    "ORDER BY measurements.id",
    "DROP TABLE measurements",
    MEASUREMENTS,
)

# Format -> what makes a record of it one of the next.
STEPS: dict[int, tuple[str, ...]] = {1: (PARTIALS,), 2: _SPLIT}


def upgrade(connection: sqlite3.Connection) -> None:
    """Make an older record one of this format, whole or not at all; ids stay in their order.

    Pages that come free are given back where they can be.

    Raises:
        sqlite3.Error: It cannot be written; it is then what it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()  # by now another's?
        for older in range(version, VERSION):
            for statement in STEPS[older]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(version, VERSION)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if version < VERSION:
        _shrink(connection)


def _shrink(connection: sqlite3.Connection) -> None:
    """Give back the pages of dropped tables, which would make a file larger than it was.

    That takes as much disk again for a moment: where there is none, a record is as good unshrunk.
    """
    with contextlib.suppress(sqlite3.Error):
        connection.execute("VACUUM")
