"""Blocks by themselves, timed side by side in fresh processes; tried once before that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import blocks
from ablate.crossover.grid import Case, CrossoverError
from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.profile import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.conditions import watcher
from ablate.profiling.inputs import layout, placed
from ablate.profiling.latency_protocol import forecast_calls
from ablate.profiling.levelling import levelled
from ablate.profiling.memory import forecast_inference
from ablate.profiling.modes import Mode, modes_of, numbers_as, prepare
from ablate.profiling.rounds import one_line, run_rounds
from ablate.profiling.samples import LatencySample
from ablate.profiling.timing import Call, timer_for

Report = Callable[[str, int, int], None]

_LONG = 1.0  # seconds of a call from which a second one is not worth making


@dataclass(frozen=True, kw_only=True)
class BlockJob:
    """One process: which blocks to run where, and how."""

    cases: tuple[Case, ...]
    profile: Profile
    process: int
    device: str


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What one call of a case took, or why it cannot be made.

    Args:
        seconds: Of one call, run eagerly.
        memory: Bytes at its worst moment: weights, features, activations; a forecast.
        reason: Why it cannot be run; empty where it can.
    """

    seconds: float = 0.0
    memory: int = 0
    reason: str = ""


def rehearse(
    cases: Sequence[Case],
    *,
    profile: Profile,
    device: str,
    plugins: tuple[str, ...] = (),
    report: Report = lambda phase, done, total: None,
) -> dict[str, Rehearsed]:
    """Call every case once or twice in a fresh process, to know what timing will take.

    Args:
        cases: What will be timed.
        profile: Threads, precision and memory layout.
        device: cpu or cuda.
        plugins: Files that the worker loads first.
        report: Told the phase, the cases that are done and of how many.

    Raises:
        CrossoverError: The process ended before its time.
    """
    job = BlockJob(cases=tuple(cases), profile=profile, process=0, device=device)

    def heard(done: int) -> None:
        report("rehearsal", done, len(cases))

    found = _result(job, "rehearse_here", plugins, heard)
    assert isinstance(found, dict)
    return found


def forecast_seconds(rehearsed: Iterable[Rehearsed], profile: Profile, device: str) -> float:
    """What timing will take at most, from what single calls took."""
    calls = [case.seconds for case in rehearsed]
    return forecast_calls(calls, profile, device, modes_of(profile)[0])


def time_cases(
    cases: Sequence[Case],
    *,
    profile: Profile,
    device: str,
    plugins: tuple[str, ...] = (),
    report: Report = lambda phase, done, total: None,
) -> tuple[LatencySample, ...]:
    """Time all cases side by side, in interleaved rounds in fresh processes one after the other.

    Args:
        cases: What is timed; all of them can be run.
        profile: Rounds, processes, threads, precision and memory layout; its first way to run.
        device: cpu or cuda.
        plugins: Files that workers load first.
        report: Told the phase, the rounds that are done and of how many.

    Returns:
        Samples whose subjects are the keys of the cases.

    Raises:
        CrossoverError: A process ended before its time, or a case failed.
    """
    samples: list[LatencySample] = []
    rounds = profile.rounds
    for process in range(profile.processes):
        job = BlockJob(cases=tuple(cases), profile=profile, process=process, device=device)

        def heard(done: int, before: int = process * rounds) -> None:
            report("latency", before + done, profile.processes * rounds)

        found = _result(job, "time_here", plugins, heard)
        assert isinstance(found, tuple)
        samples += found
    return tuple(levelled(samples))


def rehearse_here(job: BlockJob, report: Reporter) -> dict[str, Rehearsed]:
    """Call every case once or twice (a job for a fresh process)."""
    steady_allocator()
    found: dict[str, Rehearsed] = {}
    for number, case in enumerate(job.cases):
        found[case.key] = _rehearsed(case, job)
        report(number + 1)
    return found


def time_here(job: BlockJob, report: Reporter) -> tuple[LatencySample, ...]:
    """Time every case, side by side (a job for a fresh process)."""
    steady_allocator()
    device, profile = torch.device(job.device), job.profile
    mode, watch = modes_of(profile)[0], watcher(device)
    with numbers_as(mode.precision):
        with torch.inference_mode():
            calls: dict[str, Call] = {}
            for case in job.cases:
                block = placed(_built(case), device, profile.channels_last)
                calls[case.key] = prepare(block, _features(case, job), mode).call
        done = run_rounds(
            calls,
            profile=profile,
            process=job.process,
            seed=job.process,
            timer=timer_for(device, profile.threads, profile.flush),
            report=lambda done, rounds: report(done),
            watch=lambda: watch().as_numbers(),
        )
    return done.samples


def _rehearsed(case: Case, job: BlockJob) -> Rehearsed:
    device, profile = torch.device(job.device), job.profile
    mode = Mode("eager", profile.precision[0])
    try:
        memory = _memory(case, profile)
        with numbers_as(mode.precision), torch.inference_mode():
            ready = prepare(
                placed(_built(case), device, profile.channels_last), _features(case, job), mode
            )
            seconds = ready.first.seconds
            if seconds < _LONG:  # the first call prepares things
                seconds = timer_for(device, profile.threads).time(ready.call, 1).seconds
    except Exception as error:  # one that cannot run must not cost the others theirs
        return Rehearsed(reason=one_line(error))
    return Rehearsed(seconds=seconds, memory=memory)


def _memory(case: Case, profile: Profile) -> int:
    with torch.device("meta"):
        block = _built(case)
    return forecast_inference(
        block,
        case.point.shape,
        precision=profile.precision[0],
        channels_last=profile.channels_last,
    ).peak


def _built(case: Case) -> nn.Module:
    torch.manual_seed(0)
    block, index, context = case.block, 0, 0
    return blocks.make(block.name, case.point.width, index, context, **block.settings).eval()


def _features(case: Case, job: BlockJob) -> Tensor:
    """Noise around 0, as normalised features are."""
    features = torch.randn(case.point.shape, generator=torch.Generator().manual_seed(0))
    return features.to(device=job.device, memory_format=layout(job.profile.channels_last))


def _result(
    payload: BlockJob, function: str, plugins: tuple[str, ...], heard: Callable[[int], None]
) -> object:
    """What a fresh process came to; told what it reports on the way."""
    found = run_alone(
        f"ablate.crossover.timing:{function}",
        payload,
        threads=payload.profile.threads,
        plugins=plugins,
        heard=heard,
    )
    if isinstance(found, Failed):
        raise CrossoverError(f"the blocks could not be timed: {found.reason}")
    return found
