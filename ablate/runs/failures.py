"""What to do about a trial that failed: try again, and with what changed, or leave it at that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ablate.engines.job import Failed, Kind
from ablate.folder import RunError

ALIKE: Final = 3  # different trials that fail for one reason: the next would fail too
HALVINGS: Final = 2  # of the micro-batch of a trial that ran out of memory
_GONE: Final = ("lost", "crash")  # nothing says that the trial itself is at fault


class StudyStopped(RunError):
    """A study that was stopped because its trials fail; the message says why and how to go on."""


@dataclass(frozen=True)
class Again:
    """Another attempt at a failed trial.

    Args:
        micro: Images that pass the network at a time; 0 for whole batches.
        words: What is different this time; empty where nothing is.
    """

    micro: int = 0
    words: str = ""


def again(kinds: Sequence[Kind], batch: int, micro: int = 0) -> Again | None:
    """The next attempt at a trial, if there is to be one.

    Out of memory: with half as many images at a time, twice at most. Lost or crashed: once more,
    as it was. Anything else would only fail again.

    Args:
        kinds: How its attempts failed, the last one last; at least one.
        batch: Images in a step of its training.
        micro: Images that passed the network at a time in the last attempt; 0 for all of them.
    """
    if kinds[-1] == "out of memory":
        images = micro or batch
        if kinds.count("out of memory") > HALVINGS or images < 2:
            return None
        half = -(-images // 2)
        return Again(half, f"with {half} of its {batch} images at a time")
    if kinds[-1] in _GONE and sum(kind in _GONE for kind in kinds) == 1:
        return Again(micro)
    return None


class Failures:
    """The failed trials of a run, counted so that a study of which nothing can come is stopped.

    Attributes:
        seconds: That all failed attempts at trials took.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, list[Kind]] = {}
        self.seconds = 0.0
        self._alike: dict[tuple[Kind, str], set[str]] = {}

    def again(self, failed: Failed, batch: int, micro: int = 0) -> Again | None:
        """Whether to try the job of a failure again, and how; it is known by the job's name."""
        kinds = self._kinds.setdefault(failed.job.name, [])
        kinds.append(failed.kind)
        self.seconds += failed.seconds
        return again(kinds, batch, micro)

    def attempts(self, name: str) -> int:
        """How many attempts at a job have failed."""
        return len(self._kinds.get(name, ()))

    def stop(self, failed: Failed) -> StudyStopped | None:
        """Take a failure for good into account: the error that ends the study, if it is to end.

        It does where the machine lacks something that every trial needs, and after three different
        trials failed alike: for the same kind of reason in the same words, numbers aside.
        """
        alike = self._alike.setdefault((failed.kind, _gist(failed.reason)), set())
        alike.add(failed.job.name)
        if failed.kind == "environment":
            return StudyStopped(f"a trial cannot run on this machine: {_told(failed)}")
        if len(alike) >= ALIKE:
            return StudyStopped(f"{len(alike)} different trials failed alike: {_told(failed)}")
        return None


def _told(failed: Failed) -> str:
    return (
        f"{failed.kind}: {failed.reason}; the study stops, its finished trials are kept; when that "
        "is mended, the same command goes on"
    )


def _gist(reason: str) -> str:
    """A reason without what differs from trial to trial: keys, addresses, numbers."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{16}\b|\d+(\.\d+)?", "#", reason)
