"""Loaded by the servers of tests.warm_forks: a worker stands where the one who asks for it does."""

from __future__ import annotations

import os
import sys

from ablate.engines import worker
from ablate.engines.job import Job

FOLDER = "ABLATE_TESTS_FOLDER"  # the variable with the folder that a worker is to stand in

_prepare = worker._prepare


def _settled(job: Job, prepared: bool) -> None:
    """What a new interpreter has from its start: its folder, and where it finds modules."""
    os.chdir(os.environ[FOLDER])
    sys.path[:] = os.environ["PYTHONPATH"].split(os.pathsep)
    _prepare(job, prepared)


worker._prepare = _settled
