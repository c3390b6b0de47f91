"""The record as a file: opening it safely, or saying in one line why not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from reports.record.rows import RecordError
from reports.record.tables import TABLES, VERSION, upgrade

APPLICATION_ID = 0x61626C74  # "ablt": tells a record from any other SQLite file


def make(path: Path, facts: dict[str, str], passing: Callable[[str], None]) -> None:
    """Write a new, empty record; killed half-way it leaves no file of that name.

    Args:
        path: The file, which must not exist.
        facts: Of the whole run, by name.
        passing: Called at each point at which a test may end the process.

    Raises:
        RecordError: There is a file already, or the folder cannot be written.
    """
    if path.exists():
        raise RecordError(f"{path}: there is a file already; open it, or choose another name")
    draft = path.with_name(f"{path.name}.new")
    for left in ("", "-wal", "-shm"):  # of a process that was killed at it
        Path(f"{draft}{left}").unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(draft, isolation_level=None)
    except sqlite3.Error as problem:
        raise RecordError(f"{path}: cannot be created ({problem})") from problem
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {VERSION}; {TABLES} COMMIT;"
        )
        connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
    except sqlite3.Error as problem:
        raise RecordError(f"{path}: cannot be created ({problem})") from problem
    finally:
        connection.close()
    passing("record.drafted")
    draft.replace(path)
    _sync_folder(path.parent)
    passing("record.created")


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open a record and check that it is one.

    Raises:
        RecordError: It is missing, empty, damaged, of a newer format, or something else.
    """
    _look(path)
    try:
        connection = _writable(path) if writable else _readable(path)
        version = _check(path, connection)
        if writable:
            require_whole(path, connection)
        if writable and version < VERSION:
            _upgrade(path, connection)
    except sqlite3.DatabaseError as problem:
        raise RecordError(f"{path}: not a readable record ({problem})") from problem
    return connection


def _look(path: Path) -> None:
    """What can be said without SQLite; a zero-byte file would pass as an empty database."""
    if path.is_dir():
        raise RecordError(f"{path}: is a folder; expected the record file inside it")
    if not path.exists():
        raise RecordError(f"{path}: no such record")
    with path.open("rb") as file:
        header = file.read(16)
    if not header:
        raise RecordError(f"{path}: is empty (0 bytes), not a record")
    if header != b"SQLite format 3\x00":
        raise RecordError(f"{path}: is not an SQLite file, so not a record")


def _writable(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _readable(path: Path) -> sqlite3.Connection:
    """Read-only; on a medium that cannot be written, SQLite must be told that nobody writes."""
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None, timeout=30)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if Path(f"{path}-wal").exists():  # ignoring it would lose what it holds
            raise
        connection = sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    return connection


def require_whole(path: Path, connection: sqlite3.Connection) -> None:
    """See that no page is damaged, before anything is written on top of it.

    Raises:
        RecordError: One is; the connection is closed.
    """
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as problem:
        found = problem
    if found != "ok":
        connection.close()
        reason = " ".join(str(found).split())
        raise RecordError(
            f"{path}: is damaged ({reason}); keep it for what can still be read, and start beside "
            "it, where finished trials are taken over: ablate run ... --new-run"
        )


def _upgrade(path: Path, connection: sqlite3.Connection) -> None:
    """Bring an older record to this format; where that fails it is what it was, and closed."""
    try:
        upgrade(connection)
    except sqlite3.Error as problem:
        connection.close()
        raise RecordError(
            f"{path}: cannot be brought to format {VERSION}, and is as it was ({problem})"
        ) from problem


def _check(path: Path, connection: sqlite3.Connection) -> int:
    """The format of the record, which is one that can be read."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    problem = ""
    if application != APPLICATION_ID:
        problem = f"an SQLite file, but not a record (application_id {application})"
    elif version > VERSION:
        problem = f"written by a newer version (format {version}; this one reads up to {VERSION})"
    elif version < 1:
        problem = f"is damaged (it says that it is of format {version}, which never was)"
    if problem:
        connection.close()
        raise RecordError(f"{path}: {problem}")
    return int(version)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
