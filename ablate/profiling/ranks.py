"""Which networks are faster than which, only where it can be told; and what changed since."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ablate.profiling.samples import Array, LatencySample, Tables, shares, tables

if TYPE_CHECKING:
    from reports.ranking import Comparison

CHANGED = 0.01  # a change smaller than this is not called one


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Where a subject stands among those that were timed with it, 1 the fastest.

    Args:
        low: The best rank that it may have: so many less one are surely faster.
        high: The worst.
        tied: Those that it is not separable from.
    """

    low: int
    high: int
    tied: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The rank, or the range of ranks where it is not separable from others."""
        return str(self.low) if self.low == self.high else f"{self.low} to {self.high}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """How many times longer a subject takes than it did, beside the same others.

    Args:
        ratio: After over before.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    ratio: float
    low: float
    high: float


def compare_samples(samples: Sequence[LatencySample]) -> Comparison:
    """Hold all subjects against each other: shares of rounds, processes as the repetitions.

    Where too many visits were disturbed, and CPU time is known, a process says its least CPU time
    instead of its median share.

    Raises:
        ValueError: There are no samples, or a round lacks a subject that others have.
    """
    import pandas as pd

    from reports.ranking import compare

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


def ranks(samples: Sequence[LatencySample]) -> dict[str, Rank]:
    """The ranks that each subject may have, the reference network among them.

    Two subjects are apart where the 95 % interval of the ratio of their times leaves out 1.

    Raises:
        ValueError: There are no samples, or a round lacks a subject that others have.
    """
    found = compare_samples(samples)
    slower = found.slower
    apart = slower | slower.T
    count = len(found.subjects)
    return {
        subject: Rank(
            low=1 + int(slower[at].sum()),
            high=count - int(slower[:, at].sum()),
            tied=tuple(
                other
                for there, other in enumerate(found.subjects)
                if there != at and not apart[at, there]
            ),
        )
        for at, subject in enumerate(found.subjects)
    }


def separable(samples: Sequence[LatencySample], first: str, second: str) -> bool:
    """Whether the 95 % interval of the ratio of two subjects' times leaves out 1.

    Raises:
        ValueError: There are no samples of one of them, or a round lacks a subject.
    """
    found = compare_samples(samples)
    for subject in (first, second):
        if subject not in found.subjects:
            listed = ", ".join(found.subjects)
            raise ValueError(f"no latency samples of '{subject}' (subjects: {listed})")
    one, other = found.subjects.index(first), found.subjects.index(second)
    return bool(found.slower[one, other] or found.slower[other, one])


def changes(
    before: Sequence[LatencySample], after: Sequence[LatencySample], least: float = CHANGED
) -> dict[str, Change]:
    """Subjects that take another part of the whole than in an earlier sitting; others left out.

    Each is held against all that both sittings timed: what slowed them down alike is no change.

    Args:
        before: Samples of the earlier sitting.
        after: Samples of the later one.
        least: A ratio nearer to 1 than this is not called a change, however sure it is.

    Raises:
        ValueError: The sittings have fewer than three subjects in common, so that it cannot be
            told which of them changed; or a round lacks a subject.
    """
    common = {s.subject for s in before} & {s.subject for s in after}
    if len(common) < 3:
        raise ValueError(
            "to tell which network changed, two sittings need three subjects in common; "
            f"these have {len(common)}"
        )
    first, second = (
        tables([sample for sample in samples if sample.subject in common])
        for samples in (before, after)
    )
    moved, error = _moved(first, second)
    found = {}
    for subject, gap, half in zip(first.subjects, moved, error, strict=True):
        if abs(gap) > max(half, math.log1p(least)):
            ends = (math.exp(gap - half), math.exp(gap + half))
            found[subject] = Change(ratio=math.exp(gap), low=ends[0], high=ends[1])
    return found


def _moved(first: Tables, second: Tables) -> tuple[Array, Array]:
    """Logarithms of ratios (subjects,), the median subject at 0, and half their intervals."""
    by_cpu = (first.by_cpu or second.by_cpu) and first.cpu_known and second.cpu_known
    levels = [_levels(found, by_cpu) for found in (first, second)]
    gaps = np.array([level.mean(axis=0) for level, _ in levels])
    moved = gaps[1] - gaps[0]
    error = np.sqrt(sum(spread**2 for _, spread in levels))
    return moved - np.median(moved), 2.0 * error


def _levels(found: Tables, by_cpu: bool) -> tuple[Array, Array]:
    """Logarithms of shares, (processes, subjects), and the standard errors of their means.

    Few processes say little of one subject's spread: it is at least that of all together.
    """
    rows = [np.log(shares(table)) for table in (found.cpu if by_cpu else found.wall)]
    pick = np.min if by_cpu else np.median
    levels = np.array([pick(row, axis=0) for row in rows])
    if len(levels) > 1:
        own = levels.std(axis=0, ddof=1) / math.sqrt(len(levels))
    elif len(rows[0]) > 1:  # a median varies by a quarter more than a mean
        own = 1.25 * rows[0].std(axis=0, ddof=1) / math.sqrt(len(rows[0]))
    else:
        own = np.full(len(found.subjects), math.inf)
    return levels, np.maximum(own, math.sqrt(float((own**2).mean())))
