"""Resident memory of mixes: each call and each step in a fresh process on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ablate.engines.job import Failed, Job, Message, Reporter
from ablate.engines.local import run_jobs
from ablate.latency_rows import mode_name
from ablate.memory_rows import resident_rows, training_mode, training_shape
from ablate.mix import Mix, Profile, mix_from_json
from ablate.network import build
from ablate.profiling.resident import (
    Allocator,
    Resident,
    resident_inference,
    resident_training,
)
from reports.record import Measurement, Note


@dataclass(frozen=True, kw_only=True)
class ResidentJob:
    """One fresh process' work: a call of a mix's network, or a step of its training."""

    mix: str  # Mix.to_json
    metric: str  # peak_memory or training_memory
    shape: tuple[int, int, int, int]
    precision: str
    channels_last: bool
    allocator: Allocator


def measure_resident(job: ResidentJob, report: Reporter) -> Resident:
    """Measure in this process (a job for a fresh one)."""
    mix = mix_from_json(job.mix)
    torch.manual_seed(0)
    if job.metric == "training_memory":
        return resident_training(
            lambda: build(mix.network), job.shape, mix.training, allocator=job.allocator
        )
    return resident_inference(
        lambda: build(mix.network),
        job.shape,
        precision=job.precision,
        channels_last=job.channels_last,
        allocator=job.allocator,
    )


def measure_residents(
    mixes: Sequence[Mix],
    profile: Profile,
    *,
    plugins: Sequence[str] = (),
    allocator: Allocator = "steady",
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Measurement], list[Note]]:
    """Resident memory of an inference call at each size and of a training step, of each mix.

    Args:
        mixes: Each takes one process for each size and one for the step, a few seconds each.
        profile: Sizes, batch, threads, precision and memory layout of inference calls.
        plugins: Files that workers load first.
        allocator: Of the system: steady, as trials and timing set it; system as it comes;
            returning, which shows what is alive.
        report: Told how many processes are done, of how many.

    Returns:
        Rows for what was measured, notes for what failed.
    """
    jobs = [
        (mix, mode, work) for mix in mixes for mode, work in _work(mix, profile, allocator).items()
    ]
    rows, notes = list[Measurement](), list[Note]()
    for done, (mix, mode, work) in enumerate(jobs, 1):
        found = run_resident(work, threads=profile.threads, plugins=tuple(plugins))
        if isinstance(found, Resident):
            rows += resident_rows(mix.key, work.metric, found, mode)
        else:
            notes.append(Note(mix.key, f"{work.metric}_resident", f"{mode}: {found}"))
        report(done, len(jobs))
    return rows, notes


def run_resident(
    work: ResidentJob, *, threads: int = 1, plugins: tuple[str, ...] = ()
) -> Resident | str:
    """Do one job in a fresh process; what it found, or why it failed."""
    job = Job(
        name=f"{work.metric} {work.shape}",
        function="ablate.resident:measure_resident",
        payload=work,
        threads=threads,
        plugins=plugins,
    )
    for event in run_jobs([job], workers=1):
        if isinstance(event, Failed):
            return f"was not measured: {event.reason}"
        if not isinstance(event, Message):
            assert isinstance(event.result, Resident)
            return event.result
    raise AssertionError("a job ends with a result or a failure")


def _work(mix: Mix, profile: Profile, allocator: Allocator) -> dict[str, ResidentJob]:
    """What is to be measured of a mix, by mode."""

    def job(metric: str, shape: tuple[int, int, int, int]) -> ResidentJob:
        return ResidentJob(
            mix=mix.to_json(),
            metric=metric,
            shape=shape,
            precision=profile.precision[0],
            channels_last=profile.channels_last,
            allocator=allocator,
        )

    calls = {
        mode_name(size, profile): job("peak_memory", (profile.batch, 3, *size))
        for size in profile.size
    }
    return calls | {training_mode(mix): job("training_memory", training_shape(mix))}
