"""The warm fork server as the run sees it: asked for workers, and told how they end."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from typing import IO

from ablate.engines.processes import kill_group, start
from ablate.engines.server import BEGUN, ENDED, FORK, KILL, READY, REPLY, REQUEST
from ablate.engines.worker import EVIDENCE, SHOW

_SURELY = 10.0  # seconds in which a killed process is gone


class Server:
    """A process that has loaded our modules, and forks itself for each job.

    Args:
        environment: All variables of it and of its workers.
        modules: What it loads.
    """

    def __init__(self, environment: Mapping[str, str], modules: Sequence[str]) -> None:
        self.ready = self.gone = False
        self.pids: dict[int, int] = {}
        self.codes: dict[int, int] = {}
        self._heard, self._asked = b"", 0
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as we
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = start(
                "ablate.engines.server",
                theirs.fileno(),
                self._errors.fileno(),
                environment,
                *modules,
            )

    def fileno(self) -> int:
        """Of the socket, to wait until there is something to hear."""
        return self._control.fileno()

    def fork(self, pipe: int, errors: int) -> ForkedProcess:
        """Ask for a worker; it begins when the server is ready.

        Args:
            pipe: The worker's end of its pipe.
            errors: The file for what it writes.
        """
        self._asked += 1
        try:
            socket.send_fds(self._control, [REQUEST.pack(FORK, self._asked)], [pipe, errors])
        except OSError:
            self._lose()
        return ForkedProcess(self, self._asked)

    def kill(self, number: int) -> None:
        """End a worker and all that it started."""
        if self.gone:
            if number in self.pids and number not in self.codes:
                kill_group(self.pids[number])
            return
        try:
            self._control.sendall(REQUEST.pack(KILL, number))
        except OSError:
            self._lose()

    def hear(self, seconds: float = 0.0) -> None:
        """Take in what the server has said, waiting for it at most so long."""
        if self.gone or not wait([self._control], max(0.0, seconds)):
            return
        try:
            said = self._control.recv(65536)
        except OSError:
            said = b""
        if not said:
            self._lose()
        self._heard += said
        while len(self._heard) >= REPLY.size:
            self._note(*REPLY.unpack_from(self._heard))
            self._heard = self._heard[REPLY.size :]

    def last_words(self) -> str:
        """The end of what it wrote."""
        return "" if self._errors.closed else last_words(self._errors)

    def close(self) -> None:
        """End it; its workers end with it."""
        self._control.close()
        if not self.ready:  # it would notice only when all is loaded
            self._process.kill()
        try:
            self._process.wait(_SURELY)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
        self.gone = True

    def _note(self, what: bytes, number: int, value: int) -> None:
        if what == READY:
            self.ready = True
        elif what == BEGUN:
            self.pids[number] = value
        elif what == ENDED:
            self.codes[number] = value

    def _lose(self) -> None:
        """It is gone: the kernel ends its workers, and we end what these started."""
        self.gone = True
        self._process.kill()
        self._process.wait()
        for number in self.pids:
            self.kill(number)


class ForkedProcess:
    """A fork of a server, for one job: see `Process`."""

    def __init__(self, server: Server, number: int) -> None:
        self.server, self._number = server, number

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._number in self.server.codes or self.server.gone

    @property
    def unborn(self) -> bool:
        """Whether its server ended before it could fork anything."""
        return self.server.gone and not self.server.ready

    def show(self) -> None:
        """Have it write where it is: see `Process`."""
        if not self.over and (pid := self.server.pids.get(self._number)):
            with contextlib.suppress(OSError):
                os.kill(pid, SHOW)

    def end(self, patience: float = 0.0) -> int | None:
        """See it ended: see `Process`."""
        self._wait(patience)
        if not self.over:
            self.server.kill(self._number)
            if self.server.ready:  # else it is killed as soon as it is there
                self._wait(_SURELY)
        self.server.pids.pop(self._number, None)
        return self.server.codes.get(self._number)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.over and (left := until - time.monotonic()) > 0:
            self.server.hear(left)


def last_words(errors: IO[bytes]) -> str:
    """The end of what was written to a file."""
    size = os.fstat(errors.fileno()).st_size
    where = max(0, size - EVIDENCE)
    return os.pread(errors.fileno(), EVIDENCE, where).decode(errors="replace")
