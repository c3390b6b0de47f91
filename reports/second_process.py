"""What a second process does for the report of very many trials, while the first makes its page.

    python -m reports.second_process RECORD PIPE

It reads a part of the record and the record's hash, is given what was found, gives back the
budgets, then writes results.csv and the figures as drafts, which the first process puts in place.
Where it fails at anything, the first process does all that is left by itself.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, cast

import pandas as pd

from reports import tables
from reports.numbers.found import Found
from reports.record import Reading
from reports.record.hashing import record_hash
from reports.sections.budgets import Budgets, budgets
from reports.whole import write_whole

MANY: Final = 20_000  # trials; of fewer, starting Python takes as long as what is saved
UNUSED: Final = ("measurements", "trial_facts", "samples")  # of what was found; large

Tables = tuple[pd.DataFrame, pd.DataFrame]  # levels and stages


class Alone:
    """The work of one process."""

    def opened(self, record: Path | str) -> Reading:
        """The record, open for reading."""
        return Reading.open(record)

    def give(self, found: Found, folder: Path) -> None:
        """What was found, for whoever goes on with it; after reading.

        Args:
            found: What was found.
            folder: Of the report.
        """

    def budgets(self, found: Found) -> Budgets | None:
        """The mix for each budget; after `give`."""
        return budgets(found)

    def write_files(self, found: Found, folder: Path) -> None:
        """Have the files beside the page written; at last."""
        write_files(found, folder)


class Second(Alone):
    """The work of one process, of which a second one takes a part as long as it can.

    Args:
        process: The second one.
        answers: What it says.
    """

    def __init__(self, process: subprocess.Popen[bytes], answers: IO[bytes]) -> None:
        self._process = process
        self._answers = answers
        self._works = True
        self._drafts: Path | None = None

    def opened(self, record: Path | str) -> Reading:
        """The record; the second process reads its levels and stages."""
        opened = _Shared.open(record)
        opened.asked = lambda: cast(Tables | None, self._said())
        return opened

    def give(self, found: Found, folder: Path) -> None:
        """Take the hash, and hand over what was found."""
        known = self._said()
        if not self._works:
            return
        vars(found)["record_hash"] = known
        folder.mkdir(parents=True, exist_ok=True)
        self._drafts = Path(tempfile.mkdtemp(prefix=".drafts-", dir=folder))
        try:
            with cast(IO[bytes], self._process.stdin) as pipe:
                pickle.dump((_lean(found), self._drafts), pipe, pickle.HIGHEST_PROTOCOL)
        except OSError:  # it has ended
            self.end()

    def budgets(self, found: Found) -> Budgets | None:
        """From the second process, or made here."""
        made = self._said()
        return cast(Budgets | None, made[0]) if self._works else super().budgets(found)

    def write_files(self, found: Found, folder: Path) -> None:
        """Put the drafts in place, or write the files here."""
        if not (self._works and self._drafts and self._process.wait() == 0):
            super().write_files(found, folder)
            return
        for draft in sorted(self._drafts.rglob("*.*")):
            place = folder / draft.relative_to(self._drafts)
            place.parent.mkdir(exist_ok=True)
            draft.replace(place)

    def end(self) -> None:
        """It does nothing any more, and leaves nothing."""
        self._works = False
        self._process.kill()
        self._process.wait()
        if self._drafts:
            shutil.rmtree(self._drafts, ignore_errors=True)

    def _said(self) -> Any:
        """What it says next; nothing if it fails."""
        if self._works:
            try:
                return pickle.load(self._answers)
            except Exception:  # a process that fails may leave half of anything
                self.end()
        return None


@contextlib.contextmanager
def second(record: Path | str) -> Iterator[Alone]:
    """A second process for the report of a record, where there are trials and processors enough.

    Args:
        record: The record.

    Raises:
        RecordError: The record cannot be read.
    """
    started = _started(Path(record)) if _worth_it(record) else None
    if started is None:
        yield Alone()
        return
    process, answers = started
    with process, answers:
        other = Second(process, answers)
        try:
            yield other
        finally:
            other.end()


def write_files(found: Found, folder: Path) -> None:
    """All numbers as a table, and the figures."""
    from reports.figures import draw_report  # matplotlib, which a second process loads meanwhile

    (folder / "figures").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "results.csv", tables.csv(found))
    draw_report(found, folder / "figures")


def main() -> None:
    """The second process: read, say, take, say, write."""
    gc.disable()  # all there is lives to the end
    record = Path(sys.argv[1])
    with os.fdopen(int(sys.argv[2]), "wb") as answers:
        with Reading.open(record) as reading:
            levels, stages = reading.levels(), reading.stages()
        _say(answers, (levels, stages))
        import_module("reports.figures")
        _say(answers, record_hash(record))
        found, folder = cast(tuple[Found, Path], pickle.load(sys.stdin.buffer))
        vars(found)["stages"] = stages
        _say(answers, (budgets(found),))
    write_files(found, folder)


class _Shared(Reading):
    """A record of which another process reads a part."""

    asked: Callable[[], Tables | None]
    _tables: Tables | None = None

    def levels(self) -> pd.DataFrame:
        self._tables = self.asked()
        return super().levels() if self._tables is None else self._tables[0]

    def stages(self) -> pd.DataFrame:
        return super().stages() if self._tables is None else self._tables[1]


def _say(answers: IO[bytes], what: object) -> None:
    pickle.dump(what, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _lean(found: Found) -> Found:
    """What was found without what the other has, or does not use: to ask for that is an error."""
    lean = replace(found)
    for name in (*UNUSED, "stages"):
        object.__delattr__(lean, name)
    return lean


def _worth_it(record: Path | str) -> bool:
    if _processors() < 2:
        return False
    with Reading.open(record) as reading:
        return reading.trial_count() > MANY


def _started(record: Path | str) -> tuple[subprocess.Popen[bytes], IO[bytes]] | None:
    """The process and what it says, or None where there is no interpreter to start."""
    said, say = os.pipe()
    try:
        known = [each for each in sys.path if isinstance(each, str)]
        modules = os.pathsep.join(each or str(Path.cwd()) for each in known)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(record), str(say)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": modules},
            pass_fds=[say],
        )
    except (OSError, TypeError):  # TypeError: no interpreter is known
        os.close(said)
        return None
    finally:
        os.close(say)
    return process, os.fdopen(said, "rb")


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
