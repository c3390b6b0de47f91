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

# One place for all processes that see the same /tmp: a batch system may give each job its own.
# At a user's last logout systemd may empty /dev/shm of what is his while his run goes on.
PLACES: Final = (Path("/tmp"), Path("/dev/shm"))
KINDS: Final = ("door", "work")
TICK: Final = 0.1  # seconds between two tries
AGAIN: Final = 1.0  # seconds after which whoever waits says so once more
TRIES: Final = 10  # where lock files are removed meanwhile


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
        if gpu:
            with contextlib.suppress(OSError):  # locks that do not work here
                _hold(gpu, use, lambda has: told(_words(has, gpu, use)), stack)
        yield


def _hold(gpu: str, use: Use, waiting: Callable[[str], None], stack: contextlib.ExitStack) -> None:
    """Take a GPU; anew where its files were removed meanwhile, as others then lock new ones."""
    for _ in range(TRIES):
        with contextlib.ExitStack() as opened:
            files = _files(gpu, opened)
            if files is None:
                return
            _take(*files, use, waiting)
            if all(map(_is_there, files)):
                stack.enter_context(opened.pop_all())
                return


def _is_there(file: IO[str]) -> bool:
    """Whether others who open a file by its name come to this one."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), Path(file.name).stat())
    except FileNotFoundError:
        return False


def _files(gpu: str, stack: contextlib.ExitStack) -> tuple[IO[str], IO[str]] | None:
    """The two lock files of a GPU, open, in the first place that takes them; none without one."""
    name = "".join(c if c.isalnum() or c == "-" else "_" for c in gpu)
    for folder in _folders():
        paths = (folder / f"gpu-{name}.{kind}.lock" for kind in KINDS)
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):  # full, read-only
            door, work = (opened.enter_context(path.open("a+")) for path in paths)
            stack.enter_context(opened.pop_all())
            return door, work
    return None


def _folders() -> Iterator[Path]:
    """Folders that nobody else can write to, the same ones whatever the environment says."""
    for place in PLACES:
        own = place / f"ablate-{os.getuid()}"
        with contextlib.suppress(OSError):
            own.mkdir(mode=0o700, exist_ok=True)
            facts = own.lstat()
            shared = facts.st_uid != os.getuid() or facts.st_mode & 0o022
            if stat.S_ISDIR(facts.st_mode) and not shared:
                yield own


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
