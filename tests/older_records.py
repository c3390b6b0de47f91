"""Records as earlier versions wrote them: the tables of their time, word for word."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

MEASUREMENTS = """
CREATE TABLE measurements (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, metric TEXT NOT NULL REFERENCES metrics (name),
    value REAL NOT NULL, low REAL, high REAL, n INTEGER NOT NULL, mode TEXT NOT NULL,
    backend TEXT NOT NULL, device TEXT NOT NULL, sitting TEXT NOT NULL,
    UNIQUE (subject, metric, mode, backend, device, sitting)
) STRICT;
"""


def make_older(path: Path, version: int) -> Path:
    """Give a record of today the tables of format 1 or 2, with all that it holds.

    Format 1 knew nothing of steps before the last: such rows are lost.
    """
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(
            "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM measurements ORDER BY id; "
            "DROP VIEW measurements; DROP TABLE measured; DROP TABLE kinds; "
            f"{MEASUREMENTS} INSERT INTO measurements SELECT * FROM kept ORDER BY id; "
            f"{'DROP TABLE partials;' if version == 1 else ''} "
            f"PRAGMA user_version = {version}; COMMIT; VACUUM;"
        )
    return path
