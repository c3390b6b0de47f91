"""Runs jobs on the hosts of a Ray cluster; whoever starts them keeps all that comes of them.

Ray decides where a job runs and carries what goes there and back. On its host the job runs in a
process of its own, by the same code as on one machine, so that it comes to the same result and
fails in the same ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ablate.engines.job import Event, Job, never
from ablate.engines.ray_cluster import Cluster
from ablate.engines.ray_course import Course


def _silent(text: str) -> None:
    """Nobody is told."""


class RayEngine:
    """Runs jobs on a Ray cluster.

    Args:
        address: The cluster, as `ray start` printed it; "auto" for the one that this machine
            belongs to; empty to start Ray on this machine alone, until the engine is closed.
        gpus: GPUs that a job is given: 0 for none, 0.5 to share one with another job.
        again: How often a job is started anew that was lost with its host.
        tell: Told in a line what the user should know.

    Raises:
        EngineError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(
        self,
        *,
        address: str = "",
        gpus: float = 0.0,
        again: int = 3,
        tell: Callable[[str], None] = _silent,
    ) -> None:
        self.cluster = Cluster(address)
        self.gpus, self.again, self.tell = gpus, again, tell
        there = self.cluster.resources()
        for name, needed in (("CPU", 1.0), ("GPU", gpus)):
            if there.get(name, 0.0) < needed:
                tell(f"no host of the cluster has a {name} for a trial now; trials wait for one")

    def slots(self, threads: int = 1) -> int:
        """How many jobs the cluster can run at a time, as large as it is now; at least 1."""
        there = self.cluster.resources()
        most = there.get("CPU", 0.0) / threads
        if self.gpus:
            most = min(most, there.get("GPU", 0.0) / self.gpus)
        return max(1, int(most))

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        """Run jobs in their order, at most `workers` at a time: see `Engine`.

        A job that is lost with its host is started anew; lost more often than `again`, it failed.
        """
        course = Course(
            self.cluster, jobs, workers, stop, gpus=self.gpus, again=self.again, tell=self.tell
        )
        return course.events()

    def close(self) -> None:
        """Tidy up the hosts, and end Ray if it was started for this engine."""
        self.cluster.close()
