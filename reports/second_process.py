"""What a second process does for the report of very many trials, while the first makes its page.

    python -m reports.second_process RECORD FOLDER

It reads the record for itself, makes the health checks, then writes results.csv and the figures.
With the checks it says what it read; where that is not what the page was made of, as beside a run
that goes on, and where it fails, the first process does the same work after all.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pandas as pd

from reports import tables
from reports.checks.health import Finding, health
from reports.figures import draw_report
from reports.numbers.found import Found
from reports.numbers.results import read
from reports.record import Reading
from reports.whole import write_whole

MANY = 20_000  # trials; of fewer, starting Python takes as long as what is saved

Checked = tuple[Finding, ...]


class Second:
    """A second process at its work; without one, all is done here.

    Args:
        process: What was started; None where nothing was.
    """

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def health(self, found: Found) -> Checked:
        """The health checks of what was found, by whichever process."""
        if self._process is not None:
            read_there, checked = self._said(self._process)
            if read_there == digest(found):
                return checked
            self._process = None
        return health(found)

    def write_files(self, found: Found, folder: Path) -> None:
        """See that the files beside the page are written, by whichever process; after `health`."""
        if self._process is None or self._process.wait() != 0:
            write_files(found, folder)

    def _said(self, process: subprocess.Popen[bytes]) -> tuple[str, Checked]:
        """What it read and what it found; nothing of one that failed."""
        try:
            return cast(tuple[str, Checked], pickle.load(cast(IO[bytes], process.stdout)))
        except (EOFError, pickle.UnpicklingError):
            return "", ()


@contextlib.contextmanager
def second(record: Path, folder: Path) -> Iterator[Second]:
    """A second process for the report of a record, where there are trials and processors enough.

    Args:
        record: The record.
        folder: Of the report.

    Raises:
        RecordError: The record cannot be read.
    """
    process = _started(record, folder) if _worth_it(record) else None
    if process is None:
        yield Second(None)
        return
    with process:
        try:
            yield Second(process)
        finally:
            process.kill()  # what has ended by itself is left as it is


def write_files(found: Found, folder: Path) -> None:
    """All numbers as a table, and the figures."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "results.csv", tables.csv(found))
    draw_report(found, folder / "figures")


def digest(found: Found) -> str:
    """A number for what was read, the same in every process."""
    return f"{pd.util.hash_pandas_object(found.table).sum()} {len(found.curve)}"


def main() -> None:
    """The second process: check, say so, write."""
    gc.disable()  # all there is lives to the end
    record, folder = map(Path, sys.argv[1:])
    found = read(record)
    sys.stdout.buffer.write(pickle.dumps((digest(found), health(found))))
    sys.stdout.flush()
    write_files(found, folder)


def _worth_it(record: Path) -> bool:
    if _processors() < 2:
        return False
    with Reading.open(record) as reading:
        return reading.trial_count() > MANY


def _started(record: Path, folder: Path) -> subprocess.Popen[bytes] | None:
    """None where there is no interpreter to start."""
    command = [sys.executable, "-P", "-m", __name__, str(record), str(folder)]
    modules = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": modules},
        )
    return None


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
