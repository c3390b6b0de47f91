"""What every engine can do: run jobs, say what happens, and be closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ablate.engines.job import Event, Job, never


class EngineError(ValueError):
    """An engine that is not known, or that lacks what it needs; the message says what."""


class Engine(Protocol):
    """Runs jobs in processes of their own, here or elsewhere."""

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        """Run jobs in their order, at most `workers` at a time, and yield what happens.

        A job that raises, crashes or is killed is a `Failed` event; the others go on. When stop()
        turns true no new job starts; running ones are told, get some time to end, and are then
        killed. Leaving the iterator ends every job.
        """
        ...

    def close(self) -> None:
        """End what is kept between calls; the engine is of no use afterwards."""
        ...
