"""Starts the processes that jobs run in: forks of a warm server, or new interpreters."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ablate.engines.forking import Server
from ablate.engines.job import PARENT_ON_CUDA, Job
from ablate.engines.processes import FreshProcess, Process, search_path

WARM: Final = ("ablate.trials.trial",)
"""What a server loads: whatever a trial imports comes with it."""


class Starter:
    """Keeps a server for each number of threads, and each folder that we were in.

    Args:
        warm: Whether to keep servers at all (on Linux; elsewhere forks are not safe).
        modules: What they load.
    """

    def __init__(self, warm: bool, modules: Sequence[str]) -> None:
        self._warm, self._modules = warm and sys.platform == "linux", tuple(modules)
        self._servers: dict[tuple[int, str, str], Server] = {}

    def start(self, job: Job, environment: Mapping[str, str], pipe: int, errors: int) -> Process:
        """Start a process that waits for a job at the other end of a pipe.

        Args:
            job: For whom.
            environment: All variables of it; what libraries read as they are loaded, a server
                has read already.
            pipe: The worker's end of its pipe.
            errors: The file for what it writes.
        """
        if job.fresh or not self._warm:
            return FreshProcess(pipe, errors, environment)
        key = (job.threads, str(Path.cwd()), search_path())
        known = self._servers.get(key)
        if known and known.gone:
            known.close()
        if not known or known.gone:
            one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # else NumPy starts more as it is loaded
            self._servers[key] = Server({**environment, **one_thread}, self._modules)
        return self._servers[key].fork(pipe, errors)

    def give_up(self, words: str) -> None:
        """Start new interpreters from now on: a server could not even begin.

        Args:
            words: What it wrote last.
        """
        if self._warm:
            why = (words.strip().splitlines() or ["it said nothing"])[-1]
            text = f"trials start slowly: the process that they should be forks of ended: {why}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        self._warm = False

    def servers(self) -> list[Server]:
        """Those that there are to hear."""
        return [server for server in self._servers.values() if not server.gone]

    def close(self) -> None:
        """End all servers, and their workers with them."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()


def environment_of(job: Job, device: str) -> dict[str, str]:
    """All variables of a job: ours, and what is its own.

    Args:
        job: Whose number of threads libraries read when they load.
        device: Its CUDA_VISIBLE_DEVICES; empty to leave that as it is.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(job.threads))
    visible = {"CUDA_VISIBLE_DEVICES": device} if device else {}
    holds = {PARENT_ON_CUDA: "1" if _on_cuda() else ""}
    return {**os.environ, **threads, **visible, **holds, "PYTHONPATH": search_path()}


def _on_cuda() -> bool:
    """Whether this process has opened a CUDA device; asking opens none."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())
