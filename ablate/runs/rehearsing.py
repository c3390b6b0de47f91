"""A few training steps tried out on noise, from which the time of whole trainings is forecast."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ablate.engines.job import Done, Job, Message, Reporter, Waits
from ablate.engines.local import run_jobs
from ablate.mix import Mix, Training, mix_from_json
from ablate.network import build
from ablate.profiling.allocator import steady_allocator
from ablate.study import Study
from ablate.tasks.scale import task_scale
from ablate.training.loop import Progress, train
from ablate.training.probe import at_rate, judged_steps, probe_steps
from ablate.turns import gpu_of, turn

Item = TypeVar("Item")

STEPS = 3  # of a rehearsal, the first of which is not timed
START_SECONDS = 3.0  # of a worker: the interpreter, torch, the data


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """Mixes whose training step is to be timed in one process."""

    mixes: tuple[str, ...]
    device: str


def forecast_training(
    study: Study,
    mixes: Sequence[Mix],
    *,
    workers: int,
    device: str,
    plugins: Sequence[str],
) -> float | None:
    """Seconds of wall time to train these mixes once each, from a few of them tried out."""
    few = spread(mixes, 2 * workers)
    steps = step_seconds(few, workers, device, plugins, lambda phase, done, total: None)
    known = [trial_seconds(study, mix, steps[mix.key]) for mix in few if mix.key in steps]
    return sum(known) / len(known) * len(mixes) / workers if known else None


def rehearse(job: Rehearsal, report: Reporter) -> dict[str, float]:
    """Seconds of one training step of each mix, by key (a job for a worker)."""
    steady_allocator()
    seconds = {}
    with turn(gpu_of(job.device), lambda words: report(Waits(words)), "training"):
        for done, text in enumerate(job.mixes, 1):
            mix = mix_from_json(text)
            seconds[mix.key] = _step_seconds(mix, torch.device(job.device))
            report(done)
    return seconds


def _step_seconds(mix: Mix, device: torch.device) -> float:
    torch.manual_seed(0)
    model, times = build(mix.network), list[float]()
    rate = min(mix.training.rates, default=mix.training.rate)
    settings = replace(at_rate(mix.training, rate), steps=STEPS, validate=0)
    large, small = settings.crop, settings.crop // task_scale(mix.task)

    def noise(step: int) -> tuple[Tensor, Tensor]:
        degraded = torch.rand(settings.batch, 3, small, small)
        return degraded, torch.rand(settings.batch, 3, large, large)

    def note(progress: Progress) -> None:
        times.append(progress.seconds)

    train(model, noise, settings, device=device, validate=lambda network: {}, report=note)
    if len(times) < STEPS:  # it diverged on noise, which says nothing of its speed
        return math.nan
    return min(later - sooner for sooner, later in itertools.pairwise(times))


def step_seconds(
    mixes: Sequence[Mix],
    workers: int,
    device: str,
    plugins: Sequence[str],
    report: Callable[[str, int, int], None],
) -> dict[str, float]:
    """Seconds of a training step of each mix, by key.

    With as many workers at a time as the run will have, because they slow each other down.
    """
    jobs = []
    for number in range(min(workers, len(mixes))):
        share = tuple(mix.to_json() for mix in mixes[number::workers])
        jobs.append(
            Job(
                name=f"rehearsal {number}",
                function="ablate.runs.rehearsing:rehearse",
                payload=Rehearsal(mixes=share, device=device),
                plugins=tuple(plugins),
            )
        )
    seconds: dict[str, float] = {}
    done = 0
    for event in run_jobs(jobs, workers):
        if isinstance(event, Done):
            assert isinstance(event.result, dict)
            seconds |= event.result
        elif isinstance(event, Message) and not isinstance(event.content, Waits):
            done += 1
            report("rehearsal", done, len(mixes))
    return {key: value for key, value in seconds.items() if math.isfinite(value)}


def trial_seconds(study: Study, mix: Mix, step: float) -> float:
    """Seconds of a whole trial of a mix, one training step of which takes so long."""
    training, evaluation = mix.training, study.evaluation
    pixels = max(evaluation.crops, 1) * (evaluation.crop or 512) ** 2
    glances = 1 + training.validate / 3  # the curve looks at a third of the images
    scoring = forward_seconds(mix, step, pixels) * glances
    steps = training.steps + probe_steps(training)
    return START_SECONDS + step * steps + scoring + _judging_seconds(training, step)


def _judging_seconds(training: Training, step: float) -> float:
    """Each learning rate that is tried is judged by forward passes over a few batches."""
    return step / 3 * len(judged_steps(training)) * len(training.rates)


def forward_seconds(mix: Mix, step: float, pixels: int) -> float:
    """A forward pass is about a third of a training step, pixel for pixel of the result."""
    return step / 3 * pixels / (mix.training.batch * mix.training.crop**2)


def spread(points: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly spread."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / max(most - 1, 1))] for i in range(most)]
