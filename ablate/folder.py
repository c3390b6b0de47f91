"""The folder of a run: where record, weights, data and report lie, and who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from ablate.mix import Choice, digest
from reports.record import Record

_IN_THE_WAY = (FileExistsError, NotADirectoryError)
_TRIES: Final = 5  # at a lock: whoever only looks who holds it has it for a moment
_PAUSE: Final = 0.05  # seconds between them
_LEFT: Final = (  # what killed writers leave behind
    "*.partial",
    "checkpoints/*.partial",
    "states/*.partial",
    "figures/*.partial",
    ".data-*.tmp",
    "record.sqlite.new*",
)


class RunError(ValueError):
    """A run that cannot be started, continued or read; the message says why and what to do."""


@dataclass(frozen=True)
class Owner:
    """The process that runs a study.

    Args:
        pid: Its number.
        host: The machine that it runs on.
        since: When it began, in UTC.
    """

    pid: int
    host: str
    since: str

    @property
    def words(self) -> str:
        """As people are told."""
        return f"process {self.pid} on {self.host} has been running this study since {self.since}"


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
        """The trained weights of one trial.

        Raises:
            RunError: This is no key of a trial; it could lead out of the folder.
        """
        return self.path / "checkpoints" / f"{self._key(trial)}.pt"

    def state(self, trial: str) -> Path:
        """The state of a trial that was begun and is not done.

        Raises:
            RunError: This is no key of a trial; it could lead out of the folder.
        """
        return self.path / "states" / f"{self._key(trial)}.pt"

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

    def owner(self) -> Owner | None:
        """Who runs this study right now; None where nobody does."""
        try:
            lock = (self.path / ".lock").open()
        except OSError:
            return None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _owner(lock)
        return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder ours: a second runner is told who holds it. Free when its owner dies.

        Raises:
            RunError: Another process runs this study right now, the folder cannot be written, or
                its record is a link to another place.
        """
        with self._lock() as lock:
            self._take(lock)
            if self.record.is_symlink():
                raise RunError(
                    f"{self.record}: is a link to {self.record.readlink()}; a record lies in the "
                    "folder of its run, or two runs could write it: move it here"
                )
            own = Owner(os.getpid(), socket.gethostname(), f"{datetime.now(UTC):%F %H:%M} UTC")
            lock.seek(0)
            lock.truncate()
            lock.write(json.dumps(asdict(own)))
            lock.flush()
            self._sweep()
            yield

    def _take(self, lock: IO[str]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if left:
                    time.sleep(_PAUSE)
        raise RunError(
            f"{self.path}: {_owner(lock).words}; wait for it, or look on: ablate watch {self.path}"
        )

    def _lock(self) -> IO[str]:
        """The file that a runner holds while it runs, in a folder that is made for it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / ".lock").open("a+")
        except OSError as error:
            reason = "a file is in the way" if isinstance(error, _IN_THE_WAY) else error.strerror
            if self.path.is_symlink() and not self.path.exists():
                reason = f"it is a link to {self.path.readlink()}, which is not there"
            raise RunError(
                f"{self.path}: a run cannot be kept here ({reason}); "
                "name a folder that can be written: ablate run ... --out FOLDER"
            ) from error

    def _sweep(self) -> None:
        """What killed writers left behind."""
        for left in _LEFT:
            for file in self.path.glob(left):
                file.unlink(missing_ok=True)

    def _key(self, trial: str) -> str:
        if not re.fullmatch(r"[\w@-]+", trial):
            raise RunError(f"{self.path}: a trial's key is letters and digits; got '{trial}'")
        return trial


def _owner(lock: IO[str]) -> Owner:
    """What a lock says of who holds it; it may be about to be written."""
    lock.seek(0)
    try:
        return Owner(**json.loads(lock.read()))
    except (ValueError, TypeError):
        return Owner(0, "an unknown machine", "a moment ago")
