"""The hash of a record: which measurements a report was made of, to the last byte."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from reports.record.file import connect


def record_hash(path: Path | str) -> str:
    """SHA-256 of a record, 64 hexadecimal digits: what `sha256sum` says of it at rest.

    What a run has written into the log beside its record and not yet into the file counts too, so
    that the hash is the same before and after.

    Raises:
        RecordError: It is missing, empty, damaged, of a newer format, or something else.
    """
    path = Path(path)
    with closing(connect(path, writable=False)) as connection:
        if _logged(path):
            return hashlib.sha256(connection.serialize()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _logged(path: Path) -> bool:
    """Whether there is a log with something in it."""
    log = Path(f"{path}-wal")
    try:
        return log.stat().st_size > 0
    except OSError:
        return False
