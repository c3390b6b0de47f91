"""Resident memory of a run's mixes: each call and each step in a fresh process on the CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ablate.costs.latency_rows import mode_name
from ablate.costs.memory_rows import resident_rows, training_mode, training_shape
from ablate.costs.phase import Phase
from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.events import PhaseBegan, PhaseStep
from ablate.mix import Mix, mix_from_json
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.resident import (
    Allocator,
    Resident,
    resident_inference,
    resident_training,
)
from reports.record import Measurement, Note

METRICS = ("peak_memory_resident", "training_memory_resident")
_PROCESS_SECONDS = 8.0  # the interpreter, torch, a network made and run three times


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


def measure_residents(phase: Phase) -> None:
    """Measure and record each mix, as trials set the allocator.

    What is recorded already is left, and so is what failed before: it would fail again, and the
    record says why. Only on a CPU: elsewhere a process' memory is not that of its networks.
    """
    record, mixes, profile = phase.record, phase.mixes, phase.profile
    if not profile.resident or torch.device(phase.device).type != "cpu":
        return
    known = record.measurements()
    tried = record.notes()  # what failed once is not tried again
    done = set(known[known["metric"].isin(METRICS)]["subject"])
    done |= set(tried[tried["topic"].isin(METRICS)]["subject"])
    work = [
        (key, mode, job)
        for key, mix in mixes.items()
        if key not in done
        for mode, job in _work(mix, profile).items()
    ]
    phase.listener(PhaseBegan("resident memory", len(work)))
    found: dict[str, tuple[list[Measurement], list[Note]]] = {}
    for count, (key, mode, job) in enumerate(work, 1):
        rows, notes = found.setdefault(key, ([], []))
        result = run_resident(job, threads=profile.threads, plugins=phase.plugins)
        if isinstance(result, Resident):
            rows += resident_rows(key, job.metric, result, mode)
        else:
            notes.append(Note(key, f"{job.metric}_resident", f"{mode}: {result}"))
        if count == len(work) or work[count][0] != key:
            record.add_sitting(rows, (), notes)
        phase.listener(PhaseStep("resident memory", count, len(work)))


def forecast_seconds(mixes: int, profile: Profile) -> float:
    """What it will take on a CPU, judged by the start of the processes."""
    return _PROCESS_SECONDS * mixes * (len(profile.size) + 1) if profile.resident else 0.0


def run_resident(
    work: ResidentJob, *, threads: int = 1, plugins: tuple[str, ...] = ()
) -> Resident | str:
    """Do one job in a fresh process; what it found, or why it failed."""
    function = "ablate.costs.resident:measure_resident"
    found = run_alone(function, work, threads=threads, plugins=plugins)
    if isinstance(found, Failed):
        return f"was not measured: {found.reason}"
    assert isinstance(found, Resident)
    return found


def _work(mix: Mix, profile: Profile) -> dict[str, ResidentJob]:
    """What is to be measured of a mix, by mode."""

    def job(metric: str, shape: tuple[int, int, int, int]) -> ResidentJob:
        return ResidentJob(
            mix=mix.to_json(),
            metric=metric,
            shape=shape,
            precision=profile.precision[0],
            channels_last=profile.channels_last,
            allocator="steady",
        )

    calls = {
        mode_name(size, profile): job("peak_memory", (profile.batch, 3, *size))
        for size in profile.size
    }
    return calls | {training_mode(mix): job("training_memory", training_shape(mix))}
