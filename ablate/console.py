"""Tells people, or machines, how a run goes on: live bars, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from ablate.events import (
    Began,
    Ended,
    Event,
    PhaseBegan,
    PhaseStep,
    TakenOver,
    TrialEnded,
    TrialStep,
    Warned,
)

PLAIN_PAUSE = 30.0  # seconds between two lines about the same phase
NUMBERS = 32  # columns of a terminal for steps, loss and ETA beside a bar


def duration(seconds: float) -> str:
    """Seconds for people: 12 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class JsonLines:
    """One JSON object per event, for programs to read; steps within a trial are left out."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if not isinstance(event, TrialStep | PhaseStep):
            line = {"event": type(event).__name__, **asdict(event)}
            text = json.dumps(line, default=lambda path: str(path))
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class Tally:
    """What a run has done so far, and when it will be done."""

    def __init__(self) -> None:
        self.trials = 0
        self.ended = 0
        self.steps: dict[str, float] = {}  # part done of each running trial
        self.started = time.monotonic()
        self.best: TrialEnded | None = None

    def note(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Began):
            self.trials, self.ended, self.started = event.trials, 0, time.monotonic()
        elif isinstance(event, TrialStep):
            self.steps[event.trial] = event.step / event.steps
        elif isinstance(event, TrialEnded):
            self.ended += 1
            self.steps.pop(event.trial, None)
            if event.status == "done":  # what rests at a rung is not at its best yet
                self._compare(event)

    def _compare(self, event: TrialEnded) -> None:
        psnr = event.psnr if event.psnr is not None else float("-inf")
        if event.psnr is not None and (not self.best or psnr > (self.best.psnr or psnr)):
            self.best = event

    @property
    def remaining(self) -> str:
        """Time to the last trial at the pace so far, in words."""
        done = self.ended + sum(self.steps.values())
        passed = time.monotonic() - self.started
        if done < 0.1 or not self.trials:
            return "?"
        return duration(passed / done * (self.trials - done))

    @property
    def best_words(self) -> str:
        """The best trial so far."""
        if not self.best:
            return ""
        return f"best so far {self.best.psnr:.2f} dB: {self.best.label}"


def ended_line(event: TrialEnded, number: int, of: int) -> str:
    """A trial in one line."""
    head = f"[{number}/{of}] {event.label}, seed {event.seed}: "
    if event.psnr is None:
        return f"{head}{event.status}: {event.reason}"
    gain = "" if event.gain is None else f" ({event.gain:+.2f} dB over the input)"
    rests = ", rests at a rung" if event.status == "partial" else ""
    return f"{head}{event.psnr:.2f} dB{gain}, {duration(event.seconds)}{rests}"


def began_line(event: Began) -> str:
    """What a run is about to do, in one line."""
    before = f", {event.finished} done before" if event.finished else ""
    on = f"{event.workers} at a time on {event.device}"
    about = "" if event.seconds is None else f"; about {duration(event.seconds)} of training"
    return f"{event.study}: {event.mixes} mixes, {event.trials} trials to do{before}, {on}{about}"


class PlainLines:
    """A line per trial and now and then one about a phase: for logs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tally = Tally()
        self.last = float("-inf")

    def __call__(self, event: Event) -> None:
        """Write one event, if it is worth a line."""
        self.tally.note(event)
        if line := self._line(event):
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, event: Event) -> str:
        if isinstance(event, Began):
            return began_line(event)
        if isinstance(event, TrialEnded):
            left = self.tally.trials - self.tally.ended
            eta = f"; {self.tally.remaining} to go" if left else ""
            return ended_line(event, self.tally.ended, self.tally.trials) + eta
        if isinstance(event, PhaseBegan):
            self.last = time.monotonic()
            return f"{event.name}: {event.total} steps" if event.total else ""
        if isinstance(event, PhaseStep) and time.monotonic() - self.last > PLAIN_PAUSE:
            self.last = time.monotonic()
            return f"{event.name}: {event.done}/{event.total}"
        return common_line(event)


class Bars(AbstractContextManager["Bars"]):
    """Live bars for a terminal: the run, each running trial, and what is best so far."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tally = Tally()
        bar = 30 if console.width >= 100 else 12
        self.room = max(12, console.width - bar - NUMBERS)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=bar),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}
        self.live = Live(self._view(), console=console, refresh_per_second=4)

    def __enter__(self) -> Bars:
        """Start drawing."""
        self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen as it should stay."""
        for task in self.tasks.values():
            self.progress.update(task, visible=False)
        self.live.update(self._view())
        self.live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self.tally.note(event)
        if isinstance(event, Began):
            self._say(began_line(event))
            self._bar("trials", event.trials, 0)
        elif isinstance(event, TrialStep):
            name = shortened(f"  {event.label}, seed {event.seed}", self.room)
            note = f"loss {event.loss:.4f}"
            self._bar(event.trial, event.steps, event.step, name, note)
            eta = f"{self.tally.remaining} to go"
            self._bar("trials", self.tally.trials, self.tally.ended, note=eta)
        elif isinstance(event, TrialEnded):
            self._end(event)
        elif isinstance(event, PhaseBegan):
            if event.total:
                self._bar(event.name, event.total, 0)
        elif isinstance(event, PhaseStep):
            self._bar(event.name, event.total, event.done)
        elif line := common_line(event):
            self._say(line)
        self.live.update(self._view())

    def _end(self, event: TrialEnded) -> None:
        if (task := self.tasks.pop(event.trial, None)) is not None:
            self.progress.remove_task(task)
        self._bar("trials", self.tally.trials, self.tally.ended)
        self._say(ended_line(event, self.tally.ended, self.tally.trials))

    def _bar(
        self, key: str, total: int, done: int, name: str = "", note: str | None = None
    ) -> None:
        if key not in self.tasks:
            self.tasks[key] = self.progress.add_task(name or key, total=total, note="")
        self.progress.update(self.tasks[key], total=total, completed=done)
        if note is not None:
            self.progress.update(self.tasks[key], note=note)

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)

    def _view(self) -> Table:
        view = Table.grid()
        view.add_row(self.progress)
        view.add_row(Text(self.tally.best_words))
        return view


def common_line(event: Event) -> str:
    """What every console says in the same words; "" for events that it does not."""
    if isinstance(event, Warned):
        return f"warning: {event.text}"
    if isinstance(event, TakenOver):
        return f"{event.trials} finished trials are taken over from {shown(event.folder)}"
    if isinstance(event, Ended):
        return f"\n{event.answer}\n\nreport: {shown(event.report)}"
    return ""


def shortened(text: str, width: int) -> str:
    """Text that fits: cut in its middle, since labels differ at both ends."""
    if len(text) <= width:
        return text
    head, tail = (width - 2) // 2, (width - 3) // 2
    return f"{text[:head]}...{text[len(text) - tail :]}"


def shown(path: Path) -> str:
    """A path as short as it can be typed."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
