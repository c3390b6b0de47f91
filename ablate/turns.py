"""What is timed has its GPU alone among all runs of a user: trainings and other timings wait.

A GPU has two lock files. Its user holds the second, *work*: a timing alone, trainings together.
Whoever wants it passes the first, *door*, and a timing that waits holds the door, so that new
trainings queue behind it and it waits only for those at work.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, Literal

from ablate.profiling.nvml import identity_of

Use = Literal["timing", "training"]
PLACES: Final = (Path("/dev/shm"), Path("/tmp"))  # the same for a login and for a batch job
KINDS: Final = ("door", "work")
TICK: Final = 0.1  # seconds between two tries
AGAIN: Final = 1.0  # seconds after which whoever waits says so once more


def gpu_of(device: str) -> str:
    """Which GPU a process works on: the first that is visible; empty for a CPU.

    Args:
        device: Of the run: cpu or cuda.
    """
    if device != "cuda":
        return ""
    name = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    return identity_of(name)


@contextlib.contextmanager
def turn(gpu: str, told: Callable[[str], None], use: Use = "timing") -> Iterator[None]:
    """Hold a GPU among the runs of this user; wait first where another one holds it.

    The kernel gives it back with the process, however that ends. Where no lock can be kept,
    nothing is held and nothing is waited for.

    Args:
        gpu: From `gpu_of`; empty holds nothing.
        told: Called with one line before it waits, and again each second while it does; what it
            raises ends the waiting.
        use: Timings have it alone, trainings share it.
    """
    with contextlib.ExitStack() as stack:
        if gpu and (files := _files(gpu, stack)):
            with contextlib.suppress(OSError):  # locks that do not work here
                _take(*files, use, lambda has: told(_words(has, gpu, use)))
        yield


def _files(gpu: str, stack: contextlib.ExitStack) -> tuple[IO[str], IO[str]] | None:
    """The two lock files of a GPU, open; none where there can be none."""
    try:
        door, work = (stack.enter_context(_lock_of(gpu, name).open("a+")) for name in KINDS)
    except OSError:
        return None
    return door, work


def _lock_of(gpu: str, kind: str) -> Path:
    """A lock file.

    Raises:
        OSError: There can be none.
    """
    name = "".join(c if c.isalnum() or c == "-" else "_" for c in gpu)
    return _folder() / f"gpu-{name}.{kind}.lock"


def _folder() -> Path:
    """A folder that nobody else can write to, the same one whatever the environment says.

    Raises:
        OSError: There is none.
    """
    for place in PLACES:
        own = place / f"ablate-{os.getuid()}"
        with contextlib.suppress(OSError):
            own.mkdir(mode=0o700, exist_ok=True)
            facts = own.lstat()
            shared = facts.st_uid != os.getuid() or facts.st_mode & 0o022
            if stat.S_ISDIR(facts.st_mode) and not shared:
                return own
    raise FileNotFoundError(f"no folder of our own in {' or '.join(map(str, PLACES))}")


def _take(door: IO[str], work: IO[str], use: Use, waiting: Callable[[str], None]) -> None:
    """Pass the door and take the GPU."""
    kind = fcntl.LOCK_EX if use == "timing" else fcntl.LOCK_SH
    for file in (door, work):
        _wait(file, kind, waiting)
        if use == "timing":
            with contextlib.suppress(OSError):  # a full disk takes a lock, but not who has it
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), f"process {os.getpid()}".encode())
    fcntl.flock(door, fcntl.LOCK_UN)


def _wait(file: IO[str], kind: int, waiting: Callable[[str], None]) -> None:
    said = -AGAIN
    while True:
        try:
            return fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() - said >= AGAIN:
                said = time.monotonic()
                waiting(_holder(file))
            time.sleep(TICK)


def _holder(file: IO[str]) -> str:
    """What has the GPU, or is about to, as far as can be known."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        return f"{file.read().strip() or 'another run'} times"
    fcntl.flock(file, fcntl.LOCK_UN)  # trainings share it
    return "trials train"


def _words(holder: str, gpu: str, use: Use) -> str:
    return f"{holder} on GPU {gpu}; this {use} waits until that is done"
