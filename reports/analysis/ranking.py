"""Which of several timed things is faster, and where that can't be said: pure numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.statistics import Numbers, t_quantile

Truths = NDArray[np.bool_]
Ratio = Callable[[int, int], tuple[float, float, float]]  # of two subjects, with its interval

LEVEL = 0.95
MEDIAN_COST = math.sqrt(math.pi / 2)  # standard error of a median over that of a mean, normal
MAD_TO_SD = 1.4826  # of normal values
LARGEST = 700.0  # of which the exponential is still a number


@dataclass(frozen=True)
class Comparison:
    """Every pair of subjects held against each other, as logarithms of ratios.

    Args:
        subjects: Who was timed.
        level: Of each subject, the logarithm of its share of a round: (subjects,).
        half: Half the 95 % interval of the difference of two levels: (subjects, subjects);
            infinite where nothing can be said.
        processes: Fresh processes that agree or do not.
        rounds: Rounds in all of them.
    """

    subjects: tuple[str, ...]
    level: Numbers
    half: Numbers
    processes: int
    rounds: int

    def ratio(self, one: int, other: int) -> tuple[float, float, float]:
        """How many times longer one takes than the other, with its interval.

        Its upper end is infinite where nothing can be said.
        """
        return ratio_of(float(self.level[one] - self.level[other]), float(self.half[one, other]))

    @property
    def slower(self) -> Truths:
        """Whether the first of a pair is slower beyond doubt: (subjects, subjects)."""
        beyond: Truths = self.level[:, None] - self.level[None, :] > self.half
        return beyond


def ratio_of(gap: float, half: float) -> tuple[float, float, float]:
    """A ratio with its interval, from its logarithm and half the interval of that."""
    most = math.exp(gap + half) if gap + half < LARGEST else math.inf
    return math.exp(gap), math.exp(gap - half), most


@dataclass(frozen=True)
class Place:
    """Where one subject stands among the others.

    Args:
        subject: Who.
        low: The best rank that it may have, from 1.
        high: The worst.
        ratio: How many times longer it takes than the first; with the ends of the interval.
        ratio_low: Lower end.
        ratio_high: Upper end; infinite where nothing can be said.
        tied: Those that it is not separable from, the nearest first.
    """

    subject: str
    low: int
    high: int
    ratio: float
    ratio_low: float
    ratio_high: float
    tied: tuple[str, ...]


def compare(samples: pd.DataFrame) -> Comparison:
    """Hold all subjects of one sitting against each other, round by round.

    In each round a subject has a share: its time over the geometric mean of the round, so that what
    slows down all alike drops out. A process says the median share; processes are the independent
    repetitions, so the interval of a pair is Student's over them. Three processes say little of
    one pair's spread: it is taken from all subjects together, or from the pair's own where that is
    larger. (Resampling three processes instead calls one true tie in ten a difference.) A single
    process has its rounds alone to go by.

    Args:
        samples: Columns subject, process, round, value; of one metric, mode and sitting. Rounds
            that lack a subject are left out.

    Raises:
        ValueError: No round has all subjects, or a value is not positive.
    """
    logs = shares(samples)
    tables = [
        table.to_numpy(dtype=float) for _, table in logs.groupby(level="process", observed=True)
    ]
    medians = np.stack([np.median(table, axis=0) for table in tables])  # (processes, subjects)
    spread, counts, degrees = _over_processes(medians)
    if len(tables) == 1:
        spread, counts, degrees = _over_rounds(tables[0])
    quantile = t_quantile(0.5 + LEVEL / 2, degrees) if degrees else math.inf
    half = quantile * spread / math.sqrt(counts)
    np.fill_diagonal(half, 0.0)
    return Comparison(
        subjects=tuple(map(str, logs.columns)),
        level=medians.mean(axis=0),
        half=half,
        processes=len(tables),
        rounds=len(logs),
    )


def places(found: Comparison) -> tuple[Place, ...]:
    """Every subject with the ranks that it may have, the fastest first."""
    return _places(found.subjects, found.level, found.slower, found.ratio)


def overlapping(
    subjects: Sequence[str], value: Numbers, low: Numbers, high: Numbers
) -> tuple[Place, ...]:
    """The same from intervals alone, where rounds can't be paired: apart if they do not overlap.

    Args:
        subjects: Who.
        value: (subjects,), positive.
        low: Lower ends; NaN where there is no interval, and then nothing is claimed of it.
        high: Upper ends.
    """
    least, most = np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), math.inf, high)

    def ratio(one: int, other: int) -> tuple[float, float, float]:
        between = float(value[one] / value[other])
        if one == other:
            return between, 1.0, 1.0
        ends = math.inf if least[other] <= 0 else float(most[one] / least[other])
        return between, float(least[one] / most[other]), ends

    return _places(tuple(subjects), value, least[:, None] > most[None, :], ratio)


def _places(
    subjects: tuple[str, ...], level: Numbers, slower: Truths, ratio: Ratio
) -> tuple[Place, ...]:
    order = [int(at) for at in np.argsort(level, kind="stable")]
    rows = []
    for at in order:
        away = np.abs(level - level[at])
        doubtful = np.flatnonzero(~slower[at] & ~slower[:, at])
        tied = sorted((int(other) for other in doubtful if other != at), key=away.__getitem__)
        rows.append(
            Place(
                subjects[at],
                1 + int(slower[at].sum()),
                len(subjects) - int(slower[:, at].sum()),
                *ratio(at, order[0]),
                tuple(subjects[other] for other in tied),
            )
        )
    return tuple(rows)


def shares(samples: pd.DataFrame) -> pd.DataFrame:
    """Logarithms of shares of the round: a row per process and round, a column per subject.

    Raises:
        ValueError: No round has all subjects, or a value is not positive.
    """
    wide = samples.pivot_table(
        index=["process", "round"], columns="subject", values="value", aggfunc="last", observed=True
    ).dropna()
    if wide.empty:
        count = samples["subject"].nunique()
        raise ValueError(f"no round timed all subjects; got {count} in {len(samples)} visits")
    if not bool((wide > 0).all(axis=None)):
        raise ValueError(f"a time is not positive; got {wide.to_numpy(dtype=float).min():g} s")
    logs = pd.DataFrame(np.log(wide.to_numpy(dtype=float)), wide.index, wide.columns)
    return logs.sub(logs.mean(axis=1), axis=0)


def _over_processes(medians: Numbers) -> tuple[Numbers, int, int]:
    """Standard deviation of each pair's difference between processes, how many, and degrees."""
    processes, subjects = medians.shape
    if processes < 2:
        return np.full((subjects, subjects), math.inf), 1, 0
    gaps = medians[:, :, None] - medians[:, None, :]  # (processes, subjects, subjects)
    own = gaps.var(axis=0, ddof=1)
    distinct = np.unique(medians, axis=1)  # mixes that are one network count once
    typical = 2.0 * float(distinct.var(axis=0, ddof=1).mean())
    spread: Numbers = np.sqrt(np.where(own > 0, np.maximum(own, typical), own))
    return spread, processes, max(distinct.shape[1] - 1, 1) * (processes - 1)


def _over_rounds(table: Numbers) -> tuple[Numbers, int, int]:
    """The same of medians over the rounds of one process, robust against disturbed rounds."""
    rounds, subjects = table.shape
    if rounds < 2:
        return np.full((subjects, subjects), math.inf), 1, 0
    spread = np.empty((subjects, subjects))
    for at in range(subjects):
        gaps = table[:, [at]] - table
        middle = np.median(gaps, axis=0)
        spread[at] = MEDIAN_COST * MAD_TO_SD * np.median(np.abs(gaps - middle), axis=0)
    return spread, rounds, rounds - 1
