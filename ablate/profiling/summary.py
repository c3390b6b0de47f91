"""From raw latency samples to one number per network, with an interval and a word of warning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ablate.profiling.reference import REFERENCE

RESAMPLES: Final = 1000
MUCH_FLAGGED: Final = 0.2  # share of disturbed visits from which wall time is not believed

Array = NDArray[np.float64]
Estimator = Callable[[Sequence[Array]], Array]  # per process (rounds, subjects) -> (subjects,)


@dataclass(frozen=True, kw_only=True)
class LatencySample:
    """One timed visit.

    Args:
        subject: Which network.
        process: Number of the process in the sitting.
        round: Number of the round in the process.
        seconds: Wall time of one call (device time on CUDA).
        cpu_seconds: CPU time of one call; NaN where it does not stand for the work.
        flagged: Something else had the processor meanwhile, or the device was slowed down.
    """

    subject: str
    process: int
    round: int
    seconds: float
    cpu_seconds: float
    flagged: bool


@dataclass(frozen=True, kw_only=True)
class LatencySummary:
    """What one network takes.

    Args:
        seconds: One call.
        low: Lower end of the 95 % interval over rounds and processes. It holds for comparisons
            within the sitting: what slows down all networks alike is not in it.
        high: Upper end of that interval.
        p90: Nine in ten visits took no longer, in seconds of wall time.
        relative: `seconds` over those of the reference network.
        n: Timed visits.
        note: What to know before believing it; empty when all went well.
    """

    seconds: float
    low: float
    high: float
    p90: float
    relative: float
    n: int
    note: str


def summarise(samples: Sequence[LatencySample], seed: int = 0) -> dict[str, LatencySummary]:
    """One summary per subject, the reference among them, from all the processes of a sitting.

    A network's share in a round is its time over the geometric mean of the round. The estimate is
    the median share over rounds, the median of that over processes, times the median round. Where
    too many visits were disturbed it is the least CPU time over rounds, median over processes.

    Raises:
        ValueError: There are no samples, or a round lacks a subject that others have.
    """
    subjects, wall, _ = _tables(samples)
    estimates, resampled, note = _estimates(samples, seed)
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    p90 = np.quantile(np.concatenate(wall), 0.9, axis=0)
    relative = estimates / (estimates[subjects.index(REFERENCE)] if REFERENCE in subjects else 1)
    return {
        subject: LatencySummary(
            seconds=float(estimates[i]),
            low=float(min(low[i], estimates[i])),
            high=float(max(high[i], estimates[i])),
            p90=float(p90[i]),
            relative=float(relative[i]) if REFERENCE in subjects else float("nan"),
            n=sum(len(table) for table in wall),
            note=note,
        )
        for i, subject in enumerate(subjects)
    }


def separable(samples: Sequence[LatencySample], first: str, second: str, seed: int = 0) -> bool:
    """Whether the 95 % interval of the ratio of two subjects' times leaves out 1.

    Raises:
        ValueError: There are no samples of one of them, or a round lacks a subject.
    """
    subjects, _, _ = _tables(samples)
    for subject in (first, second):
        if subject not in subjects:
            raise ValueError(f"no latency samples of '{subject}' (subjects: {', '.join(subjects)})")
    _, resampled, _ = _estimates(samples, seed)
    ratios = resampled[:, subjects.index(first)] / resampled[:, subjects.index(second)]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return not bool(low <= 1 <= high)


def _estimates(samples: Sequence[LatencySample], seed: int) -> tuple[Array, Array, str]:
    """The estimate (subjects,), its resamples (RESAMPLES, subjects) and a note."""
    _, wall, cpu = _tables(samples)
    flagged = sum(sample.flagged for sample in samples) / len(samples)
    busy = flagged > MUCH_FLAGGED
    by_cpu = busy and all(np.isfinite(table).all() for table in cpu)
    estimator = _least if by_cpu else _paired
    tables = cpu if by_cpu else [_shares(table) for table in wall]
    scale = 1.0 if by_cpu else float(np.median([np.median(_round_means(t)) for t in wall]))
    resampled = _bootstrap(tables, estimator, seed)
    note = _warning(flagged, by_cpu) if busy else ""
    return estimator(tables) * scale, resampled * scale, note


def _warning(flagged: float, by_cpu: bool) -> str:
    how = "least CPU time is given" if by_cpu else "wall time is given all the same"
    return f"the machine was busy: {100 * flagged:.0f} % of the timed visits were disturbed; {how}"


def _tables(samples: Sequence[LatencySample]) -> tuple[list[str], list[Array], list[Array]]:
    """Subjects in order, and per process their wall and CPU seconds as (rounds, subjects)."""
    if not samples:
        raise ValueError("there are no latency samples to summarise")
    subjects = sorted({sample.subject for sample in samples})
    rounds: dict[tuple[int, int], dict[str, LatencySample]] = {}
    for sample in samples:
        rounds.setdefault((sample.process, sample.round), {})[sample.subject] = sample
    for (process, number), visits in rounds.items():
        if missing := sorted(set(subjects) - set(visits)):
            raise ValueError(
                f"round {number} of process {process} lacks '{missing[0]}'; "
                "every round of a sitting visits every network"
            )
    processes: dict[int, list[dict[str, LatencySample]]] = {}
    for (process, _), visits in sorted(rounds.items(), key=lambda item: item[0]):
        processes.setdefault(process, []).append(visits)
    wall = [np.array([[v[s].seconds for s in subjects] for v in p]) for p in processes.values()]
    cpu = [np.array([[v[s].cpu_seconds for s in subjects] for v in p]) for p in processes.values()]
    return subjects, wall, cpu


def _round_means(table: Array) -> Array:
    """The geometric mean of each round, (rounds,)."""
    means: Array = np.exp(np.log(table).mean(axis=1))
    return means


def _shares(table: Array) -> Array:
    return table / _round_means(table)[:, None]


def _paired(tables: Sequence[Array]) -> Array:
    medians: Array = np.median([np.median(table, axis=0) for table in tables], axis=0)
    return medians


def _least(tables: Sequence[Array]) -> Array:
    medians: Array = np.median([table.min(axis=0) for table in tables], axis=0)
    return medians


def _bootstrap(tables: Sequence[Array], estimator: Estimator, seed: int) -> Array:
    """The estimate again and again, from processes and their rounds drawn with replacement."""
    rng = np.random.default_rng(seed)
    drawn = np.empty((RESAMPLES, tables[0].shape[1]))
    for row in drawn:
        chosen = [tables[i] for i in rng.integers(len(tables), size=len(tables))]
        row[:] = estimator([table[rng.integers(len(table), size=len(table))] for table in chosen])
    return drawn
