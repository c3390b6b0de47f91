"""A piece of work for another process, and what comes back from it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Reporter = Callable[[object], None]

PARENT_ON_CUDA = "ABLATE_PARENT_ON_CUDA"
"""Set in the environment of a job where the process that started it has a CUDA device open."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A function of ours, by module and name, with what it is called on.

    Args:
        name: Unique among the jobs of a run.
        function: "module:function"; called as function(payload, report), where report(message)
            sends a picklable message while it works.
        payload: Picklable.
        threads: CPU threads that the job may use.
        plugins: Files to load first, so that their blocks are known.
    """

    name: str
    function: str
    payload: object
    threads: int = 1
    plugins: tuple[str, ...] = ()

    def call(self, report: Reporter) -> object:
        """Do the work in this process."""
        module, _, function = self.function.partition(":")
        work: Callable[[Any, Reporter], object] = getattr(importlib.import_module(module), function)
        return work(self.payload, report)


@dataclass(frozen=True)
class Message:
    """Something that a job reported while it worked."""

    job: Job
    content: object


@dataclass(frozen=True)
class Done:
    """A job that came to its end, and its result."""

    job: Job
    result: object


@dataclass(frozen=True)
class Failed:
    """A job that did not, with the reason in one line and the end of what it wrote to stderr."""

    job: Job
    reason: str
    evidence: str


Event = Message | Done | Failed
