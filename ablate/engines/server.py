"""The warm fork server: a process that has loaded what jobs need and forks itself for each.

Started as `python -m ablate.engines.server SOCKET PARENT MODULE...`. It has one thread, never
touches a GPU and holds no job's memory, so that a fork of it is as good as a fresh process and
there in milliseconds. It ends with the run that started it, and its workers end with it.

What comes through the socket are requests, with two file descriptors for a fork (the worker's pipe
and the file for what it writes); what goes back are replies.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NoReturn

from ablate.engines.worker import deaf, die_with, serve, settle_down

REQUEST: Final = struct.Struct("=ci")  # FORK or KILL, the worker's number
REPLY: Final = struct.Struct("=cii")  # READY 0 0; BEGUN number pid; ENDED number exit code
FORK, KILL = b"f", b"k"
READY, BEGUN, ENDED = b"r", b"b", b"e"
UNFORKED = 256  # stands for the exit code of a worker that could not be forked; no process has it


def main() -> None:
    """Load the modules, say so, and fork until nobody asks any more."""
    control, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    deaf()
    die_with(parent, signal.SIGKILL)
    _warm_up(sys.argv[3:])
    _Server(control, parent).serve()


def _warm_up(modules: list[str]) -> None:
    """Load modules and installed plug-ins, and see that a fork will find nothing half done."""
    from ablate.plugins import load_plugins

    for module in modules:
        importlib.import_module(module)
    load_plugins()
    if held := held_gpu():
        raise SystemExit(
            f"a plug-in opened a GPU ({held}) while it was loaded; forks could not use it: let it "
            "do so when its block is built"
        )
    gc.collect()
    gc.freeze()  # a collection in a worker does not touch, and so not copy, what is shared


def held_gpu(files: Path = Path("/proc/self/fd")) -> str:
    """The driver's file that this process holds open, if any: CUDA does not survive a fork."""
    for file in files.iterdir():
        with contextlib.suppress(OSError):
            if (target := str(file.readlink())).startswith("/dev/nvidia"):
                return target
    return ""


class _Server:
    def __init__(self, control: socket.socket, parent: int) -> None:
        self.control, self.parent = control, parent
        self.workers: dict[int, int] = {}  # number by process
        self.woken, waker = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(waker, False)
        self.waker = waker
        signal.signal(signal.SIGCHLD, _noted)
        signal.signal(signal.SIGTERM, _noted)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        die_with(parent, signal.SIGTERM)  # no longer SIGKILL: there will be workers to end

    def serve(self) -> NoReturn:
        """Do what is asked until the run is gone."""
        self._reply(READY, 0, 0)
        control = self.control.fileno()
        while True:
            ready, _, _ = select.select([control, self.woken], [], [])
            if self.woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                self._reap()
            if os.getppid() != self.parent:
                self._end()
            if control in ready:
                self._obey()

    def _obey(self) -> None:
        try:
            request, files, _, _ = socket.recv_fds(
                self.control, REQUEST.size, 2, socket.MSG_WAITALL
            )
        except ConnectionError:
            self._end()
        if len(request) < REQUEST.size:
            self._end()
        what, number = REQUEST.unpack(request)
        if what == FORK:
            self._fork(number, *files)
            for file in files:
                os.close(file)
        else:
            for process in [p for p, n in self.workers.items() if n == number]:
                _kill(process)

    def _fork(self, number: int, pipe: int, errors: int) -> None:
        server = os.getpid()
        try:
            process = os.fork()
        except OSError as error:  # no memory, or too many processes
            os.write(errors, f"{error.strerror or error}\n".encode())
            self._reply(ENDED, number, UNFORKED)
            return
        if process == 0:
            try:
                self._work(server, pipe, errors)
            finally:
                os._exit(1)
        with contextlib.suppress(OSError):  # it has done so itself, or is gone already
            os.setpgid(process, process)
        self.workers[process] = number
        self._reply(BEGUN, number, process)

    def _work(self, server: int, pipe: int, errors: int) -> NoReturn:
        """Be the worker: in a group of its own, with nothing of the server's."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        deaf()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (self.control.detach(), self.woken, self.waker):
            os.close(file)
        os.dup2(errors, 1)
        os.dup2(errors, 2)
        os.close(errors)
        settle_down(server)
        code = _exit_code(pipe)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)  # at once: to take down what was loaded costs more than most of this

    def _reap(self) -> None:
        """Say how workers ended; whatever they started themselves ends with them."""
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                _kill(found.si_pid)  # its group, while nobody else can have its number
                _, status = os.waitpid(found.si_pid, 0)
                number = self.workers.pop(found.si_pid, None)
                if number is not None:
                    self._reply(ENDED, number, os.waitstatus_to_exitcode(status))

    def _reply(self, what: bytes, number: int, value: int) -> None:
        try:
            self.control.sendall(REPLY.pack(what, number, value))
        except ConnectionError:
            self._end()

    def _end(self) -> NoReturn:
        for process in self.workers:
            _kill(process)
        os._exit(0)


def _exit_code(pipe: int) -> int:
    """Do the job that comes through the pipe; the exit code as the interpreter would have it."""
    try:
        with Connection(pipe) as connection:
            serve(connection, prepared=True)
    except SystemExit as error:
        if isinstance(error.code, int):
            return error.code
        sys.stderr.write(f"{error.code or ''}\n")
        return int(error.code is not None)
    except EOFError:  # nobody wants it any more
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _noted(number: int, frame: object) -> None:
    """A signal need only wake us: SIGTERM is the kernel's word that the run may be gone."""


def _kill(process: int) -> None:
    """End a worker and all that it started."""
    with contextlib.suppress(OSError):
        os.killpg(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
