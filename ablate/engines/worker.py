"""The process that does one job: a fresh one, or a fork of one that has loaded our modules."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import json
import os
import pickle
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from ablate.engines.job import Done, Failed, Interrupted, Job, Reporter, Stopped
from ablate.engines.kinds import kind_of

EVIDENCE = 2000  # characters kept of what a failed job wrote
SHOW = signal.SIGUSR1  # has a worker write where it is in its code
_PR_SET_PDEATHSIG = 1


def perform(job: Job, report: Reporter, *, prepared: bool = False) -> Done | Failed | Interrupted:
    """Do a job in this process, with its threads and plug-ins; what it raises becomes an event.

    Every engine does its jobs through this function. What is raised and no Exception, such as
    SystemExit, is passed on: it ends the process.

    Args:
        job: What to do.
        report: Sends a message; raises `Stopped` where the run wants its jobs to end.
        prepared: Installed plug-ins are loaded already.
    """
    try:
        _prepare(job, prepared)
        return Done(job, job.call(report))
    except Stopped:
        return Interrupted(job)
    except Exception as error:  # a failed job is a result: the run goes on without it
        traceback.print_exc()
        text = " ".join(str(error).split())
        evidence = traceback.format_exc()[-EVIDENCE:]
        return Failed(job, f"{type(error).__name__}: {text}", evidence, kind_of(error))


def _prepare(job: Job, prepared: bool) -> None:
    from ablate.plugins import load_files, load_plugins

    load = load_files if prepared else load_plugins
    load(job.plugins)
    torch = sys.modules.get("torch")
    if torch is not None:  # else it reads the variables that we were started with
        torch.set_num_threads(job.threads)


def serve(pipe: Connection, *, prepared: bool = False) -> None:
    """Receive a job through a pipe, do it, and send what came of it.

    Received are all its variables, as JSON, and the job, pickled; afterwards anything that comes
    means that the job should end. Sent are pairs of what it is (begun, message, done, failed or
    interrupted) and what comes with it.
    """
    environment = json.loads(pipe.recv_bytes())
    os.environ.clear()
    os.environ.update(environment)
    with contextlib.suppress(ConnectionError):  # nobody wants to know any more
        try:
            job = pickle.loads(pipe.recv_bytes())
        except Exception as error:  # of a class that cannot be had here
            traceback.print_exc()
            reason = f"the job cannot be read: {type(error).__name__}: {error}"
            pipe.send(("failed", (reason, kind_of(error))))
            return
        pipe.send(("begun", None))
        _do(job, pipe, prepared)


def _do(job: Job, pipe: Connection, prepared: bool) -> None:
    """Do a job, and send what it reports and what came of it."""

    def report(message: object) -> None:
        try:
            pipe.send(("message", message))
        except ConnectionError:  # nobody wants to know any more
            os._exit(1)
        if pipe.poll():
            raise Stopped

    event = Interrupted(job) if pipe.poll() else perform(job, report, prepared=prepared)
    _send(pipe, event)


def _send(pipe: Connection, event: Done | Failed | Interrupted) -> None:
    if isinstance(event, Interrupted):
        pipe.send(("interrupted", None))
    elif isinstance(event, Failed):
        pipe.send(("failed", (event.reason, event.kind)))
    else:
        try:
            pipe.send(("done", event.result))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            reason = f"the result cannot be sent: {' '.join(str(error).split())}"
            pipe.send(("failed", (reason, "error")))


def settle_down(parent: int) -> None:
    """Make this process one that hurts nobody, ends with its parent and says how it crashed."""
    deaf()
    die_with(parent, signal.SIGKILL)
    with contextlib.suppress(OSError):  # where memory runs out, we go and not the run
        Path("/proc/self/oom_score_adj").write_text("500")
    faulthandler.enable()
    faulthandler.register(SHOW)


def deaf() -> None:
    """Hear nothing of signals that ask for an end: the run is asked too, and decides.

    A terminal sends SIGINT, a batch system or a service manager SIGTERM to all processes of a run.
    Whoever is to end is told through its pipe, so that it can keep its state, or killed.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def die_with(parent: int, number: int) -> None:
    """No worker outlives a killed run: Linux signals it, elsewhere a broken pipe a step later."""
    if sys.platform == "linux":
        _system().prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)


@functools.cache
def _system() -> ctypes.CDLL:
    """The C library, found once: workers are forked from a process that has it."""
    return ctypes.CDLL(None)


def main() -> None:
    """Do the job that comes through the inherited pipe."""
    settle_down(int(sys.argv[2]))
    with Connection(int(sys.argv[1])) as pipe:
        serve(pipe)


if __name__ == "__main__":
    main()
