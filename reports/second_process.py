"""What a second process does for the report of very many trials, while the first makes its page.

    python -m reports.second_process FOLDER

It is given what was found as soon as that is read, gives back the budgets, then writes results.csv
and the figures. Where it fails, the first process does the same after all.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final, cast

from reports import tables
from reports.figures import draw_report
from reports.numbers.found import Found
from reports.record import Reading
from reports.sections.budgets import Budgets, budgets
from reports.whole import write_whole

MANY: Final = 20_000  # trials; of fewer, starting Python takes as long as what is saved
UNUSED: Final = ("measurements", "trial_facts", "samples")  # of what was found; large


class Second:
    """A second process at its work; without one, all is done here.

    Args:
        process: What was started; None where nothing was.
    """

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def give(self, found: Found) -> None:
        """Have it begin."""
        if self._process is None:
            return
        try:
            with cast(IO[bytes], self._process.stdin) as pipe:
                pickle.dump(_lean(found), pipe, pickle.HIGHEST_PROTOCOL)
        except OSError:  # it has ended
            self._process = None

    def budgets(self, found: Found) -> Budgets | None:
        """The mix for each budget, by whichever process; after `give`."""
        if self._process is not None:
            try:
                return cast(Budgets | None, pickle.load(cast(IO[bytes], self._process.stdout)))
            except (EOFError, pickle.UnpicklingError):
                self._process = None
        return budgets(found)

    def write_files(self, found: Found, folder: Path) -> None:
        """See that the files beside the page are written, by whichever process; at last."""
        if self._process is None or self._process.wait() != 0:
            write_files(found, folder)


@contextlib.contextmanager
def second(record: Path, folder: Path) -> Iterator[Second]:
    """A second process for the report of a record, where there are trials and processors enough.

    Args:
        record: The record.
        folder: Of the report.

    Raises:
        RecordError: The record cannot be read.
    """
    process = _started(folder) if _worth_it(record) else None
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


def main() -> None:
    """The second process: take, give back, write."""
    gc.disable()  # all there is lives to the end
    found = cast(Found, pickle.load(sys.stdin.buffer))
    sys.stdout.buffer.write(pickle.dumps(budgets(found)))
    sys.stdout.flush()
    write_files(found, Path(sys.argv[1]))


def _lean(found: Found) -> Found:
    """What was found without what is not used here; to ask for that is an error."""
    lean = replace(found)
    for name in UNUSED:
        object.__delattr__(lean, name)
    return lean


def _worth_it(record: Path) -> bool:
    if _processors() < 2:
        return False
    with Reading.open(record) as reading:
        return reading.trial_count() > MANY


def _started(folder: Path) -> subprocess.Popen[bytes] | None:
    """None where there is no interpreter to start."""
    command = [sys.executable, "-P", "-m", __name__, str(folder)]
    modules = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
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
