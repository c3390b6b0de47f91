"""Counts what a run has done, for whoever tells of it."""

from __future__ import annotations

import time

from ablate.console.words import duration
from ablate.events import Began, Event, TrialEnded, TrialStep


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
