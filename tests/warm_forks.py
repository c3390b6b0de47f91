"""What runs start as new interpreters, as forks of one process that has loaded everything.

A new interpreter loads torch for seconds, and most of what tests look at is the same in a fork.
Tests of processes themselves and a few of whole runs start real ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ablate.engines import at_work
from ablate.engines.forking import ForkedProcess, Server
from ablate.engines.job import Job
from ablate.engines.starting import Starter, environment_of
from tests.warm_runner import plain_report

FOLDER = "ABLATE_TESTS_FOLDER"  # see tests.warm_worker
ROOT = Path(__file__).parents[1]
LOADED = (
    "ablate.trials.trial",
    "ablate.runs.rehearsing",
    "ablate.costs.placing",
    "ablate.costs.resident",
    "ablate.costs.sitting",
    "ablate.composition.forecasting",
    "ablate.latency_model.measuring",
    "ablate.crossover.timing",
    "ablate.profiling.crosscheck",
    "tests.warm_worker",
)


class WarmForks:
    """A server for each number of threads, which all engines share."""

    def __init__(self) -> None:
        self._servers: dict[int, Server] = {}

    @contextlib.contextmanager
    def instead(self) -> Iterator[None]:
        """Meanwhile every process that an engine starts is a fork of ours."""

        def start(
            starter: Starter, job: Job, environment: Mapping[str, str], pipe: int, errors: int
        ) -> ForkedProcess:
            return self._server(job, environment).fork(pipe, errors)

        def servers(starter: Starter) -> list[Server]:
            return [server for server in self._servers.values() if not server.gone]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Starter, "start", start)
            patched.setattr(Starter, "servers", servers)
            patched.setattr(Starter, "close", lambda starter: None)
            patched.setattr(at_work, "environment_of", _environment)
            yield

    @contextlib.contextmanager
    def brief(self) -> Iterator[None]:
        """Meanwhile runs are brief: forks, no forecast of memory, a line for a report."""
        with self.instead(), pytest.MonkeyPatch.context() as patched:
            patched.setattr("ablate.costs.counts.memory_rows", lambda *given: ([], []))
            patched.setattr("ablate.runs.running.write_report", plain_report)
            yield

    def close(self) -> None:
        """End the servers."""
        for server in self._servers.values():
            server.close()

    def _server(self, job: Job, environment: Mapping[str, str]) -> Server:
        known = self._servers.get(job.threads)
        if known is None or known.gone:
            with contextlib.chdir(ROOT):  # where we are may be gone soon
                known = Server({**environment, "OPENBLAS_NUM_THREADS": "1"}, LOADED)
            self._servers[job.threads] = known
        return known


def _environment(job: Job, device: str) -> dict[str, str]:
    return {**environment_of(job, device), FOLDER: str(Path.cwd())}
