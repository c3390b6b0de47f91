"""Live bars in a terminal: the run, each running trial, and what is best so far."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from ablate.console.lines import began_line, common_line, ended_line
from ablate.console.tally import Tally
from ablate.console.words import shortened
from ablate.events import Began, Event, PhaseBegan, PhaseStep, TrialEnded, TrialStep

NUMBERS = 32  # columns of a terminal for steps, loss and ETA beside a bar


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
