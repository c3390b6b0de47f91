"""What a second process does for the report of very many trials: its figures and results.csv.

    python -m reports.second_process RECORD FOLDER

It reads the record for itself, so that nothing is handed over but a digest of what it read; where
that is not what the report was made of, as beside a run that goes on, its work is done again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from reports import tables
from reports.figures import draw_report
from reports.numbers.found import Found
from reports.numbers.results import read
from reports.record import Reading
from reports.whole import write_whole

MANY = 20_000  # trials; of fewer, starting Python takes as long as what is saved


class Second:
    """A process that may be at work; one that was not started, or failed, has done nothing."""

    def __init__(self, process: subprocess.Popen[str] | None) -> None:
        self._process = process

    def did(self, found: Found) -> bool:
        """Wait for it, and say whether its part of the report is done, of the same numbers."""
        if self._process is None:
            return False
        read_there, _ = self._process.communicate()
        return self._process.returncode == 0 and read_there.strip() == digest(found)


@contextmanager
def second(record: Path, folder: Path) -> Iterator[Second]:
    """A second process for the report of a record, where there are trials and processors enough.

    Args:
        record: The record.
        folder: Of the report.

    Raises:
        RecordError: The record cannot be read.
    """
    process = _started(record, folder) if worth_it(record) else None
    if process is None:
        yield Second(None)
        return
    with process:
        try:
            yield Second(process)
        finally:
            process.kill()  # what has ended by itself is left as it is


def worth_it(record: Path) -> bool:
    """Whether a second process would save time.

    Raises:
        RecordError: The record cannot be read.
    """
    if _processors() < 2:
        return False
    with Reading.open(record) as reading:
        return reading.trial_count() > MANY


def write_part(found: Found, folder: Path) -> None:
    """The part of the report that a second process may write."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "results.csv", tables.csv(found))
    draw_report(found, folder / "figures")


def digest(found: Found) -> str:
    """A number for what that part is made of."""
    return f"{pd.util.hash_pandas_object(found.table).sum()} {len(found.curve)}"


def main() -> None:
    """Write that part, then say of what."""
    record, folder = map(Path, sys.argv[1:])
    found = read(record)
    write_part(found, folder)
    print(digest(found))


def _started(record: Path, folder: Path) -> subprocess.Popen[str] | None:
    """None where there is no interpreter to start."""
    command = [sys.executable, "-P", "-m", __name__, str(record), str(folder)]
    modules = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": modules},
        )
    except OSError:
        return None


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
