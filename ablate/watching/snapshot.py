"""A run as it is at one moment: what it says of itself, what is recorded, and whether it lives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ablate.folder import Owner, RunError, RunFolder
from ablate.watching.standing import Standing, standing
from ablate.watching.status import Status, read_status

State = Literal["starting", "running", "finished", "interrupted", "failed", "died", "idle"]

MEANING: dict[State, str] = {
    "starting": "starting",
    "running": "running",
    "finished": "finished",
    "interrupted": "interrupted; the same command goes on from here",
    "failed": "ended by an error; the same command goes on from here",
    "died": "died without a word; the same command goes on from here",
    "idle": "nobody runs it now",
}
OVER: tuple[State, ...] = ("finished", "interrupted", "failed", "died", "idle")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A run at one moment.

    Args:
        folder: Where it lies.
        state: Whether it is going on, and if not how it ended.
        standing: What its record says; None before there is one.
        status: What its process last said; None of runs that said nothing.
        age: Seconds since then.
        seconds_left: Forecast of the training that is left; None where nothing is known.
    """

    folder: str
    state: State
    standing: Standing | None
    status: Status | None
    age: float
    seconds_left: float | None


class Watcher:
    """Looks at a run again and again, and reads its record only where it has changed.

    It opens everything for reading only, and takes the run's lock for no longer than it takes to
    ask whether somebody holds it.

    Args:
        folder: Of the run.
        clock: Seconds since 1970.

    Raises:
        RunError: No run is there, nor one that is starting.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder, self._clock = RunFolder(folder), clock
        self._mark: tuple[object, ...] = ()
        self._standing: Standing | None = None
        if not self.folder.record.exists() and self.folder.owner() is None:
            raise RunError(f"{folder}: no run is here (no record.sqlite); start one: ablate run")

    def look(self) -> Snapshot:
        """The run as it is now.

        Raises:
            RecordError: Its record cannot be read.
        """
        owner = self.folder.owner()
        status = read_status(self.folder.path)  # after the owner: who is gone has had its last word
        held = owner is not None
        self._read()
        age = max(0.0, self._clock() - status.updated) if status else 0.0  # clocks are set back
        left = status.seconds_left if status and held else None
        return Snapshot(
            folder=str(self.folder.path),
            state=_state(owner, status),
            standing=self._standing,
            status=status,
            age=age,
            seconds_left=None if left is None else max(0.0, left - age),
        )

    def _read(self) -> None:
        mark = _mark(self.folder.record)
        if mark and mark != self._mark:
            with self.folder.open() as record:
                self._standing = standing(record)
            self._mark = mark


def _state(owner: Owner | None, status: Status | None) -> State:
    if status is None:
        return "idle" if owner is None else "starting"
    if owner and owner.pid != status.pid:  # what is there to read is of the process before it
        return "starting"
    if status.state == "running":
        return "running" if owner else "died"
    return "finished" if status.state == "done" else status.state


def _mark(record: Path) -> tuple[object, ...]:
    """What changes whenever something is written: sizes and times of the record and its log."""
    marks: list[object] = []
    for path in (record, record.with_name(f"{record.name}-wal")):
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_size:  # whoever reads makes an empty log
            marks += [path.name, found.st_size, found.st_mtime_ns]
    return tuple(marks)
