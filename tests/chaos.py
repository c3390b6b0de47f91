"""Runs that are started, killed and looked into: what the tests of resuming share."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path

import pandas as pd

import ablate
from ablate.faults import FAULT, FOLDER, Deed, armed, passings
from ablate.watching.status import read_status
from tests.warm_runner import TINY, Order, draw_photos

TIMED = ("latency", "first_call", "front_probability", "on_front", "resident")
START = "from tests.warm_runner import main; main()"
PATIENCE = 60.0  # seconds for anything that must happen
ROOT = Path(__file__).parents[1]

Rows = dict[str, tuple[object, ...]]


class Warm:
    """The process that forks runs; use it in a `with`."""

    def __init__(self) -> None:
        ours, theirs = Pipe()
        one_thread = dict.fromkeys(
            ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
        )
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno())],
                env={**os.environ, **one_thread},
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
            )
        self._pipe = ours
        threads = self._pipe.recv()
        assert threads == 1, f"a process with {threads} threads is not safe to fork"

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *error: object) -> None:
        self._pipe.close()
        self._process.wait(PATIENCE)

    def ask(self, what: Order | int) -> int | None:
        """Start a run, which gives its process; or how a run ended, if it has."""
        self._pipe.send(what)
        return self._pipe.recv()


@dataclass
class Started:
    """A run that was started."""

    warm: Warm
    pid: int
    log: Path

    def ended(self) -> int | None:
        """Its exit code, if it has ended."""
        return self.warm.ask(self.pid)

    def wait(self) -> int:
        """Its exit code, once it has ended; nothing that it started is left then."""
        until(lambda: self.ended() is not None, f"the run does not end: {self.said}")
        until(lambda: not self.processes(), f"orphans: {self.processes()}")
        code = self.ended()
        assert code is not None
        return code

    @property
    def said(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self) -> list[int]:
        """All that it started and that still works, itself among them."""
        return [pid for pid in _all_processes() if _session(pid) == self.pid]

    def workers(self) -> list[int]:
        """All that it started and that still works."""
        return [pid for pid in self.processes() if pid != self.pid]

    def kill(self, pid: int) -> None:
        """End a process of it, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Place:
    """A folder for runs of one study, each with its own log."""

    def __init__(self, warm: Warm, folder: Path, text: str = TINY) -> None:
        self.warm, self.folder = warm, folder
        folder.mkdir(parents=True)
        draw_photos(folder)
        self.study = folder / "tiny.toml"
        self.study.write_text(text, encoding="utf-8")
        self.run = folder / "run"
        self.counted = folder / "passings"
        self._numbers = itertools.count()
        self.accepted: Rows = {}

    def start(self, fault: str = "", *options: str, keep: bool = False) -> Started:
        """Start or go on with the run; passings are counted from nothing, unless they are kept."""
        if self.counted.exists() and not keep:
            shutil.rmtree(self.counted)
        self.counted.mkdir(exist_ok=True)
        log = self.folder / f"log{next(self._numbers)}"
        arguments = ("run", str(self.study), "--out", str(self.run), "--workers", "2", "--quiet")
        environment = {FAULT: fault, FOLDER: str(self.counted)}
        pid = self.warm.ask(Order((*arguments, *options), log, environment))
        assert pid is not None
        return Started(self.warm, pid, log)

    def passings(self) -> dict[str, int]:
        """How often the last run passed each point."""
        return passings(self.counted)

    def finish(self) -> None:
        """Run to the end, however often that takes: a trial that failed is tried again."""
        for _ in range(5):
            started = self.start()
            assert started.wait() == 0, started.said
            self.look()
            if all(status == "done" for status in statuses(self.run).values()):
                return
        raise AssertionError(f"not done: {statuses(self.run)}")

    def look(self) -> None:
        """See that what was accepted before is still there, byte for byte."""
        now = accepted(self.run)
        for key, rows in self.accepted.items():
            assert now.get(key) == rows, f"trial {key} has changed"
        self.accepted = now

    def require_like(self, other: Place) -> None:
        """See that the run is complete, clean, and has come to what an undisturbed one has."""
        self.look()
        mine, theirs = table(self.run), table(other.run)
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
        assert weights(self.run) == weights(other.run), "trained to other weights"
        assert left_over(self.run) == [], "temporary files stay"
        said = read_status(self.run)
        assert said is not None
        assert said.state == "done"


def until(happened: Callable[[], bool], otherwise: str) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)


def fault(deed: Deed, point: str, passing: int = 1) -> str:
    """A fault for `Place.start`."""
    return armed(deed, point, passing)


def rows(run: Path, query: str) -> list[tuple[object, ...]]:
    """What a record says, as SQLite has it; nothing where there is no record yet."""
    path = run / "record.sqlite"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as record:
        assert record.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return record.execute(query).fetchall()


def statuses(run: Path) -> Mapping[str, str]:
    """How each trial ended."""
    return dict(rows(run, "SELECT key, status FROM trials"))  # type: ignore[arg-type]


def accepted(run: Path) -> Rows:
    """All that is kept of each trial that is settled for good."""
    trials = rows(run, "SELECT * FROM trials WHERE status != 'failed'")
    assert len({row[1] for row in trials}) == len(trials), "a key with two results"
    own = {
        "facts": "SELECT trial, name, value FROM trial_facts ORDER BY 1, 2",
        "values": "SELECT subject, metric, value, n, mode FROM measurements ORDER BY 1, 2, 5",
        "curve": "SELECT trial, name, step, value FROM curve ORDER BY 1, 2, 3",
        "pictures": "SELECT trial, image, kind, sha256 FROM pictures ORDER BY 1, 2, 3",
    }
    kept = {name: rows(run, query) for name, query in own.items()}
    return {
        str(row[1]): (row, *([r for r in kept[name] if r[0] == row[1]] for name in own))
        for row in trials
    }


def weights(run: Path) -> dict[object, object]:
    """SHA-256 of the weights of each trial, as the record has them."""
    query = "SELECT trial, value FROM trial_facts WHERE name = 'weights_sha256'"
    return dict(rows(run, query))  # type: ignore[arg-type]


def table(run: Path) -> pd.DataFrame:
    """The final table without what depends on the clock, in one order."""
    found = ablate.Run(run).results()
    kept = [name for name in found.columns if not str(name).startswith(TIMED)]
    return found[kept].sort_values("label").reset_index(drop=True)


def left_over(run: Path) -> list[str]:
    """Files that only somebody who was killed leaves behind."""
    files = ("record.sqlite", "record.sqlite-wal", "record.sqlite-shm", ".lock", "status.json")
    expected = (*files, "report.html")
    found = [path.relative_to(run) for path in run.rglob("*") if path.is_file()]
    return [
        str(path)
        for path in found
        if path.name not in expected
        and not path.match("data-*.npy")
        and not path.match("checkpoints/*.pt")
    ]


def _all_processes() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _session(pid: int) -> int | None:
    """The session of a process; nothing of one that is gone, or that is only not waited for."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, _, _, session = text.rpartition(")")[2].split()[:4]
    return None if state == "Z" else int(session)
