"""Jobs on their way through a Ray cluster: sent, heard of, lost and sent again."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ablate.engines.errand import PAUSE, News, keep_files, pack
from ablate.engines.job import Event, Failed, Interrupted, Job
from ablate.engines.local import GRACE
from ablate.engines.ray_cluster import Cluster
from ablate.engines.ray_node import Bell, errand_on_node

TICK = 0.2  # seconds between two looks at whether to stop
MARGIN = 30.0  # seconds that jobs have, beyond the grace of their host, to say that they ended
NEWS = 200  # messages a second from all jobs together, at most: more would hold up their results
_EVIDENCE = 2000  # characters kept of what Ray says of a failure


@dataclass
class _Sent:
    job: Job
    lost: int = 0  # times
    host: str = ""  # once it has begun
    began: float = math.inf  # as time.monotonic() counts
    before: float = 0.0  # seconds of work that were lost with earlier hosts

    @property
    def seconds(self) -> float:
        """How long it has worked, over all hosts."""
        return self.before + max(0.0, time.monotonic() - self.began)


class Course:
    """One call of the engine: what waits, what runs where, and what becomes of it.

    Args:
        cluster: Where jobs run.
        jobs: In the order in which they begin.
        workers: Jobs at a time.
        stop: Whether the run wants its jobs to end.
        gpus: GPUs of a job.
        again: How often a job is sent anew that was lost with its host.
        tell: Told in a line what the user should know.
    """

    def __init__(
        self,
        cluster: Cluster,
        jobs: Iterable[Job],
        workers: int,
        stop: Callable[[], bool],
        *,
        gpus: float,
        again: int,
        tell: Callable[[str], None],
    ) -> None:
        self.cluster, self.ray, self.workers, self.stop = cluster, cluster.ray, workers, stop
        self.again, self.tell, self.jobs = again, tell, iter(jobs)
        self.anew: deque[_Sent] = deque()
        self.running: dict[Any, _Sent] = {}  # by the stream of its news
        self.deadline = 0.0  # once the jobs were told to end
        actor = self.ray.remote(num_cpus=0)(Bell)
        self.bell = actor.options(scheduling_strategy=cluster.only()).remote()
        self.gpus = gpus
        self.task = self.ray.remote(num_returns="streaming", max_retries=0)(errand_on_node)

    def events(self) -> Iterator[Event]:
        """What happens, until all is done; whoever leaves early ends the jobs."""
        try:
            while True:
                yield from self._fill()
                if not self.running:
                    return
                for stream in self._ready():
                    if (event := self._hear(stream)) is not None:
                        yield event
                yield from self._end_if_asked()
        finally:
            for stream in self.running:
                self.ray.cancel(stream, force=True)
            self.ray.kill(self.bell)

    def _ready(self) -> list[Any]:
        """Streams with news; to look at all of them takes as long as to look for one."""
        streams = list(self.running)
        first, _ = self.ray.wait(streams, num_returns=1, timeout=TICK)
        if not first or len(streams) == 1:
            return list(first)
        ready, _ = self.ray.wait(streams, num_returns=len(streams), timeout=0)
        return list(ready)

    def _fill(self) -> Iterator[Failed]:
        """Send jobs until as many run as may; one whose files are missing has failed."""
        while not self.deadline and len(self.running) < self.workers:
            sent = self.anew.popleft() if self.anew else self._next()
            if sent is None:
                return
            try:
                stream = self._send(sent.job)
            except OSError as error:
                reason = f"{error.filename}: cannot be sent ({error.strerror})"
                yield Failed(sent.job, reason, "", "environment")
            else:
                self.running[stream] = sent

    def _next(self) -> _Sent | None:
        job = next(self.jobs, None)
        return None if job is None else _Sent(job)

    def _send(self, job: Job) -> Any:
        pause = max(PAUSE, self.workers / NEWS)
        errand = pack(job, self.cluster.run, self.cluster.marks, pause)
        contents = {p.name: self.cluster.store(p) for p in errand.parcels.values()}
        task = self.task.options(
            num_cpus=job.threads,
            num_gpus=self.gpus,
            scheduling_strategy="SPREAD",
            name=job.name,
        )
        return task.remote(errand, contents, self.bell)

    def _hear(self, stream: Any) -> Event | None:
        """The next news of a job, as an event if it is one."""
        sent = self.running.pop(stream)
        try:
            news: News = self.ray.get(next(stream))
        except StopIteration:  # it was not begun, since the run wants to end
            return None
        except self.ray.exceptions.RayError as error:
            return self._broken(sent, error)
        if news.kind in ("began", "message"):
            self.running[stream] = sent  # behind the others: each has its turn
            if news.kind == "began":
                sent.host, sent.began = str(news.content), time.monotonic()
            return news.event(sent.job)
        try:
            keep_files(news.files)
        except OSError as error:
            reason = f"{error.filename}: cannot be written ({error.strerror})"
            return Failed(sent.job, reason, "", "environment")
        return news.event(sent.job)

    def _broken(self, sent: _Sent, error: Exception) -> Event | None:
        """What it means that Ray cannot say how a job ended."""
        kinds, evidence = self.ray.exceptions, str(error)[-_EVIDENCE:]
        if self.deadline:
            return Interrupted(sent.job) if sent.host else None
        if isinstance(error, kinds.OutOfMemoryError):
            reason = f"host {sent.host}: Ray ended the job because the memory was nearly full"
            return Failed(sent.job, reason, evidence, "out of memory", sent.seconds)
        if isinstance(error, kinds.RayTaskError | kinds.RuntimeEnvSetupError):
            return Failed(sent.job, _told(error), evidence, "environment", sent.seconds)
        lost, where = sent.lost + 1, f"host {sent.host}" if sent.host else "a host"
        if lost > self.again:
            reason = f"lost with its host ({lost} times in all; last: {where})"
            return Failed(sent.job, reason, evidence, "lost", sent.seconds)
        self.tell(f"{where} was lost; its job {sent.job.name} starts anew")
        self.anew.append(_Sent(sent.job, lost, before=sent.seconds))
        return None

    def _end_if_asked(self) -> Iterator[Interrupted]:
        """Tell the jobs to end when the run wants that, and give up those that do not."""
        if not self.deadline and self.stop():
            self.deadline = time.monotonic() + GRACE + MARGIN
            self.bell.ring.remote()
            for stream in [s for s, sent in self.running.items() if not sent.host]:
                self.ray.cancel(stream)  # of one that never ran Ray may say nothing
                del self.running[stream]
        if self.deadline and time.monotonic() > self.deadline:
            for stream in list(self.running):
                self.ray.cancel(stream, force=True)
                yield Interrupted(self.running.pop(stream).job)


def _told(error: Exception) -> str:
    """The last line of what Ray says, which is the exception on the other host."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
