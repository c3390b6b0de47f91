"""From raw latency samples to one number per network, with an interval and a word of warning."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ablate.profiling.reference import REFERENCE
from ablate.profiling.samples import Array, LatencySample, Tables, round_means, shares, tables

__all__ = [
    "LatencySample",
    "LatencySummary",
    "summarise",
]

RESAMPLES: Final = 1000
LAUNCH_BOUND: Final = 0.9  # time to issue a call over its time, from which on the device waits
_CHUNK: Final = 50  # resamples computed at a time, to bound memory

Estimator = Callable[[Array], Array]  # of resamples: (n, rounds, subjects) -> (n, subjects)


@dataclass(frozen=True, kw_only=True)
class LatencySummary:
    """What one network takes.

    Args:
        seconds: One call.
        low: Lower end of the 95 % interval over rounds and processes. It holds for comparisons
            within the sitting: what slows down all networks alike is not in it.
        high: Upper end of that interval.
        p90: Nine in ten visits took no longer, in seconds by the host's clock as it was read;
            of the device's where the host's was not kept.
        relative: `seconds` over those of the reference network.
        n: Timed visits.
        note: What to know before believing it; empty when all went well.
        host: Median by the host's clock, seconds; None where it was not kept.
        launch: Median part of the call that the host takes to issue it; near 1 the device waits
            for the host (launch-bound). None on a CPU.
    """

    seconds: float
    low: float
    high: float
    p90: float
    relative: float
    n: int
    note: str
    host: float | None = None
    launch: float | None = None


def summarise(samples: Sequence[LatencySample], seed: int = 0) -> dict[str, LatencySummary]:
    """One summary per subject, the reference among them, from all the processes of a sitting.

    A network's share in a round is its time over the geometric mean of the round. The estimate is
    the median share over rounds, the geometric mean of that over processes, times the median
    round. Where too many visits were disturbed it is the least CPU time over rounds, the geometric
    mean over processes.

    Raises:
        ValueError: There are no samples, or a round lacks a subject that others have.
    """
    found = tables(samples)
    subjects = found.subjects
    estimates, resampled = _estimates(found, seed)
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    relative = estimates / (estimates[subjects.index(REFERENCE)] if REFERENCE in subjects else 1)
    by_host = _by_the_host(samples)
    note = _warning(found) if found.busy else ""
    return {
        subject: LatencySummary(
            seconds=float(estimates[i]),
            low=float(min(low[i], estimates[i])),
            high=float(max(high[i], estimates[i])),
            p90=_p90([s for s in samples if s.subject == subject]),
            relative=float(relative[i]) if REFERENCE in subjects else float("nan"),
            n=sum(len(table) for table in found.wall),
            note=note,
            host=by_host[subject][0],
            launch=by_host[subject][1],
        )
        for i, subject in enumerate(subjects)
    }


def _by_the_host(samples: Sequence[LatencySample]) -> dict[str, tuple[float | None, float | None]]:
    """By subject the median of the host's seconds, and of the part of a call that issuing takes."""
    kept: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        row = (sample.host, sample.issued / sample.seconds)
        kept.setdefault(sample.subject, []).append(row)
    medians = {subject: np.median(rows, axis=0) for subject, rows in kept.items()}
    return {subject: (_known(row[0]), _known(row[1])) for subject, row in medians.items()}


def _p90(samples: Sequence[LatencySample]) -> float:
    hosts = [s.host if math.isfinite(s.host) else s.seconds for s in samples]
    return float(np.quantile(hosts, 0.9))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _estimates(found: Tables, seed: int) -> tuple[Array, Array]:
    """The estimate (subjects,) and its resamples (RESAMPLES, subjects), in seconds."""
    values = found.cpu if found.by_cpu else [shares(table) for table in found.wall]
    pick = _least if found.by_cpu else _middle
    rounds = [np.median(round_means(table)) for table in found.wall]
    scale = 1.0 if found.by_cpu else float(np.median(rounds))
    estimate = _mean(np.array([pick(table[None])[0] for table in values]), axis=0)
    return estimate * scale, _bootstrap(values, pick, seed) * scale


def _warning(found: Tables) -> str:
    how = "least CPU time is given" if found.by_cpu else "the time is given all the same"
    if found.level and found.cpu_known:
        how = "what a call took of the processor's own time is given"
    disturbed = f"{100 * found.flagged:.0f} % of the timed visits were disturbed"
    return f"the machine was busy: {disturbed}; {how}"


def _middle(values: Array) -> Array:
    medians: Array = np.median(values, axis=1)
    return medians


def _least(values: Array) -> Array:
    least: Array = values.min(axis=1)
    return least


def _bootstrap(values: Sequence[Array], pick: Estimator, seed: int) -> Array:
    """The estimate again and again, from processes and their rounds drawn with replacement."""
    rng = np.random.default_rng(seed)
    processes = len(values)
    drawn = np.empty((RESAMPLES, processes, values[0].shape[1]))
    chosen = rng.integers(processes, size=(RESAMPLES, processes))
    for process, table in enumerate(values):
        rows, slots = np.nonzero(chosen == process)
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            again = rng.integers(len(table), size=(len(rows[part]), len(table)))
            drawn[rows[part], slots[part]] = pick(table[again])
    return _mean(drawn, axis=1)


def _mean(values: Array, axis: int) -> Array:
    """The geometric mean."""
    means: Array = np.exp(np.log(values).mean(axis=axis))
    return means
