"""A process that has loaded all of ablate and forks itself for each run: one starts at once.

Started by `Warm` of tests.chaos with the number of a socket. What a run starts is forked too, where
it would be a new interpreter, so that hundreds of runs can be started and killed in a minute. All
else is as `ablate run` has it; only the pictures of the report are left out.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import IO, NoReturn

import numpy as np

TINY = """
question = "Does a block help?"

[task]
degradation = "gaussian_noise"

[task.data]
source = "folder"
train = "photos"
validation = "others"

[network]
width = 8

[[network.stage]]
block = ["identity", "nafblock"]

[training]
steps = 2
batch = 1
crop = 16
seeds = 2
validate = 2

[evaluation]
crop = 32
crops = 1

[profile]
size = [16, 16]
rounds = 2
processes = 1
"""

LOADED = (
    "ablate.runs.running",
    "ablate.engines.asked",
    "ablate.runs.sharing",
    "ablate.trials.trial",
    "ablate.engines.server",
    "ablate.engines.worker",
)


@dataclass(frozen=True)
class Order:
    """A run to start.

    Args:
        arguments: Of the command line.
        log: File for what it writes.
        environment: Variables beside those that there are.
        save_every: Seconds between two states of a training.
    """

    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    save_every: float = 1e-6


class Forked:
    """Stands for `subprocess.Popen` where one of our modules is to be run: forks this process."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        env: Mapping[str, str],
        pass_fds: Sequence[int],
        process_group: int,
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _become(command, stdout, stderr, env, pass_fds)
            except SystemExit as ending:
                os._exit(ending.code if isinstance(ending.code, int) else ending.code is not None)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until = time.monotonic() + (1e9 if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("a fork", timeout or 0.0)
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _become(
    command: Sequence[str],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    environment: Mapping[str, str],
    files: Sequence[int],
) -> None:
    """Do what `python -m MODULE ARGUMENTS` would, in this process and with these files only."""
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for to, file in ((1, stdout), (2, stderr)):
        os.dup2(file if isinstance(file, int) else file.fileno(), to)
    for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if number > 2 and number not in files:
            with contextlib.suppress(OSError):
                os.close(number)
    os.environ.clear()
    os.environ.update(environment)
    module, *sys.argv = command[command.index("-m") + 1 :]
    sys.argv.insert(0, module)
    importlib.import_module(module).main()


def _run(order: Order, connection: Connection) -> NoReturn:
    """Be the run: in a session of its own, so that all that it starts can be found."""
    from ablate.cli import main
    from ablate.engines import processes
    from ablate.runs import running

    os.setsid()
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for file in (1, 2):
        os.dup2(log, file)
    connection.close()
    os.environ.update(order.environment)
    processes.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=Forked, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )
    running.write_report = plain_report
    running.answer = lambda found: SimpleNamespace(sentence="It does.")
    running.read = lambda record: None
    whole, often = running.run, {"save_every": order.save_every}
    running.run = lambda *given, **named: whole(*given, **{**named, **often})
    main(order.arguments)


def plain_report(record: Path, folder: Path) -> dict[str, Path]:
    """Stands for the report: drawing it takes longer than all else."""
    (folder / "report.html").write_text("no pictures", encoding="utf-8")
    return {"report.html": folder / "report.html"}


def draw_photos(folder: Path) -> None:
    """A few small photographs, the same in every folder."""
    from PIL import Image

    for name, seed in (("photos/a", 1), ("photos/b", 2), ("others/c", 3)):
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((48, 48)).save(folder / f"{name}.png")


def _remember() -> None:
    """Know what every run finds out before it trains: the counts of its mixes, their source."""
    from ablate import plugins
    from ablate.identity import sources
    from ablate.profiling import machine
    from ablate.runs import runner, running
    from ablate.study import load_study

    imported = sources.imported
    sources.imported = functools.cache(lambda *given: tuple(imported(*given)))
    sources.parsed = functools.cache(sources.parsed)
    sources.running = functools.cache(sources.running)
    machine.commit = running.commit = functools.cache(machine.commit)
    plugins.entry_points = functools.cache(plugins.entry_points)
    machine.describe()
    runner.count_mix = functools.cache(runner.count_mix)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tiny.toml").write_text(TINY)
        draw_photos(Path(folder))
        study = load_study(Path(folder) / "tiny.toml")
    for mix in map(study.mix, study.points()):
        runner.count_mix(mix, study.profile, "cpu")
        sources.code_digest(mix)
    sources.Sources().training()
    gc.collect()
    gc.freeze()  # the forks' collections pass over all that is loaded


def _start(order: Order, connection: Connection) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _run(order, connection)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(pid: int, codes: dict[int, int]) -> int | None:
    """How a run ended; nothing while it goes on."""
    if pid not in codes:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        codes[pid] = os.waitstatus_to_exitcode(status)
    return codes[pid]


def main() -> None:
    """Start runs, and say how they ended, until nobody asks any more."""
    for module in LOADED:
        importlib.import_module(module)
    _remember()
    codes: dict[int, int] = {}
    with Connection(int(sys.argv[1])) as connection:
        connection.send(len(list(Path("/proc/self/task").iterdir())))
        while True:
            try:
                asked = connection.recv()
            except EOFError:
                return
            if isinstance(asked, Order):
                connection.send(_start(asked, connection))
            else:
                connection.send(_ended(asked, codes))
