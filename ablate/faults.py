"""Numbered points at which a test can end, break or fill up a run, to see that nothing is lost.

Outside such a test a point looks up one name in the environment and does nothing. In a test,
`ABLATE_FAULT_FOLDER` is a folder in which every passing of every point is counted over all
processes of the run, and `ABLATE_FAULT` says what happens where and when: "kill run.settled 2"
ends the process that passes run.settled as the second of all with SIGKILL. The other deeds raise
an error of ours or that of a full disk, send SIGINT, or pause the process with SIGSTOP.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path
from typing import Literal, get_args

FAULT = "ABLATE_FAULT"
FOLDER = "ABLATE_FAULT_FOLDER"

Deed = Literal["kill", "raise", "disk-full", "interrupt", "pause"]
DEEDS: tuple[Deed, ...] = get_args(Deed)

POINTS = (
    # the process that holds the run
    "run.held",  # the folder is ours, nothing is read yet
    "run.data_kept",  # the images are there for the workers
    "record.drafted",  # a new record is whole, under its temporary name
    "record.created",  # it has its own
    "record.begun",  # a transaction is open, nothing is written yet
    "record.before_commit",  # all is written, nothing is kept yet
    "record.after_commit",  # it is kept
    "run.proposed",  # a batch of mixes is chosen
    "run.counted",  # its mixes are in the record with what can be counted
    "run.heard",  # a trial's end has come in and is not in the record yet
    "run.settled",  # it is
    "run.trained",  # nothing is left to train
    "run.timed",  # nothing is left to time
    "run.reported",  # the report is written
    "status.drafted",  # status.json is whole, under its temporary name
    # the process of one trial
    "trial.began",  # it has its images and an untrained network
    "state.drafted",  # the state of a training is whole, under its temporary name
    "state.kept",  # it has its own
    "trial.trained",  # the last step is done, nothing is scored
    "weights.drafted",  # the trained weights are whole, under their temporary name
    "weights.kept",  # they have their own
    "trial.done",  # the result is made and not sent yet
)


class Broken(RuntimeError):
    """What a point raises where a test asked for that."""


def fault(point: str) -> None:
    """Pass a point.

    Args:
        point: One of `POINTS`.

    Raises:
        Broken: A test asked for it.
        OSError: A test asked for a full disk.
    """
    if folder := os.environ.get(FOLDER):
        _pass(point, Path(folder))


def armed(deed: Deed, point: str, passing: int) -> str:
    """The value of `ABLATE_FAULT` that has a deed done at the n-th passing of a point.

    Raises:
        ValueError: There is no such point or deed, or no such passing.
    """
    if point not in POINTS:
        raise ValueError(f"no fault point is named '{point}' (points: {', '.join(POINTS)})")
    if deed not in DEEDS:
        raise ValueError(f"a fault is {', '.join(DEEDS)}; got '{deed}'")
    if passing < 1:
        raise ValueError(f"passings are counted from 1; got {passing}")
    return f"{deed} {point} {passing}"


def passings(folder: Path) -> dict[str, int]:
    """How often each point was passed, of those that were."""
    return {point: _size(folder / point) for point in POINTS if (folder / point).exists()}


def _pass(point: str, folder: Path) -> None:
    if point not in POINTS:
        raise ValueError(f"no fault point is named '{point}'")
    number = _count(folder / point)
    deed, where, when = (os.environ.get(FAULT) or "none none 0").split()
    if where == point and int(when) == number:
        _do(deed, point)


def _count(path: Path) -> int:
    """Which passing this is, over all processes: one byte each, in the order of a lock."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b".")
        file.flush()
        return file.tell()


def _size(path: Path) -> int:
    return path.stat().st_size


def _do(deed: str, point: str) -> None:
    signals = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "pause": signal.SIGSTOP}
    if deed in signals:
        os.kill(os.getpid(), signals[deed])
    elif deed == "disk-full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    else:
        raise Broken(f"a test asked for a fault at {point}")
