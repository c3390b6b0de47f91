"""Runs jobs on this machine, several at a time, each in a process of its own."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Final

from ablate.engines.at_work import Begun, JobAtWork, put_to_work
from ablate.engines.devices import Device, Placer
from ablate.engines.job import Event, Failed, Interrupted, Job, Message, never
from ablate.engines.kinds import KernelKills
from ablate.engines.starting import WARM, Starter

GRACE: Final = 30.0  # seconds that a job has to end after it was told to
_TICK = 0.2  # seconds between two looks at the clock, and at whether to stop


class LocalEngine:
    """Runs jobs on this machine: see `Engine`.

    Jobs are forks of a server that has loaded what they need, and that is kept until `close`.
    What asks for a fresh interpreter gets one, and so does all where there can be no server.

    Args:
        grace: Seconds that a job has to end after it was told to.
        devices: GPUs to place jobs on; none to leave them where they are.
        warm: Whether to keep servers.
        modules: What a server loads.
    """

    def __init__(
        self,
        *,
        grace: float = GRACE,
        devices: Sequence[Device] = (),
        warm: bool = True,
        modules: Sequence[str] = WARM,
    ) -> None:
        self._grace, self._placer = grace, Placer(devices)
        self._starter = Starter(warm, modules)

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        """Run jobs and yield what happens: see `Engine`."""
        return _Course(self._starter, self._placer, jobs, workers, stop, self._grace).events()

    def close(self) -> None:
        """End the servers."""
        self._starter.close()


def run_jobs(
    jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never, grace: float = GRACE
) -> Iterator[Event]:
    """Run jobs on this machine, once: see `LocalEngine`, which is for several times.

    Args:
        jobs: What to do, in this order.
        workers: Processes at a time.
        stop: Asked again and again; once it is true no new job starts, and the running ones are
            told: `report` raises `Stopped` in them.
        grace: Seconds that they then have, before they are killed.
    """
    todo = list(jobs)
    with contextlib.closing(LocalEngine(grace=grace, warm=len(todo) > workers)) as engine:
        yield from engine(todo, workers, stop=stop)


class _Course:
    """One call of an engine: what waits, what is at work, and what is heard."""

    def __init__(
        self,
        starter: Starter,
        placer: Placer,
        jobs: Iterable[Job],
        workers: int,
        stop: Callable[[], bool],
        grace: float,
    ) -> None:
        self.starter, self.placer = starter, placer
        self.workers, self.stop, self.grace = workers, stop, grace
        self.waiting, self.working = deque(jobs), list[JobAtWork]()
        self.patience_ends = math.inf
        self.kills = KernelKills()

    def events(self) -> Iterator[Event]:
        try:
            while self.waiting or self.working:
                self._look_whether_to_stop()
                self.kills.look()
                yield from self._start()
                for work in self._speaking():
                    if event := self._hear(work):
                        yield event
                yield from self._end_overdue()
        finally:
            for work in list(self.working):
                self._close(work)

    def _look_whether_to_stop(self) -> None:
        if self.patience_ends == math.inf and self.stop():
            self.patience_ends = time.monotonic() + self.grace
            self.waiting.clear()
            for work in self.working:
                work.tell_to_stop()

    def _start(self) -> Iterator[Failed]:
        """Start what there is room for; a job that waits for room is not overtaken."""
        while self.waiting and len(self.working) < self.workers:
            device = self.placer.place(self.waiting[0])
            if device is None:
                return
            job = self.waiting.popleft()
            try:
                self.working.append(put_to_work(job, device, self.starter))
            except OSError as error:
                self.placer.free(job, device)
                reason = f"no process could be started for it: {error.strerror or error}"
                yield Failed(job, reason, "", "environment")

    def _speaking(self) -> list[JobAtWork]:
        """Those that have something to say, or have ended; waits a little for one."""
        servers = {server.fileno(): server for server in self.starter.servers()}
        ready = wait([*(work.pipe for work in self.working), *servers], _TICK)
        for file, server in servers.items():
            if file in ready:
                server.hear()
        return [work for work in self.working if work.pipe in ready or work.process.over]

    def _hear(self, work: JobAtWork) -> Event | None:
        event = work.hear()
        if isinstance(event, Begun):
            return None
        if isinstance(event, Message):
            return event
        if not event and work.unborn:
            event = self._once_more(work)
        else:
            event = event or work.died(self.kills)
        self._close(work)
        return event

    def _once_more(self, work: JobAtWork) -> Event | None:
        """Where no server can begin, a new interpreter can, or it can say what is wrong."""
        self.starter.give_up(work.servers_words())
        if self.patience_ends < math.inf:
            return Interrupted(work.job)
        self.waiting.appendleft(work.job)
        return None

    def _end_overdue(self) -> Iterator[Event]:
        if time.monotonic() > self.patience_ends:
            for work in list(self.working):
                self._close(work)
                yield Interrupted(work.job)
        for work in [work for work in self.working if work.overdue]:
            event = work.timed_out()
            self._close(work)
            yield event

    def _close(self, work: JobAtWork) -> None:
        self.working.remove(work)
        work.close()
        self.placer.free(work.job, work.device)
