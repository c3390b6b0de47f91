"""The folder of a run: where record, weights, data and report lie, and who holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ablate.mix import Choice, digest
from reports.record import Record

_IN_THE_WAY = (FileExistsError, NotADirectoryError)


class RunError(ValueError):
    """A run that cannot be started, continued or read; the message says why and what to do."""


@dataclass(frozen=True)
class RunFolder:
    """Paths inside the folder of one run."""

    path: Path

    @property
    def record(self) -> Path:
        """The record: everything that was measured."""
        return self.path / "record.sqlite"

    def data(self, choice: Choice) -> Path:
        """A data set as arrays, for the workers; made again when it is missing."""
        return self.path / f"data-{digest(choice)}.npy"

    def checkpoint(self, trial: str) -> Path:
        """The trained weights of one trial."""
        return self.path / "checkpoints" / f"{trial}.pt"

    @property
    def report(self) -> Path:
        """The page that people open."""
        return self.path / "report.html"

    def open(self, *, writable: bool = False) -> Record:
        """The record of this run.

        Raises:
            RunError: There is none here.
            RecordError: What is here is not a record.
        """
        if not self.record.exists():
            raise RunError(f"{self.path}: no run is here (no record.sqlite); start one: ablate run")
        return Record.open(self.record, writable=writable)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder ours: a second runner is told who holds it. Free when its owner dies.

        Raises:
            RunError: Another process runs this study right now, or the folder cannot be written.
        """
        with self._lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise RunError(f"{self.path}: process {owner} is running this study now") from None
            lock.seek(0)
            lock.truncate()
            lock.write(str(os.getpid()))
            lock.flush()
            self._sweep()
            yield

    def _lock(self) -> IO[str]:
        """The file that a runner holds while it runs, in a folder that is made for it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / ".lock").open("a+")
        except OSError as error:
            reason = "a file is in the way" if isinstance(error, _IN_THE_WAY) else error.strerror
            raise RunError(
                f"{self.path}: a run cannot be kept here ({reason}); "
                "name a folder that can be written: ablate run ... --out FOLDER"
            ) from error

    def _sweep(self) -> None:
        """What killed writers left behind."""
        for left in ("*.partial", "checkpoints/*.partial", ".data-*.tmp"):
            for file in self.path.glob(left):
                file.unlink(missing_ok=True)
