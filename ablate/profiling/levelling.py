"""What a machine's own changes of speed did to each timed visit, taken out again.

A processor can be 1.5 times slower for a second, and faster the next, without anything to be seen
inside the machine: another guest on the same core, heat, power. Interleaved rounds are too coarse
to take that out. Two things tell how fast the machine was at a moment: a fixed piece of work timed
right before and after each visit, and how the visits just before and after did beside their usual.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ablate.profiling.samples import MUCH_FLAGGED, LatencySample

LAGS: Final = (1, 2)  # visits before and after that tell something of a moment
LEAST_VISITS: Final = 40  # of one process, below which nothing is taken out
PASSES: Final = 12  # of levels and speeds, each computed from the other
CAP: Final = 3.0  # robust standard deviations beyond which a visit says no more about the speed

_SIDE: Final = 128  # of the matrices that are multiplied
_PRODUCTS: Final = 8  # about half a millisecond
PROBE_SECONDS: Final = 1e-3  # before and after a visit together, for forecasts

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def speed_probe() -> Callable[[], float]:
    """A fixed piece of work for one thread: calling it does the work and says the CPU seconds."""
    left = torch.linspace(0, 1, _SIDE * _SIDE).view(_SIDE, _SIDE)
    product = torch.empty_like(left)

    def probe() -> float:
        began = time.thread_time()
        for _ in range(_PRODUCTS):
            torch.mm(left, left, out=product)
        return time.thread_time() - began

    return probe


def levelled(samples: Sequence[LatencySample]) -> list[LatencySample]:
    """The samples of a sitting with the machine's changes of speed taken out of their seconds.

    Where too many visits were disturbed, seconds are those of the processor, without what others
    had of it. What the host's clock said stays in `host`; samples that are level already, or beside
    which no fixed work was timed, stay as they are.

    Args:
        samples: Of each process in the order in which the visits were done.
    """
    fewest = min(Counter(s.process for s in samples).values(), default=0)
    if fewest < LEAST_VISITS or not all(math.isfinite(s.beside) and not s.level for s in samples):
        return list(samples)
    names = {name: at for at, name in enumerate(sorted({s.subject for s in samples}))}
    subjects = np.array([names[s.subject] for s in samples])
    processes = np.array([s.process for s in samples])
    seconds = np.array([s.seconds for s in samples])
    processor = np.array([s.cpu_seconds for s in samples])
    if sum(s.flagged for s in samples) > MUCH_FLAGGED * len(samples):
        seconds = np.where(np.isfinite(processor).all(), processor, seconds)
    beside = np.array([s.beside for s in samples])
    factors = np.ones(len(samples))
    for process in np.unique(processes):
        here = processes == process
        factors[here] = slowness(seconds[here], subjects[here], beside[here])
    return [
        replace(s, seconds=taken / factor, cpu_seconds=s.cpu_seconds / factor, level=True)
        for s, taken, factor in zip(samples, seconds.tolist(), factors.tolist(), strict=True)
    ]


def slowness(seconds: Array, subjects: Integers, beside: Array) -> Array:
    """How many times slower than usual the machine was during each visit, (visits,).

    The logarithm of a time is modelled as the level of its subject plus the slowness of the
    moment; the slowness is linear in what the fixed work took and in how far the neighbouring
    visits lay from their own subjects' levels. Levels (medians) and coefficients (least squares,
    without the outermost visits) are found in turn. On a machine that keeps its speed the
    coefficients are near 0, and so is the correction.

    Args:
        seconds: Of the visits of one process, in the order in which they were done.
        subjects: What was visited, numbered from 0.
        beside: Seconds of the fixed work around each visit.

    Returns:
        Slowness, its median 1.
    """
    logs = np.log(seconds)
    told = np.log(beside / np.median(beside))
    slow = np.zeros(len(logs))
    for _ in range(PASSES):
        gaps = _capped(logs - _levels(logs - slow, subjects))
        known = np.column_stack([np.ones(len(logs)), told, *_neighbours(gaps)])
        coefficients = np.linalg.lstsq(known, gaps, rcond=None)[0]
        slow = known @ coefficients
    return np.asarray(np.exp(slow - np.median(slow)), dtype=np.float64)


def _levels(logs: Array, subjects: Integers) -> Array:
    """The median of its subject for each visit."""
    levels = np.empty(len(logs))
    for subject in np.unique(subjects):
        mine = subjects == subject
        levels[mine] = np.median(logs[mine])
    return levels


def _capped(gaps: Array) -> Array:
    """Without what a single interruption did to one visit."""
    spread = 1.4826 * float(np.median(np.abs(gaps - np.median(gaps))))
    return np.clip(gaps, -CAP * spread, CAP * spread)


def _neighbours(gaps: Array) -> list[Array]:
    """The gaps of the visits before and after; 0 where there is none."""
    columns = []
    for lag in LAGS:
        before, after = np.zeros(len(gaps)), np.zeros(len(gaps))
        before[lag:], after[:-lag] = gaps[:-lag], gaps[lag:]
        columns += [before, after]
    return columns
