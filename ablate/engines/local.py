"""Runs jobs on this machine, several at a time, each in a fresh process of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO

from ablate.engines.job import (
    PARENT_ON_CUDA,
    Done,
    Event,
    Failed,
    Interrupted,
    Job,
    Message,
    never,
)

GRACE = 30.0  # seconds that a job has to end after it was told to
_TICK = 0.2  # seconds between two looks at whether to stop
_EVIDENCE = 2000  # characters kept of what a failed worker wrote


@dataclass
class _Worker:
    job: Job
    process: subprocess.Popen[bytes]
    pipe: Connection
    errors: IO[bytes]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        self.errors.close()

    def tell_to_stop(self) -> None:
        with contextlib.suppress(OSError):  # dead already: `_hear` says so
            self.pipe.send("stop")

    def evidence(self) -> str:
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - _EVIDENCE))
        return self.errors.read().decode(errors="replace")


def run_jobs(
    jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never, grace: float = GRACE
) -> Iterator[Event]:
    """Run jobs in their order, at most `workers` at a time, and yield what happens as it happens.

    A job that raises, crashes or is killed is a `Failed` event; the others go on. Leaving the
    iterator (an exception, Ctrl-C, `close()`) ends every worker.

    Args:
        jobs: What to do.
        workers: Processes at a time.
        stop: Asked again and again; once it is true no new job starts, and the running ones are
            told: `report` raises `Stopped` in them.
        grace: Seconds that they then have, before they are killed.
    """
    waiting = deque(jobs)
    running: dict[Connection, _Worker] = {}
    deadline = 0.0
    try:
        while waiting or running:
            if not deadline and stop():
                deadline = time.monotonic() + grace
                waiting.clear()
                for worker in running.values():
                    worker.tell_to_stop()
            while waiting and len(running) < workers:
                worker = _start(waiting.popleft())
                running[worker.pipe] = worker
            if deadline and time.monotonic() > deadline:
                for pipe in list(running):
                    worker = running.pop(pipe)
                    worker.close()
                    yield Interrupted(worker.job)
            for heard in wait(list(running), None if stop is never else _TICK):
                assert isinstance(heard, Connection)
                event = _hear(running[heard])
                if not isinstance(event, Message):
                    running.pop(heard).close()
                yield event
    finally:
        for worker in running.values():
            worker.close()


def _start(job: Job) -> _Worker:
    ours, theirs = Pipe()
    errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
    command = [
        sys.executable,
        "-P",  # a folder named blocks where the user stands is not ours
        "-m",
        "ablate.engines.worker",
        str(theirs.fileno()),
        str(os.getpid()),
    ]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=errors,
        stderr=errors,
        env=_environment(job),
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    worker = _Worker(job, process, ours, errors)
    with contextlib.suppress(BrokenPipeError):  # dead already: `_hear` says so
        ours.send_bytes(pickle.dumps(job))
    return worker


def _environment(job: Job) -> dict[str, str]:
    """Ours, with the number of threads that the libraries read when they load, and what we hold."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(job.threads))
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)  # the same packages
    holds = {PARENT_ON_CUDA: "1" if _on_cuda() else ""}
    return {**os.environ, **threads, **holds, "PYTHONPATH": path}


def _on_cuda() -> bool:
    """Whether this process has opened a CUDA device; asking opens none."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def _hear(worker: _Worker) -> Event:
    try:
        kind, content = worker.pipe.recv()
    except (EOFError, OSError):  # it died, perhaps in the middle of a message
        return Failed(worker.job, _how_it_ended(worker.process.wait()), worker.evidence())
    if kind == "message":
        return Message(worker.job, content)
    if kind == "done":
        return Done(worker.job, content)
    if kind == "interrupted":
        return Interrupted(worker.job)
    return Failed(worker.job, str(content), worker.evidence())


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit code {code} before its job was done"
    name = signal.Signals(-code).name
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"the process was ended by {name}{hint}"


class LocalEngine:
    """Runs jobs on this machine, each in a process of its own.

    Args:
        grace: Seconds that a job has to end after it was told to.
    """

    def __init__(self, *, grace: float = GRACE) -> None:
        self.grace = grace

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        """Run jobs: see `run_jobs`."""
        return run_jobs(jobs, workers, stop=stop, grace=self.grace)

    def close(self) -> None:
        """Nothing is kept between calls."""
