"""What sort of failure ended a job: read from its exception, or from how its process ended."""

from __future__ import annotations

import contextlib
import errno
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, get_args

from ablate.engines.job import Kind

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_LOOKING: Final = 0.2  # seconds between two looks at what the kernel has killed
_LASTING: Final = 10.0  # seconds in which the death of a process that it killed is noticed
_LACKING: Final = (  # what the machine refuses, whatever the job is
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
)
_WORDS: Final[tuple[tuple[str, Kind], ...]] = (  # PyTorch raises RuntimeError for all of these
    ("can't allocate memory", "out of memory"),  # DefaultCPUAllocator
    ("out of memory", "out of memory"),
    ("ALLOC_FAILED", "out of memory"),  # CUBLAS_STATUS_..., CUDNN_STATUS_...
    ("no kernel image is available", "environment"),
    ("driver version is insufficient", "environment"),
    ("no NVIDIA driver", "environment"),
    ("No CUDA GPUs are available", "environment"),
    ("busy or unavailable", "environment"),
    ("not compiled with CUDA", "environment"),
    ("PytorchStreamWriter failed writing", "environment"),  # the disk is full
    ("CUDA error", "crash"),  # an illegal access, a device-side assertion: the context is lost
)


def kind_of(error: BaseException) -> Kind:
    """The kind of an exception, or of the first of its causes that has one; else "error".

    An exception says so itself by an attribute `kind`; others are known by class, number or words.
    """
    at: BaseException | None = error
    while at is not None:
        if (kind := _own_kind(at)) != "error":
            return kind
        at = at.__cause__
    return "error"


def how_it_ended(code: int | None, killed_for_memory: str = "") -> tuple[str, Kind]:
    """Why a process ended before its job was done, in one line, and what kind that is.

    Args:
        code: Its exit code, less than 0 for the signal that ended it; None where nobody knows.
        killed_for_memory: The kernel's evidence that it ended a process for want of memory.
    """
    if code is None:
        return "the process is gone, and nobody knows how it ended", "lost"
    if code >= 0:
        return f"the process ended with exit code {code} before its job was done", "crash"
    if -code == signal.SIGKILL and killed_for_memory:
        return "the process was ended by SIGKILL: the machine is out of memory", "out of memory"
    hint = " (often: out of memory)" if -code == signal.SIGKILL else ""
    return f"the process was ended by {_name(-code)}{hint}", "crash"


class KernelKills:
    """Notices when the kernel ends processes for want of memory.

    Each is evidence for one death, and for a few seconds: a process that is killed by somebody
    later is not said to have died of that.

    Args:
        files: Where the kernel counts them; the first that does so is looked at.
        clock: Seconds.
    """

    def __init__(
        self,
        files: Sequence[Path] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        files = _counters() if files is None else files
        self._file = next((file for file in files if _killed(file) is not None), None)
        self._before = self._read()
        self._looked = -math.inf
        self._noticed = deque[tuple[float, str]]()  # when, and the evidence

    def look(self) -> None:
        """See whether there were some; to be asked often, since what is not seen has no time."""
        if self._clock() - self._looked >= _LOOKING:
            self._look()

    def take(self) -> str:
        """The evidence for a death that was just noticed, in one line; empty without any."""
        self._look()
        return self._noticed.popleft()[1] if self._noticed else ""

    def _look(self) -> None:
        self._looked = now = self._clock()
        count, before = self._read(), self._before
        self._before = count
        text = f"{self._file}: oom_kill rose from {before} to {count}"
        self._noticed += [(now, text)] * (count - before)
        while self._noticed and now - self._noticed[0][0] > _LASTING:
            self._noticed.popleft()

    def _read(self) -> int:
        return (_killed(self._file) if self._file else None) or 0


def _own_kind(error: BaseException) -> Kind:
    said = getattr(error, "kind", "")
    for kind in KINDS:
        if said == kind:
            return kind
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory"
    if isinstance(error, ImportError):
        return "environment"
    if isinstance(error, OSError):
        return _kind_of_number(error.errno)
    text = str(error)
    return next((kind for words, kind in _WORDS if words in text), "error")


def _kind_of_number(number: int | None) -> Kind:
    if number == errno.ENOMEM:
        return "out of memory"
    return "environment" if number in _LACKING else "error"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"


def _killed(file: Path) -> int | None:
    """What a file of the kernel says after `oom_kill`; None where it cannot be had."""
    try:
        lines = file.read_text().splitlines()
    except OSError:  # not on this system
        return None
    words = (line.split() for line in lines)
    return next((int(found[1]) for found in words if found[:1] == ["oom_kill"]), None)


def _counters() -> tuple[Path, ...]:
    """The kernel's files with a line `oom_kill N`: those of our control group, and the machine's.

    A group's counts its own processes, whoever ran out of memory; the machine's counts also those
    of other containers and users, and is the last resort.
    """
    files = list[Path]()
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, controllers, place = line.split(":", 2)
            if number == "0":
                files.append(Path(f"/sys/fs/cgroup{place}/memory.events"))
            elif "memory" in controllers.split(","):
                files.append(Path(f"/sys/fs/cgroup/memory{place}/memory.oom_control"))
    return (*files, Path("/proc/vmstat"))
