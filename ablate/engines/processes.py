"""The processes that jobs run in, as the run sees them: started, ended, and how they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ablate.engines.worker import SHOW

OwnProcess = subprocess.Popen[bytes]


class Process(Protocol):
    """One worker."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...

    def show(self) -> None:
        """Have it write where it is in its code, if it still can."""
        ...

    def end(self, patience: float = 0.0) -> int | None:
        """See it ended, and all that it started with it.

        Args:
            patience: Seconds in which it may end by itself.

        Returns:
            Its exit code, less than 0 for a signal; None where nobody knows.
        """
        ...


class FreshProcess:
    """A new interpreter for one job.

    Args:
        pipe: The worker's end of its pipe.
        errors: The file for what it writes.
        environment: All variables of it.
    """

    def __init__(self, pipe: int, errors: int, environment: Mapping[str, str]) -> None:
        self._process = start("ablate.engines.worker", pipe, errors, environment)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def show(self) -> None:
        """Have it write where it is: see `Process`."""
        if not self.over:
            os.kill(self._process.pid, SHOW)

    def end(self, patience: float = 0.0) -> int | None:
        """See it ended: see `Process`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        kill_group(self._process.pid)
        return self._process.wait()


def start(
    module: str, file: int, errors: int, environment: Mapping[str, str], *more: str
) -> OwnProcess:
    """Start an interpreter on a module of ours, in a group of its own.

    Args:
        module: Run with the number of a file, of this process, and `more` as its arguments.
        file: What it inherits.
        errors: The file for what it writes.
        environment: All variables of it.
        more: Further arguments.
    """
    command = [
        sys.executable,
        "-P",  # a folder named blocks where the user stands is not ours
        "-m",
        module,
        str(file),
        str(os.getpid()),
        *more,
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=errors,
        stderr=errors,
        env=environment,
        pass_fds=[file],
        process_group=0,
    )


def kill_group(process: int) -> None:
    """End a process of ours and all that it started."""
    with contextlib.suppress(OSError):
        os.killpg(process, signal.SIGKILL)


def search_path() -> str:
    """Where this process finds its modules, so that others find the same."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
