"""A job that is being done in a process of its own, as the run sees it."""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import signal
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO

from ablate.engines.forking import ForkedProcess, last_words
from ablate.engines.job import Done, Event, Failed, Interrupted, Job, Kind, Message, Waits
from ablate.engines.kinds import KernelKills, how_it_ended
from ablate.engines.processes import Process
from ablate.engines.server import UNFORKED
from ablate.engines.starting import Starter, environment_of

_PATIENCE = 2.0  # seconds in which a process that closed its pipe ends by itself
_SHOWING = 0.5  # seconds that a process has to write where it is


class Begun:
    """A job has begun: from now on its time runs."""


@dataclass(eq=False)
class JobAtWork:
    """A job, where it is being done, and the ways to hear of it.

    Args:
        job: What is done.
        device: Where it was placed.
        process: The worker.
        pipe: Our end of the pipe to it.
        errors: What it writes.
        began: When it began, as time.monotonic() counts; infinity before.
        waits: Since when it waits its turn, which does not count; infinity while it works.
    """

    job: Job
    device: str
    process: Process
    pipe: Connection
    errors: IO[bytes]
    began: float = math.inf
    waits: float = math.inf

    @property
    def overdue(self) -> bool:
        """Whether it has taken longer than it may."""
        return self.seconds > (self.job.seconds or math.inf)

    @property
    def seconds(self) -> float:
        """How long it has worked."""
        return max(0.0, min(time.monotonic(), self.waits) - self.began)

    @property
    def unborn(self) -> bool:
        """Whether its process could not even begin, for want of a server."""
        return isinstance(self.process, ForkedProcess) and self.process.unborn

    def tell_to_stop(self) -> None:
        """Have `report` raise `Stopped` in it."""
        with contextlib.suppress(OSError):  # dead already: its pipe says so
            self.pipe.send("stop")

    def hear(self) -> Event | Begun | None:
        """What it says next; nothing where it has ended without another word."""
        try:
            if not self.pipe.poll():  # it is over, and something that it started holds its pipe
                return None
            what, content = self.pipe.recv()
            if what == "begun":
                self.began = time.monotonic()
                return Begun()
            self._rest(isinstance(content, Waits))
            return self._event(what, content)
        except (EOFError, OSError):  # it died, perhaps in the middle of a message
            return None
        except Exception as error:  # of a class that cannot be had here
            return self._failed(f"what the job sent cannot be read: {error}", "error")

    def _rest(self, waits: bool) -> None:
        """Stop its clock while it waits its turn, and set it going again."""
        now = time.monotonic()
        if waits:
            self.waits = min(self.waits, now)
        elif self.waits < math.inf:
            self.began, self.waits = self.began + now - self.waits, math.inf

    def died(self, kills: KernelKills) -> Failed:
        """How it ended without a word.

        Args:
            kills: Knows whether the kernel has ended processes.
        """
        code = self.process.end(_PATIENCE)
        if code == UNFORKED:
            reason = f"no process could be started for it: {last_words(self.errors).strip()}"
            return Failed(self.job, reason, "", "environment")
        evidence = kills.take() if code == -signal.SIGKILL else ""
        reason, kind = how_it_ended(code, evidence)
        if kind == "lost":
            evidence = self.servers_words()
        return self._failed(reason, kind, evidence if kind != "crash" else "")

    def servers_words(self) -> str:
        """The end of what the server wrote that its process is a fork of; empty without one."""
        return self.process.server.last_words() if isinstance(self.process, ForkedProcess) else ""

    def timed_out(self) -> Failed:
        """That it took too long, and where in its code it was."""
        before = last_words(self.errors)
        self.process.show()
        until = time.monotonic() + _SHOWING
        while last_words(self.errors) == before and time.monotonic() < until:
            time.sleep(0.01)
        return self._failed(f"not done after {self.job.seconds:g} s, its time limit", "timeout")

    def close(self) -> None:
        """End its process and all that it started."""
        self.process.end()
        self.pipe.close()
        self.errors.close()

    def _failed(self, reason: str, kind: Kind, more: str = "") -> Failed:
        evidence = "\n".join(filter(None, (last_words(self.errors), more)))
        return Failed(self.job, reason, evidence, kind, self.seconds)

    def _event(self, what: str, content: object) -> Event:
        if what == "message":
            return Message(self.job, content)
        if what == "done":
            return Done(self.job, content)
        if what == "interrupted":
            return Interrupted(self.job)
        assert isinstance(content, tuple)
        return self._failed(*content)


def put_to_work(job: Job, device: str, starter: Starter) -> JobAtWork:
    """Start a process for a job and send the job there.

    Args:
        job: What is to be done.
        device: Where, as CUDA_VISIBLE_DEVICES has it; empty to leave that as it is.
        starter: Starts the process.

    Raises:
        OSError: There can be no more processes or files.
    """
    environment = environment_of(job, device)
    sent = (json.dumps(environment).encode(), pickle.dumps(job))
    with contextlib.ExitStack() as opened:
        ours, theirs = map(opened.enter_context, Pipe())
        errors = opened.enter_context(tempfile.TemporaryFile())
        process = starter.start(job, environment, theirs.fileno(), errors.fileno())
        theirs.close()
        opened.pop_all()
    with contextlib.suppress(OSError):  # dead already: its pipe says so
        for part in sent:
            ours.send_bytes(part)
    return JobAtWork(job, device, process, ours, errors)
