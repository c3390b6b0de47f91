"""Keeps what a run says of itself up to date: a listener that writes `status.json`."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from ablate.events import (
    Began,
    Ended,
    Event,
    Listener,
    PhaseBegan,
    PhaseStep,
    TrialEnded,
    TrialStep,
    Warned,
)
from ablate.faults import fault
from ablate.watching.status import NAME, End, Running, Status

PAUSE = 0.5  # seconds between two writings, but for what changes the picture
WARNINGS = 5  # the last ones are kept


class Keeper:
    """A listener that keeps the status of a run in its folder up to date.

    A status that cannot be written is left as it was: it must never end a run.

    Args:
        folder: Of the run.
        clock: Seconds since 1970.
        pause: Seconds between two writings of what changes all the time.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.time, pause: float = PAUSE
    ) -> None:
        self.path, self._clock, self._pause = folder / NAME, clock, pause
        now = clock()
        self.status = Status(pid=os.getpid(), host=socket.gethostname(), started=now, updated=now)
        self._running: dict[str, Running] = {}
        self._pace = Pace()
        self._complete = False
        self.write()

    def __call__(self, event: Event) -> None:
        """Take an event into account; write, if it is time to."""
        now = self._clock()
        self._note(event, now)
        if (
            isinstance(event, Began | PhaseBegan)
            or not 0 <= now - self.status.updated < self._pause
        ):
            self.write()

    def end(self, state: End, reason: str = "") -> None:
        """The last word of this process."""
        self._running = {}
        self.status = replace(self.status, state=state, reason=reason, seconds_left=None)
        self.write()

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return self._complete

    def write(self) -> None:
        """Put the status where it is read, whole or not at all; the disk is not waited for."""
        now = self._clock()
        left = self._pace.seconds_left(now, self.status.trials - self.status.finished)
        self.status = replace(
            self.status,
            updated=now,
            seconds_left=left if self.status.state == "running" else None,
            running=tuple(self._running.values()),
        )
        draft = self.path.with_name(f"{NAME}.partial")
        try:
            draft.write_text(json.dumps(asdict(self.status), indent=1), encoding="utf-8")
            fault("status.drafted")
            draft.replace(self.path)
        except OSError:  # a full disk: what is measured has its own words for that
            draft.unlink(missing_ok=True)

    def _note(self, event: Event, now: float) -> None:
        if isinstance(event, Began):
            self._begin(event, now)
        elif isinstance(event, PhaseBegan):
            self.status = replace(self.status, phase=event.name, done=0, total=event.total)
        elif isinstance(event, PhaseStep):
            self.status = replace(self.status, phase=event.name, done=event.done, total=event.total)
        elif isinstance(event, TrialStep):
            self._step(event, now)
        elif isinstance(event, TrialEnded):
            self._running.pop(event.trial, None)
            self._pace.end(event.trial)
            ended = self.status.ended + 1
            self.status = replace(self.status, ended=ended, done=self.status.done + 1)
        elif isinstance(event, Warned):
            self.status = replace(
                self.status, warnings=(*self.status.warnings, event.text)[-WARNINGS:]
            )
        elif isinstance(event, Ended):
            self._complete = True

    def _begin(self, event: Began, now: float) -> None:
        self._pace.begin(now, event.seconds)
        self.status = replace(
            self.status,
            study=event.study,
            device=event.device,
            workers=event.workers,
            phase="training",
            done=0,
            total=event.trials,
            trials=self.status.trials + event.trials + event.finished,
            finished=self.status.finished + event.finished,
        )

    def _step(self, event: TrialStep, now: float) -> None:
        before = self._running.get(event.trial)
        self._pace.step(event.trial, event.step / max(event.steps, 1))
        self._running[event.trial] = Running(
            label=event.label,
            seed=event.seed,
            step=event.step,
            steps=event.steps,
            loss=event.loss if abs(event.loss) < float("inf") else None,
            device=str(getattr(event, "device", "")),
            since=before.since if before else now,
        )


class Pace:
    """How fast trials go, and when the last one will be done."""

    def __init__(self) -> None:
        self._ended = 0
        self._parts: dict[str, float] = {}
        self._first: float | None = None
        self._begun = 0.0
        self._forecast: float | None = None

    def begin(self, now: float, forecast: float | None) -> None:
        """A batch begins; the forecast of its training in seconds, where there is one."""
        self._begun, self._forecast = now, forecast
        self._first = now if self._first is None else self._first

    def step(self, trial: str, part: float) -> None:
        """A trial has done this part of its steps."""
        self._parts[trial] = part

    def end(self, trial: str) -> None:
        """A trial ended."""
        self._parts.pop(trial, None)
        self._ended += 1

    def seconds_left(self, now: float, trials: int) -> float | None:
        """Seconds to the last trial at the pace so far; the forecast before there is a pace.

        Args:
            now: In seconds since 1970.
            trials: How many this process has been asked for.
        """
        if self._first is None or trials <= self._ended:
            return None
        done = self._ended + sum(self._parts.values())
        passed = now - self._first
        if done >= 1 and passed > 0:
            return passed / done * (trials - done)
        if self._forecast is not None:
            return max(0.0, self._forecast - max(0.0, now - self._begun))
        return None


@contextmanager
def kept_status(folder: Path, listener: Listener) -> Iterator[Listener]:
    """A listener that tells another what it hears, and keeps the folder's status meanwhile."""
    keeper = Keeper(folder)

    def both(event: Event) -> None:
        keeper(event)
        listener(event)

    try:
        yield both
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        keeper.end("interrupted")
        raise
    except BaseException as error:
        keeper.end("failed", " ".join(str(error).split()) or type(error).__name__)
        raise
    keeper.end("done" if keeper.complete else "interrupted")
