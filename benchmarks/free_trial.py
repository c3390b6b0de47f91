"""A trial that takes no time, in a module that loads nothing of its own."""

from __future__ import annotations

import sys

from ablate.engines.job import Reporter
from ablate.engines.starting import WARM


def free(loaded: bool, report: Reporter) -> None:
    """Do nothing, in a process that could train at once.

    Args:
        loaded: Whether it must have been loaded already what a trial needs; else it is loaded now.
        report: Told nothing.
    """
    for module in WARM:
        if module not in sys.modules:
            if loaded:
                raise RuntimeError(f"{module} is not loaded: this process could not train yet")
            __import__(module)
