"""Runs jobs on this machine, several at a time, each in a fresh process of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO

from ablate.engines.job import PARENT_ON_CUDA, Done, Event, Failed, Job, Message

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

    def evidence(self) -> str:
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - _EVIDENCE))
        return self.errors.read().decode(errors="replace")


def run_jobs(jobs: Iterable[Job], workers: int) -> Iterator[Event]:
    """Run jobs in their order, at most `workers` at a time, and yield what happens as it happens.

    A job that raises, crashes or is killed is a `Failed` event; the others go on. Leaving the
    iterator (an exception, Ctrl-C, `close()`) ends every worker.
    """
    waiting = deque(jobs)
    running: dict[Connection, _Worker] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = _start(waiting.popleft())
                running[worker.pipe] = worker
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                event = _hear(running[pipe])
                if not isinstance(event, Message):
                    running.pop(pipe).close()
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
    return Failed(worker.job, str(content), worker.evidence())


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit code {code} before its job was done"
    name = signal.Signals(-code).name
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"the process was ended by {name}{hint}"
