"""Raw latency samples, and the tables that everything else is computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MUCH_FLAGGED: Final = 0.2  # share of disturbed visits from which wall time is not believed

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LatencySample:
    """One timed visit.

    Args:
        subject: Which network.
        process: Number of the process in the sitting.
        round: Number of the round in the process.
        seconds: Wall time of one call (device time on CUDA), with the machine's own changes of
            speed taken out where they are known (`ablate.profiling.levelling`).
        cpu_seconds: CPU time of one call, likewise; NaN where it does not stand for the work.
        flagged: Something else had the processor meanwhile, or the device was slowed down.
        host: By the host's clock as it was read, waiting for the device included.
        issued: Seconds that the host took to issue one call, before any waiting; NaN on a CPU.
        beside: Seconds of a fixed piece of work around the visit; NaN where none was timed.
        level: Whether the machine's changes of speed are taken out already.
    """

    subject: str
    process: int
    round: int
    seconds: float
    cpu_seconds: float
    flagged: bool
    host: float = math.nan
    issued: float = math.nan
    beside: float = math.nan
    level: bool = False


@dataclass(frozen=True)
class Tables:
    """The samples of a sitting in order.

    Args:
        subjects: Names, sorted.
        wall: Seconds of each process: (rounds, subjects), as many as there are processes.
        cpu: CPU seconds, likewise.
        flagged: Share of all visits that were disturbed.
        level: Whether the machine's changes of speed are taken out.
    """

    subjects: list[str]
    wall: list[Array]
    cpu: list[Array]
    flagged: float
    level: bool = False

    @property
    def busy(self) -> bool:
        """Whether so much was disturbed that wall time is not believed."""
        return self.flagged > MUCH_FLAGGED

    @property
    def cpu_known(self) -> bool:
        """Whether CPU time stands for the work."""
        return all(bool(np.isfinite(table).all()) for table in self.cpu)

    @property
    def by_cpu(self) -> bool:
        """Whether the least CPU time is taken instead: it is known, and wall time is no good.

        Levelled samples need it not: on a busy machine CPU time stands in them already.
        """
        return self.busy and self.cpu_known and not self.level


def tables(samples: Sequence[LatencySample]) -> Tables:
    """Put samples in order.

    Raises:
        ValueError: There are no samples, or a round lacks a subject that others have.
    """
    if not samples:
        raise ValueError(
            "there are no latency samples to summarise; "
            "expected at least 1 of every network in every round of a sitting, got 0"
        )
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
    return Tables(
        subjects,
        wall=[np.array([[v[s].seconds for s in subjects] for v in p]) for p in processes.values()],
        cpu=[
            np.array([[v[s].cpu_seconds for s in subjects] for v in p]) for p in processes.values()
        ],
        flagged=sum(sample.flagged for sample in samples) / len(samples),
        level=all(sample.level for sample in samples),
    )


def round_means(table: Array) -> Array:
    """The geometric mean of each round, (rounds, subjects) -> (rounds,)."""
    means: Array = np.exp(np.log(table).mean(axis=1))
    return means


def shares(table: Array) -> Array:
    """Each time over the geometric mean of its round, (rounds, subjects)."""
    return table / round_means(table)[:, None]


def settled(table: Array, interval: float) -> bool:
    """Whether the median share of every subject is known to within an interval.

    The 95 % interval of a median lies between two of the sorted values, whatever their
    distribution; with fewer than six rounds there is none.

    Args:
        table: Seconds, (rounds, subjects); a single subject has no share, and stands for itself.
        interval: Half the width that is enough, as a part of the median.
    """
    values = np.sort(shares(table) if table.shape[1] > 1 else table, axis=0)
    count = len(values)
    if (position := _outermost(count)) is None:
        return False
    half = (values[count - 1 - position] - values[position]) / 2
    return bool((half <= interval * np.median(values, axis=0)).all())


def _outermost(count: int) -> int | None:
    """How many sorted values may be left out on each side of a 95 % interval of the median."""
    outside, position = 0.0, None
    for at in range((count + 1) // 2):
        outside += 2 * math.comb(count, at) / 2**count
        if outside > 0.05:
            break
        position = at
    return position
