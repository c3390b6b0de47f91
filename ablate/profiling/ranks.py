"""Which networks are faster than which, only where it can be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ablate.profiling.samples import LatencySample, tables

if TYPE_CHECKING:
    from reports.analysis.ranking import Comparison


def compare_samples(samples: Sequence[LatencySample]) -> Comparison:
    """Hold all subjects against each other: shares of rounds, processes as the repetitions.

    Where too many visits were disturbed, and CPU time is known, a process says its least CPU time
    instead of its median share.

    Raises:
        ValueError: There are no samples, or a round lacks a subject that others have.
    """
    import pandas as pd

    from reports.analysis.ranking import compare

    found = tables(samples)
    values = [table.min(axis=0, keepdims=True) for table in found.cpu] if found.by_cpu else None
    frames = [
        pd.DataFrame(
            {
                "subject": subject,
                "process": process,
                "round": np.arange(len(table)),
                "value": table[:, at],
            }
        )
        for process, table in enumerate(values or found.wall)
        for at, subject in enumerate(found.subjects)
    ]
    return compare(pd.concat(frames, ignore_index=True))
