"""A sitting: networks timed side by side in fresh processes while nothing else runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ablate.engines.job import Failed, Job, Message, Reporter
from ablate.engines.local import run_jobs
from ablate.mix import Mix, Profile, mix_from_json
from ablate.network import build
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.latency import LatencySample, measure_process, untimable


@dataclass(frozen=True, kw_only=True)
class LatencyJob:
    """One process of a sitting: which networks to time side by side, and how."""

    mixes: tuple[str, ...]  # Mix.to_json, one per network
    size: tuple[int, int]
    profile: Profile
    process: int
    device: str
    channels: int = 3


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What a sitting, or one of its processes, came to.

    Args:
        samples: Every network in every round.
        dropped: Networks that cannot run at this size, with the reason, by their key.
        failure: Why the whole sitting failed; empty where it did not.
    """

    samples: tuple[LatencySample, ...] = ()
    dropped: Mapping[str, str]
    failure: str = ""


def sitting_name(networks: Sequence[Mix], profile: Profile, device: str) -> str:
    """The same for the same networks timed in the same way."""
    text = repr((sorted(mix.network.key for mix in networks), profile, device))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def time_together(
    networks: Sequence[Mix],
    *,
    size: tuple[int, int],
    profile: Profile,
    device: str,
    plugins: tuple[str, ...],
    report: Callable[[int], None],
    channels: int = 3,
) -> Timed:
    """Time networks in several fresh processes, one after the other.

    Args:
        networks: One mix for each different network.
        size: Height and width of the image.
        profile: Rounds, processes, threads, batch, precision.
        device: cpu or cuda.
        plugins: Files that workers load first.
        report: Told how many rounds are done, over all processes.
        channels: Of the image.
    """
    samples, dropped = list[LatencySample](), dict[str, str]()
    for process in range(profile.processes):
        job = Job(
            name=f"latency {process}",
            function="ablate.sitting:time_networks",
            payload=LatencyJob(
                mixes=tuple(mix.to_json() for mix in networks),
                size=size,
                profile=profile,
                process=process,
                device=device,
                channels=channels,
            ),
            threads=profile.threads,
            plugins=plugins,
        )
        for event in run_jobs([job], workers=1):
            if isinstance(event, Message):
                report(process * profile.rounds + int(str(event.content)))
            elif isinstance(event, Failed):
                return Timed(dropped=dropped, failure=event.reason)
            else:
                assert isinstance(event.result, Timed)
                samples += event.result.samples
                dropped |= event.result.dropped
    kept = tuple(sample for sample in samples if sample.subject not in dropped)
    return Timed(samples=kept, dropped=dropped)


def time_networks(job: LatencyJob, report: Reporter) -> Timed:
    """Time networks side by side in this process (a job for a fresh one)."""
    steady_allocator()
    device = torch.device(job.device)
    torch.manual_seed(0)
    models = {mix.network.key: build(mix.network) for mix in map(mix_from_json, job.mixes)}
    dropped = untimable(
        models, size=job.size, profile=job.profile, device=device, channels=job.channels
    )
    samples = measure_process(
        {key: model for key, model in models.items() if key not in dropped},
        size=job.size,
        profile=job.profile,
        process=job.process,
        seed=job.process,
        device=device,
        report=lambda done, rounds: report(done),
        channels=job.channels,
    )
    return Timed(samples=tuple(samples), dropped=dropped)
