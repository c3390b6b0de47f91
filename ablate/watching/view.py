"""A snapshot of a run for people: what runs, how far it is, the front so far, what failed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablate.console.tables import make_table
from ablate.console.words import duration
from ablate.watching.snapshot import MEANING, OVER, Snapshot
from ablate.watching.standing import Failure, Standing
from ablate.watching.status import Running, Status
from reports.numbers.units import count

BAR = 24  # columns
ROWS = 15  # of the front
FAILURES = 5  # the last ones
QUIET = 60.0  # seconds without a word after which that is said
WORDS = {"done": "done", "diverged": "diverged", "failed": "failed", "resting": "at a rung"}


def view(now: Snapshot, devices: Sequence[str] = ()) -> RenderableType:
    """Everything of a snapshot that a person wants to see, for a terminal.

    Args:
        now: The run.
        devices: What its devices do, a line for each.
    """
    parts: list[RenderableType] = [Text(line) for line in heading(now)]
    if now.status:
        parts += _progress(now, now.status)
    parts += [Text(line, style="dim") for line in devices]
    if now.standing:
        parts += [Text(""), *_front(now.standing)]
        parts += [Text(line) for line in failure_lines(now.standing)]
    if now.status:
        parts += [Text(f"warning: {text}") for text in now.status.warnings]
    return Group(*parts)


def heading(now: Snapshot) -> list[str]:
    """What the run is, whether it goes on, and how its trials ended so far."""
    status, standing = now.status, now.standing
    name = (standing.study if standing else "") or (status.study if status else "") or now.folder
    lines = [f"{name}: {_state(now)}"]
    if standing and standing.question:
        lines.append(standing.question)
    if standing:
        lines.append(_trials(standing, status))
    return lines


def _state(now: Snapshot) -> str:
    words, status = MEANING[now.state], now.status
    if status is None:
        return words
    if now.state in OVER:
        reason = f" ({status.reason})" if now.state == "failed" and status.reason else ""
        return f"{words}{reason}; last heard of {_ago(now.age)}"
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.started))
    quiet = f"; silent for {duration(now.age)}" if now.age > QUIET else ""
    return f"{words} as process {status.pid} on {status.host} since {since}{quiet}"


def _ago(seconds: float) -> str:
    return f"{duration(seconds)} ago"


def _trials(standing: Standing, status: Status | None) -> str:
    """16 trials of 4 mixes: 12 done, 1 failed (of 24 that were asked for)."""
    number = sum(standing.statuses.values())
    ended = [f"{n} {WORDS.get(word, word)}" for word, n in standing.statuses.items()]
    line = f"{count(number, 'trial')} of {count(standing.mixes, 'mix')}"
    line += f": {', '.join(ended)}" if ended else ""
    return f"{line}; {status.trials} asked for" if status and status.trials > number else line


def _progress(now: Snapshot, status: Status) -> list[RenderableType]:
    """A bar for the phase, and one for each trial that runs."""
    if now.state != "running" or not status.phase:
        return []
    rows = Table.grid(padding=(0, 2))
    left = "" if now.seconds_left is None else f"about {duration(now.seconds_left)} to go"
    if status.total:
        rows.add_row(Text(status.phase), *_bar(status.done, status.total, left))
    for trial in status.running:
        rows.add_row(Text(f"  {_named(trial)}"), *_bar(trial.step, trial.steps, _loss(trial)))
    return [rows]


def _bar(done: int, total: int, note: str) -> tuple[RenderableType, ...]:
    return ProgressBar(total=total, completed=done, width=BAR), Text(f"{done}/{total}"), Text(note)


def _named(trial: Running) -> str:
    where = f" on {trial.device}" if trial.device else ""
    return f"{trial.label}, seed {trial.seed}{where}"


def _loss(trial: Running) -> str:
    return "" if trial.loss is None else f"loss {trial.loss:.4f}"


def _front(standing: Standing) -> Iterable[RenderableType]:
    """The front as a table, with what it is drawn over."""
    if not standing.front:
        return
    remark = f" ({standing.remark})" if standing.remark else ""
    yield Text(f"front so far, {count(len(standing.front), 'mix')}{remark}")
    table = make_table("mix", *standing.headings, "trials")
    for mix in standing.front[:ROWS]:
        table.add_row(mix.label, *mix.words, str(mix.trials))
    yield table
    if len(standing.front) > ROWS:
        yield Text(f"and {len(standing.front) - ROWS} more")


def failure_lines(standing: Standing) -> list[str]:
    """How many failed by which kind, and the last ones in full."""
    if not standing.failures:
        return []
    kinds = ", ".join(f"{n} {kind}" for kind, n in standing.kinds.items())
    lines = [f"not done: {kinds}" if kinds else f"not done: {len(standing.failures)}"]
    return lines + [f"  {_failure(failure)}" for failure in standing.failures[:FAILURES]]


def _failure(failure: Failure) -> str:
    kind = failure.kind or failure.status
    return f"{failure.label}, seed {failure.seed}: {kind}: {failure.reason}"
