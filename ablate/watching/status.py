"""What a run says of itself while it goes on: `status.json`, written whole, read by anyone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

NAME = "status.json"
FORMAT = 1

End = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A trial that is being trained.

    Args:
        label: Of its mix.
        seed: Its seed.
        step: Steps done.
        steps: Steps in all.
        loss: At that step; None where it is no finite number.
        device: Which device it is on, where the run says so.
        since: When its first step was done, in seconds since 1970.
    """

    label: str
    seed: int
    step: int
    steps: int
    loss: float | None
    device: str
    since: float


@dataclass(frozen=True, kw_only=True)
class Status:
    """A run as the process that runs it last described it; times in seconds since 1970.

    Args:
        format: Version of this file.
        study: Name of the study; "" before anything began.
        pid: The process.
        host: The machine that it is on.
        started: When it began or went on.
        updated: When this was written.
        state: running, or how it ended.
        reason: Why it failed, in one line.
        device: cpu or cuda.
        workers: Trials at a time.
        phase: What it does: costs, training, latency ...
        done: Of the phase.
        total: Of the phase; 0 where that is not known.
        trials: Asked for so far, those done before among them.
        finished: Of these, done before this process began.
        ended: Of these, ended since.
        seconds_left: Forecast of the training that is left, when this was written.
        running: What is being trained now.
        warnings: The last ones.
    """

    format: int = FORMAT
    study: str = ""
    pid: int
    host: str
    started: float
    updated: float
    state: End = "running"
    reason: str = ""
    device: str = ""
    workers: int = 0
    phase: str = ""
    done: int = 0
    total: int = 0
    trials: int = 0
    finished: int = 0
    ended: int = 0
    seconds_left: float | None = None
    running: tuple[Running, ...] = ()
    warnings: tuple[str, ...] = ()


def read_status(folder: Path) -> Status | None:
    """What the run in a folder last said; None where it said nothing that can be understood."""
    try:
        raw = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return _status(raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _status(raw: Mapping[str, Any]) -> Status:
    """What is known of it: a later version may say more.

    Raises:
        TypeError: Something is missing, or it is no status at all.
    """
    values = _known(Status(pid=0, host="", started=0.0, updated=0.0), raw)
    running = [dict(one) for one in values.pop("running", ())]
    warnings = tuple(str(text) for text in values.pop("warnings", ()))
    pattern = Running(label="", seed=0, step=0, steps=0, loss=None, device="", since=0.0)
    trials = tuple(Running(**_known(pattern, one)) for one in running)
    return Status(**{**values, "running": trials, "warnings": warnings})


def _known(pattern: Status | Running, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the pattern has too, of the same types.

    Raises:
        TypeError: One is of another type.
    """
    values = {}
    for field in fields(pattern):
        if field.name in raw:
            value, example = raw[field.name], getattr(pattern, field.name)
            if not _alike(value, example):
                raise TypeError(f"{field.name}: got {value!r}")
            values[field.name] = value
    return values


def _alike(value: object, example: object) -> bool:
    if example is None or isinstance(example, float):
        return (value is None and example is None) or _number(value)
    if isinstance(example, tuple):
        return isinstance(value, list)
    return type(value) is type(example)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
