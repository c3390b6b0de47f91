"""What sort of failure ended a job: read from its exception, or from how its process ended."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Final, get_args

from ablate.engines.job import Kind

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

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
    """Notices when the kernel has ended processes for want of memory.

    Args:
        files: Where it counts them: the machine's, and those of our control group.
    """

    def __init__(self, files: tuple[Path, ...] | None = None) -> None:
        self._files = _counters() if files is None else files
        self._before = self._read()

    def new(self) -> str:
        """The evidence that there were some since the last call, in one line; empty without."""
        now, before = self._read(), self._before
        self._before = now
        risen = [file for file in now if now[file] > before.get(file, now[file])]
        return "; ".join(
            f"{file}: oom_kill rose from {before[file]} to {now[file]}" for file in risen
        )

    def _read(self) -> dict[Path, int]:
        counted = {}
        for file in self._files:
            try:
                lines = file.read_text().splitlines()
            except OSError:  # not on this system
                continue
            for line in lines:
                match line.split():
                    case ["oom_kill", count]:
                        counted[file] = int(count)
        return counted


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


def _counters() -> tuple[Path, ...]:
    """The kernel's files with a line `oom_kill N`: the machine's, and those above us."""
    files = [Path("/proc/vmstat")]
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return tuple(files)
    for line in groups:
        number, controllers, place = line.split(":", 2)
        if number == "0":
            files.append(Path(f"/sys/fs/cgroup{place}/memory.events"))
        elif "memory" in controllers.split(","):
            files.append(Path(f"/sys/fs/cgroup/memory{place}/memory.oom_control"))
    return tuple(files)
