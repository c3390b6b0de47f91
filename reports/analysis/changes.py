"""What takes longer or shorter than it did in an earlier sitting: pure numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.ranking import LEVEL, MEDIAN_COST, ratio_of, shares
from reports.analysis.statistics import Numbers, t_quantile

REFERENCE = "reference"  # the network that stands in every sitting
ROUNDING = 1e-9  # a difference that numbers alone can make
FEWEST = 3  # subjects, of which the middle one is what the others are held against


@dataclass(frozen=True)
class Change:
    """How many times longer something takes than it did, beside the same others.

    Args:
        subject: What.
        ratio: After over before.
        low: Lower end of its interval.
        high: Upper end; infinite where nothing can be said.
    """

    subject: str
    ratio: float
    low: float
    high: float

    @property
    def apart(self) -> bool:
        """Whether it changed beyond doubt."""
        return self.low > 1.0 or self.high < 1.0


@dataclass(frozen=True)
class Changes:
    """What changed from one sitting to another.

    Args:
        each: Every subject that both timed but the reference, beside the middle one of them all;
            the intervals hold for all of them together.
        common: What all but the reference took beside the reference, in the middle; None where
            the reference was not timed, or is what they are held against.
        processes: Of the two sittings together.
    """

    each: tuple[Change, ...]
    common: Change | None
    processes: int


@dataclass(frozen=True)
class _Levels:
    """Logarithms of shares of a sitting, (subjects,), and the variance of each subject's own mean.

    Shares have the mean of the round taken off, which is what makes them vary less than that.
    """

    level: Numbers
    variance: Numbers
    degrees: int
    processes: int


def changes(before: pd.DataFrame, after: pd.DataFrame) -> Changes:
    """Hold each subject's share of two sittings against each other.

    What slowed down all alike drops out, as the middle subject is taken to be unchanged; beside
    the reference network, whose code never changes, it is told apart. The median share of a
    process is one repetition; the spread of a subject is at least that of all together, because
    few processes say little. Intervals are Student's, widened so that with 95 % probability all of
    them hold (Sidak 1967).

    Args:
        before: Columns subject, process, round, value; of one metric, mode and sitting.
        after: The same of another sitting.

    Raises:
        ValueError: The sittings have too few subjects in common, no round has all of them, or a
            value is not positive.
    """
    common = sorted(set(before["subject"]) & set(after["subject"]))
    mixes = [name for name in common if name != REFERENCE]
    if not mixes or (len(common) < FEWEST and REFERENCE not in common):
        raise ValueError(
            f"two sittings need the reference network and another, or {FEWEST} networks, in "
            f"common to tell which of them changed; these have {len(common)}"
        )
    first, second = (_levels(frame[frame["subject"].isin(common)]) for frame in (before, after))
    gaps, variance = second.level - first.level, first.variance + second.variance
    at = {name: number for number, name in enumerate(common)}
    usual, doubt = float(np.median(gaps)), 0.0  # it goes along with each that it is the middle of
    if len(common) < FEWEST:
        usual, doubt = float(gaps[at[REFERENCE]]), float(variance[at[REFERENCE]])
    degrees = first.degrees + second.degrees
    each = tuple(
        _change(name, gaps[at[name]] - usual, variance[at[name]] + doubt, degrees, len(mixes))
        for name in mixes
    )
    shift = None
    if REFERENCE in common and len(common) >= FEWEST:
        inside = [at[name] for name in mixes]
        gap = float(np.median(gaps[inside]) - gaps[at[REFERENCE]])
        doubt = _of_a_median(variance[inside]) + float(variance[at[REFERENCE]])
        shift = _change("", gap, doubt, degrees, 1)
    return Changes(each, shift, first.processes + second.processes)


def _change(subject: str, gap: float, variance: float, degrees: int, among: int) -> Change:
    probability = 0.5 + LEVEL ** (1.0 / among) / 2.0
    quantile = t_quantile(probability, degrees) if degrees else math.inf
    half = quantile * math.sqrt(variance) if math.isfinite(variance) else math.inf
    return Change(subject, *ratio_of(float(gap), max(half, ROUNDING)))


def _of_a_median(variance: Numbers) -> float:
    """Variance of the median of so many independent numbers."""
    return MEDIAN_COST**2 * float(variance.mean()) / len(variance)


def _levels(samples: pd.DataFrame) -> _Levels:
    logs = shares(samples)
    tables = [
        table.to_numpy(dtype=float) for _, table in logs.groupby(level="process", observed=True)
    ]
    medians = np.stack([np.median(table, axis=0) for table in tables])  # (processes, subjects)
    processes, subjects = medians.shape
    rounds = len(tables[0])
    if processes > 1:
        variance = medians.var(axis=0, ddof=1) / processes
        degrees = (processes - 1) * max(subjects - 1, 1)
    elif rounds > 1:
        variance = MEDIAN_COST**2 * tables[0].var(axis=0, ddof=1) / rounds
        degrees = rounds - 1
    else:
        variance, degrees = np.full(subjects, math.inf), 0
    own = variance * subjects / max(subjects - 1, 1)
    pooled = np.maximum(own, own.mean())
    return _Levels(medians.mean(axis=0), pooled, degrees, processes)
