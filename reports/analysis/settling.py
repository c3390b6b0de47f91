"""From which checkpoint on the best few mixes are those of the end, and how often over seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from reports.analysis.fidelity import DRAWS, SEED
from reports.analysis.statistics import Numbers, resampled_means

CANDIDATES = 50  # mixes that may be among the best few in a draw: so many lead at some checkpoint


def settled(course: Numbers, k: int) -> int:
    """From which checkpoint on the best k are those of the end, in any order.

    Args:
        course: (checkpoints, mixes), finite, higher is better; the last row is the end.
        k: How many.
    """
    return int(_settled(course[:, None, :], k)[0])


def settling(values: Numbers, k: int, draws: int = DRAWS) -> Numbers:
    """How often the best k have settled by each checkpoint, when seeds are drawn again.

    Args:
        values: (checkpoints, mixes, seeds), higher is better; NaN where a mix lacks a seed, every
            mix has one; the last row is the end.
        k: How many.
        draws: Resamples of the seeds, the same for every mix and checkpoint.

    Returns:
        (checkpoints,), rising to 1; NaN with a single seed.
    """
    if values.shape[2] < 2:
        return np.full(len(values), math.nan)
    means = np.nansum(values, axis=2) / np.maximum((~np.isnan(values)).sum(axis=2), 1)
    leading = np.unique(np.argsort(-means, axis=1)[:, :CANDIDATES])
    course = [resampled_means(at, draws, np.random.default_rng(SEED)) for at in values[:, leading]]
    first = _settled(np.stack(course), k)  # (draws,)
    return np.array([(first <= checkpoint).mean() for checkpoint in range(len(values))])


def _settled(course: Numbers, k: int) -> NDArray[np.int64]:
    """The first of the checkpoints that are as the end: (checkpoints, draws, mixes) -> (draws,)."""
    best = np.sort(np.argsort(-course, axis=2, kind="stable")[:, :, :k], axis=2)
    same = (best == best[-1]).all(axis=2)  # (checkpoints, draws)
    lasting = np.cumprod(same[::-1], axis=0).sum(axis=0)
    return np.asarray(len(course) - lasting, dtype=np.int64)
