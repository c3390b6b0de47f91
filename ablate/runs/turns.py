"""Runs take turns where they time on one GPU: two at once would slow each other down."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO


def gpu_of(device: str) -> str:
    """What runs call the GPU that they time on: the first that is visible; empty for a CPU.

    Args:
        device: Of the run: cpu or cuda.
    """
    if device != "cuda":
        return ""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"


@contextlib.contextmanager
def turn(gpu: str, told: Callable[[str], None]) -> Iterator[None]:
    """Hold a GPU among the runs of this user; wait first where another one holds it.

    The kernel gives it back with the process, however that ends. Where no lock can be kept,
    nothing is held and nothing is waited for.

    Args:
        gpu: From `gpu_of`; empty holds nothing.
        told: Called with one line before it waits.
    """
    with contextlib.ExitStack() as stack:
        if gpu:
            with contextlib.suppress(OSError):
                file = stack.enter_context(_lock_of(gpu).open("a+"))
                _take(file, gpu, told)
        yield


def _lock_of(gpu: str) -> Path:
    """Its lock file, in a folder that nobody else can write to.

    Raises:
        OSError: There can be none.
    """
    here = os.environ.get("XDG_RUNTIME_DIR", "")
    own = Path(here or tempfile.gettempdir()) / f"ablate-{os.getuid()}"
    own.mkdir(mode=0o700, exist_ok=True)
    if own.stat().st_uid != os.getuid():
        raise PermissionError(f"{own} belongs to another user")
    name = "".join(c if c.isalnum() or c == "-" else "_" for c in gpu)
    return own / f"timing-{name}.lock"


def _take(file: IO[str], gpu: str, told: Callable[[str], None]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another run"
        told(f"{holder} times on GPU {gpu}; this run waits until that is done")
        fcntl.flock(file, fcntl.LOCK_EX)
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()
