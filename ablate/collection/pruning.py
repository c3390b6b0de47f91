"""What a run keeps and needs no more: weights of mixes off its front, states of what is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ablate.folder import RunError, RunFolder
from ablate.watching.status import read_status
from reports.numbers.results import collect
from reports.record import Reading

PRUNED = "pruned"  # the fact of a run that says when weights were removed, and how many
_SETTLED = ("done", "diverged")


@dataclass(frozen=True, kw_only=True)
class Spare:
    """What of a run can go.

    Args:
        folder: Of the run.
        weights: Files of trained weights that the front does not need.
        states: Files of trainings that will not go on.
        size: Bytes that are free once they are gone.
        shared: Files among them that another run has too, so that they free nothing.
        kept: Files of weights that stay, those of mixes on the front.
    """

    folder: Path
    weights: tuple[Path, ...]
    states: tuple[Path, ...]
    size: int
    shared: int
    kept: int

    @property
    def files(self) -> tuple[Path, ...]:
        """All that can go."""
        return (*self.weights, *self.states)


def spare(run: Path) -> Spare:
    """What can go of a run; nothing is removed.

    Raises:
        RunError: There is no run, or no mix is on a front yet, so that none is off it.
        RecordError: Its record cannot be read.
    """
    folder = RunFolder(run)
    with folder.open() as record:
        table, trials = collect(record, draws=0).table, record.trials()
        needed = set(table.index[table["on_front"].astype(bool)])
        if not needed:
            raise RunError(
                f"{run}: no mix is on a front yet, so nothing can be told to be off it; "
                "let the run come to its end first"
            )
        weights = sorted(_off_front(folder, trials, needed))
        states = sorted(_over(folder, record, trials))
    files = [*weights, *states]
    facts = [file.stat() for file in files]
    stored = list(run.glob("checkpoints/*.pt"))
    return Spare(
        folder=run,
        weights=tuple(weights),
        states=tuple(states),
        size=sum(fact.st_size for fact in facts if fact.st_nlink == 1),
        shared=sum(fact.st_nlink > 1 for fact in facts),
        kept=len(stored) - len(weights),
    )


def prune(run: Path) -> Spare:
    """Remove what can go of a run; returns what it was. Its record stays as it is.

    Raises:
        RunError: There is no run, it is running now, or it has no front yet.
        RecordError: Its record cannot be read or written.
    """
    folder = RunFolder(run)
    folder.open().close()  # before a folder is made for the lock of what is no run
    with folder.held():
        found = spare(run)
        if not found.files:
            return found
        with folder.open(writable=True) as record:
            when = datetime.now(UTC).isoformat(timespec="seconds")
            record.set_fact(PRUNED, f"{when}: weights of {len(found.weights)} trials")
        for file in found.files:
            file.unlink(missing_ok=True)
    return found


def _off_front(folder: RunFolder, trials: pd.DataFrame, needed: set[str]) -> Iterator[Path]:
    """Weights of trials in the record whose mix is not needed; what no row owns is left alone."""
    off = trials[trials["status"].isin(_SETTLED) & ~trials["mix"].isin(needed)]
    for key in off["key"]:
        file = folder.checkpoint(str(key))
        if file.is_file():
            yield file


def _over(folder: RunFolder, record: Reading, trials: pd.DataFrame) -> Iterator[Path]:
    """States of trials that are settled, and of all that rest once the run has ended."""
    settled = set(trials[trials["status"].isin(_SETTLED)]["key"])
    status = read_status(folder.path)
    rested = set(record.partials()["trial"]) if status and status.state == "done" else set()
    for key in settled | rested:
        with suppress(RunError):
            file = folder.state(str(key))
            if file.is_file():
                yield file
