"""Measurements of the same networks, sequential and interleaved, and how alike they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ablate.costs.sitting import time_together
from ablate.engines.job import Done, Failed, Job, Reporter
from ablate.engines.local import run_jobs
from ablate.mix import Mix, mix_from_json
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.latency import REFERENCE, LatencySample, summarise
from ablate.profiling.ranks import compare_samples
from ablate.profiling.timing import timer_for, warm_up

DRAWS = 1000  # of the bootstrap
NEIGHBOUR = """
import numpy
a = numpy.random.default_rng(0).random((400, 400))
while True:
    a = a @ a
    a /= a.max()
"""

Array = NDArray[np.float64]
Signs = NDArray[np.int64]  # (networks, networks): 1 where the first is slower, 0 not separable


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one measurement says.

    Args:
        seconds: Of each network: (networks,).
        signs: Which is slower than which, where it can be told.
        flagged: Share of the visits that were disturbed.
        note: What the summary warns of.
        wall: Seconds that measuring took.
    """

    seconds: Array
    signs: Signs
    flagged: float
    note: str
    wall: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike measurements are, over all pairs of them and of networks.

    Args:
        error_median: Median difference of the ratio of two networks' times.
        error_p95: 95th percentile of it.
        error_max: The largest.
        tau: Kendall's tau of the numbers as they stand.
        tau_ties: Kendall's tau-b, pairs that are not separable as ties.
        apart: Share of pairs that are called separable.
        inverted: Share of pairs that both call separable, in opposite order.
    """

    error_median: float
    error_p95: float
    error_max: float
    tau: float
    tau_ties: float
    apart: float
    inverted: float


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Networks to time one after the other (a job for a fresh process)."""

    mixes: tuple[str, ...]
    size: tuple[int, int]
    profile: Profile
    steady: bool
    device: str = "cpu"


def one_after_the_other(job: Queue, report: Reporter) -> tuple[Array, float]:
    """Seconds of each visit, (visits, networks), all to one network before the next.

    As tools commonly do: a warm-up, then the same call again and again. Beside it the share of
    visits during which something else had the processor.
    """
    if job.steady:
        steady_allocator()
    torch.set_num_threads(job.profile.threads)
    device = torch.device(job.device)
    timer = timer_for(device, job.profile.threads)
    image = torch.rand(1, 3, *job.size).to(device, memory_format=torch.channels_last)
    visits = job.profile.rounds * job.profile.processes
    columns, flagged = [], 0
    torch.manual_seed(0)
    with torch.inference_mode():
        for text in job.mixes:
            model: nn.Module = build(mix_from_json(text).network).eval()
            model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

            def call(model: nn.Module = model) -> object:
                return model(image)

            warm_up(timer, call)
            timed = [timer.time(call, 1) for _ in range(visits)]
            columns.append([visit.seconds for visit in timed])
            flagged += sum(visit.flagged for visit in timed)
    return np.array(columns).T, flagged / (visits * len(job.mixes))


def sequential(
    mixes: Sequence[Mix],
    size: tuple[int, int],
    profile: Profile,
    steady: bool,
    device: str = "cpu",
) -> Measurement:
    """One measurement by the median of visits, one network after the other."""
    began = time.monotonic()
    texts = tuple(mix.to_json() for mix in mixes)
    job = Job(
        name="sequential",
        function="benchmarks.repeatability:one_after_the_other",
        payload=Queue(mixes=texts, size=size, profile=profile, steady=steady, device=device),
        fresh=True,
    )
    (event,) = run_jobs([job], workers=1)
    if isinstance(event, Failed):
        raise SystemExit(f"{event.reason}\n{event.evidence}")
    assert isinstance(event, Done)
    assert isinstance(event.result, tuple)
    visits, flagged = event.result
    return Measurement(
        seconds=np.median(visits, axis=0),
        signs=unpaired_signs(visits),
        flagged=flagged,
        note="",
        wall=time.monotonic() - began,
    )


def interleaved(
    mixes: Sequence[Mix], size: tuple[int, int], profile: Profile, device: str = "cpu"
) -> Measurement:
    """One measurement as `ablate run` makes it."""
    began = time.monotonic()
    timed = time_together(
        mixes, size=size, profile=profile, device=device, plugins=(), report=lambda done: None
    )
    if timed.failure:
        raise SystemExit(timed.failure)
    return measured(mixes, timed.samples, time.monotonic() - began)


def measured(mixes: Sequence[Mix], samples: Sequence[LatencySample], wall: float) -> Measurement:
    """What the samples of a sitting say of its networks."""
    keys = [mix.network.key for mix in mixes]
    found, held = summarise(samples), compare_samples(samples)
    at = [held.subjects.index(key) for key in keys]
    slower = held.slower.astype(int)
    return Measurement(
        seconds=np.array([found[key].seconds for key in keys]),
        signs=(slower - slower.T)[np.ix_(at, at)],
        flagged=sum(sample.flagged for sample in samples) / len(samples),
        note=found[REFERENCE].note,
        wall=wall,
    )


def unpaired_signs(visits: Array, seed: int = 0) -> Signs:
    """Which network is slower where the 95 % interval of the ratio of medians leaves out 1."""
    rng = np.random.default_rng(seed)
    count, networks = visits.shape
    medians = np.stack(
        [np.median(column[rng.integers(count, size=(DRAWS, count))], axis=1) for column in visits.T]
    )  # (networks, draws): each network was timed by itself, so each is resampled by itself
    signs = np.zeros((networks, networks), dtype=np.int64)
    for one, other in combinations(range(networks), 2):
        low, high = np.quantile(medians[one] / medians[other], (0.025, 0.975))
        signs[one, other] = int(low > 1) - int(high < 1)
        signs[other, one] = -signs[one, other]
    return signs


def agreement(pairs: Sequence[tuple[Measurement, Measurement]]) -> Agreement:
    """How alike the two measurements of each pair are."""
    rows, columns = np.triu_indices(len(pairs[0][0].seconds), k=1)
    errors, taus, ties, apart, inverted = [], [], [], [], []
    for first, second in pairs:
        ratios = [m.seconds[rows] / m.seconds[columns] for m in (first, second)]
        errors.append(np.expm1(np.abs(np.log(ratios[1] / ratios[0]))))
        orders = [np.sign(np.log(ratio)).astype(int) for ratio in ratios]
        signs = [m.signs[rows, columns] for m in (first, second)]
        taus.append(tau_b(orders[0], orders[1]))
        ties.append(tau_b(signs[0], signs[1]))
        apart += [float(np.mean(sign != 0)) for sign in signs]
        inverted.append(float(np.mean(signs[0] * signs[1] < 0)))
    every = np.concatenate(errors)
    return Agreement(
        error_median=float(np.median(every)),
        error_p95=float(np.quantile(every, 0.95)),
        error_max=float(every.max()),
        tau=float(np.mean(taus)),
        tau_ties=float(np.mean(ties)),
        apart=float(np.mean(apart)),
        inverted=float(np.mean(inverted)),
    )


def tau_b(first: Signs, second: Signs) -> float:
    """Kendall's tau-b of two orders, given as the signs of all pairs; 0 is a tie.

    NaN where one of them says nothing but ties.
    """
    told = float(np.sqrt(float((first**2).sum()) * float((second**2).sum())))
    return float((first * second).sum()) / told if told else float("nan")


@contextmanager
def busy(neighbours: int) -> Iterator[None]:
    """So many processes that multiply matrices, each on a core of its own if there is one."""
    one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, "-c", NEIGHBOUR], env=one) for _ in range(neighbours)
    ]
    try:
        time.sleep(1.0)  # until they are at it
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
