"""A piece of work for another process, and what comes back from it.

What comes back is an event: `Message`s while it works, then `Done`, `Failed` (with its kind and the
evidence for it) or, where the run wanted its jobs to end, `Interrupted`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Reporter = Callable[[object], None]

Kind = Literal[
    "build",
    "data",
    "environment",
    "diverged",
    "out of memory",
    "timeout",
    "crash",
    "lost",
    "error",
]
"""What sort of failure it is: it decides whether to try again, and with what changed.

build: the network cannot be built. data: the images cannot be used. environment: the machine lacks
something (a module, room on the disk, a right, a kernel for its GPU). diverged: numbers were not
finite. out of memory: of the device or of the machine. timeout: it took longer than its limit.
crash: the process was ended by a signal or by itself. lost: it is gone and nobody knows how.
error: any other exception.
"""

PARENT_ON_CUDA = "ABLATE_PARENT_ON_CUDA"
"""Set in the environment of a job where the process that started it has a CUDA device open."""


class Stopped(Exception):
    """The run wants its jobs to end: raised in the worker by report(message).

    A job may save its state first and raise it again; the event is then `Interrupted`.
    """


@dataclass(frozen=True)
class Waits:
    """Reported by a job that waits its turn: its time limit rests until it reports again.

    Args:
        words: What it waits for, in one line.
    """

    words: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A function of ours, by module and name, with what it is called on.

    Args:
        name: Unique among the jobs of a run.
        function: "module:function"; called as function(payload, report), where report(message)
            sends a picklable message while it works, and raises `Stopped` where it should end.
        payload: Picklable.
        threads: CPU threads that the job may use.
        plugins: Files to load first, so that their blocks are known.
        seconds: Wall-clock limit from when it begins, after which it is killed; 0 for none.
        fresh: In a new interpreter, never in a fork of one that has loaded our modules already:
            what is timed, or whose memory is measured, must not inherit a memory layout.
        devices: CUDA_VISIBLE_DEVICES of the job; empty to leave it as it is.
        memory: Bytes of device memory that it is expected to take; 0 where that is not known.
        alone: No other job may use its device meanwhile: for whatever is timed.
    """

    name: str
    function: str
    payload: object
    threads: int = 1
    plugins: tuple[str, ...] = ()
    seconds: float = 0.0
    fresh: bool = False
    devices: str = ""
    memory: int = 0
    alone: bool = False

    def call(self, report: Reporter) -> object:
        """Do the work in this process."""
        module, _, function = self.function.partition(":")
        work: Callable[[Any, Reporter], object] = getattr(importlib.import_module(module), function)
        return work(self.payload, report)


@dataclass(frozen=True)
class Message:
    """Something that a job reported while it worked."""

    job: Job
    content: object


@dataclass(frozen=True)
class Done:
    """A job that came to its end, and its result."""

    job: Job
    result: object


@dataclass(frozen=True)
class Failed:
    """A job that did not.

    Args:
        job: Which.
        reason: Why, in one line.
        evidence: The end of what it wrote to stderr.
        kind: What sort of failure it is.
        seconds: That it had worked.
    """

    job: Job
    reason: str
    evidence: str
    kind: Kind = "error"
    seconds: float = 0.0


@dataclass(frozen=True)
class Interrupted:
    """A job that ended before its time because the run wanted it to."""

    job: Job


Event = Message | Done | Failed | Interrupted


def never() -> bool:
    """The usual answer to whether jobs should end."""
    return False
