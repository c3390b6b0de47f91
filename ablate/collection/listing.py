"""The runs in a folder, each in a few numbers: what it is about, how far it is, what it found."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ablate.folder import RunError, RunFolder
from ablate.watching.snapshot import Snapshot, Watcher
from reports.record import RecordError

UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One run.

    Args:
        name: Of its folder.
        path: Of its folder.
        state: Whether it goes on, and if not how it ended; "unreadable" where that is not known.
        done: Trials that came to their end.
        failed: Trials that failed or diverged.
        trials: Trials that it was asked for so far; None where it does not say so.
        best: Label of the mix that is best in the first objective.
        value: Its value there, in words; "" where nothing was measured.
        when: When something was recorded last, in UTC, as ISO 8601.
        size: Bytes of all its files; one that other runs share counts in each of them.
        problem: Why it cannot be read, in one line; "" where it can.
    """

    name: str
    path: Path
    state: str
    done: int = 0
    failed: int = 0
    trials: int | None = None
    best: str = ""
    value: str = ""
    when: str
    size: int
    problem: str = ""


def list_runs(folder: Path) -> list[Listed]:
    """The runs in a folder, or the folder itself where it is one; the latest first.

    Raises:
        RunError: There is no such folder.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; runs lie in runs/ where they were started")
    if (folder / "record.sqlite").exists():
        return [_listed(folder)]
    found = [_listed(record.parent) for record in folder.glob("*/record.sqlite")]
    return sorted(found, key=lambda run: (run.when, run.name), reverse=True)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder and below; a file with two names there counts once."""
    return sum({(s.st_dev, s.st_ino): s.st_size for s in _stats(folder)}.values())


def _stats(folder: Path) -> Iterator[os.stat_result]:
    for file in folder.rglob("*"):
        try:
            scratch = file.name.endswith("-shm")  # of whoever reads a record
            if file.is_file() and not file.is_symlink() and not scratch:
                yield file.stat()
        except OSError:  # a run that goes on removes files meanwhile
            continue


def _listed(folder: Path) -> Listed:
    name, when, size = folder.resolve().name, _changed(folder), size_of(folder)
    try:
        RunFolder(folder).open().close()  # who watches waits for a record that is being made
        now = Watcher(folder).look()
        best, value = _best(now, RunFolder(folder))
    except (RunError, RecordError, OSError, sqlite3.Error, ValueError) as error:
        problem = " ".join(str(error).split())
        return Listed(
            name=name, path=folder, state=UNREADABLE, when=when, size=size, problem=problem
        )
    counts = now.standing.statuses if now.standing else {}
    return Listed(
        name=name,
        path=folder,
        state=now.state,
        done=counts.get("done", 0),
        failed=counts.get("failed", 0) + counts.get("diverged", 0),
        trials=now.status.trials if now.status and now.status.trials else None,
        best=best,
        value=value,
        when=when,
        size=size,
    )


def _best(now: Snapshot, folder: RunFolder) -> tuple[str, str]:
    """The mix that is best in the first objective, and how good it is there, in words."""
    standing = now.standing
    if not standing or not standing.metrics:
        return "", ""
    metric = standing.metrics[0]
    with folder.open() as record:
        better = dict(record.metrics()[["name", "better"]].to_numpy().tolist())
    side = -1 if better.get(metric) == "lower" else 1
    known = [mix for mix in standing.front if metric in mix.values]
    if not known:
        return "", ""
    best = max(known, key=lambda mix: side * mix.values[metric])
    return best.label, f"{best.words[0]} {standing.headings[0].partition(', ')[2]}".strip()


def _changed(folder: Path) -> str:
    """When the record was written last; its log is what is written first."""
    times = []
    for name in ("record.sqlite", "record.sqlite-wal"):
        try:
            times.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    last = datetime.fromtimestamp(max(times, default=0.0), UTC)
    return last.isoformat(timespec="seconds")
