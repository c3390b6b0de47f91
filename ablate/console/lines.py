"""A line per event: for logs, or as JSON for programs."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from rich.console import Console

from ablate.console.tally import Tally
from ablate.console.words import duration, shown
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


def began_line(event: Began) -> str:
    """What a run is about to do, in one line."""
    before = f", {event.finished} done before" if event.finished else ""
    on = f"{event.workers} at a time on {event.device}"
    about = "" if event.seconds is None else f"; about {duration(event.seconds)} of training"
    return f"{event.study}: {event.mixes} mixes, {event.trials} trials to do{before}, {on}{about}"


def ended_line(event: TrialEnded, number: int, of: int) -> str:
    """A trial in one line."""
    head = f"[{number}/{of}] {event.label}, seed {event.seed}: "
    if event.psnr is None:
        return f"{head}{event.status}: {event.reason}"
    gain = "" if event.gain is None else f" ({event.gain:+.2f} dB over the input)"
    rests = ", rests at a rung" if event.status == "partial" else ""
    return f"{head}{event.psnr:.2f} dB{gain}, {duration(event.seconds)}{rests}"


def common_line(event: Event) -> str:
    """What every console says in the same words; "" for events that it does not."""
    if isinstance(event, Warned):
        return f"warning: {event.text}"
    if isinstance(event, TakenOver):
        return f"{event.trials} finished trials are taken over from {shown(event.folder)}"
    if isinstance(event, Ended):
        return f"\n{event.answer}\n\nreport: {shown(event.report)}"
    return ""
