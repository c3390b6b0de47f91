"""A sitting: networks timed side by side in fresh processes while nothing else runs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.mix import Mix, mix_from_json
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.conditions import watcher
from ablate.profiling.latency import (
    FirstCall,
    LatencySample,
    Mode,
    RoundConditions,
    measure_networks,
    modes_of,
    unavailable,
)
from ablate.profiling.levelling import levelled


@dataclass(frozen=True, kw_only=True)
class LatencyJob:
    """One process of a sitting: which networks to time side by side, and how."""

    mixes: tuple[str, ...]  # Mix.to_json, one per network
    size: tuple[int, int]
    profile: Profile
    mode: Mode
    process: int
    device: str
    channels: int = 3
    compiled: str = ""  # folder for what is compiled; empty for the usual one


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What a sitting, or one of its processes, came to.

    Args:
        samples: Every network in every round.
        dropped: Networks that cannot run at this size, with the reason, by their key.
        failure: Why the whole sitting failed; empty where it did not.
        first: First call of each network, by its key: the longest of the processes.
        conditions: The state of the machine in each round.
        absent: What of it could not be read, and why.
        ended: Why each process did no more rounds: rounds, interval or budget.
    """

    samples: tuple[LatencySample, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""
    first: Mapping[str, FirstCall] = field(default_factory=dict)
    conditions: tuple[RoundConditions, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    ended: tuple[str, ...] = ()


def sitting_name(networks: Sequence[Mix], profile: Profile, device: str) -> str:
    """The same for the same networks timed in the same way."""
    text = repr((sorted(mix.network.key for mix in networks), profile, device))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def called(reason: str, labels: Mapping[str, str]) -> str:
    """A reason that speaks of networks, by their labels instead of their keys."""
    for key, label in labels.items():
        reason = reason.replace(f"'{key}'", f"'{label}'")
    return reason


def time_together(
    networks: Sequence[Mix],
    *,
    size: tuple[int, int],
    profile: Profile,
    device: str,
    plugins: tuple[str, ...],
    report: Callable[[int], None],
    channels: int = 3,
    mode: Mode | None = None,
) -> Timed:
    """Time networks in several fresh processes, one after the other.

    Args:
        networks: One mix for each different network.
        size: Height and width of the image.
        profile: Rounds, processes, threads, batch.
        device: cpu or cuda.
        plugins: Files that workers load first.
        report: Told how many rounds are done, over all processes.
        channels: Of the image.
        mode: How the networks run; none for the profile's first mode.
    """
    mode = mode or modes_of(profile)[0]
    if reason := unavailable(mode, torch.device(device)):
        return Timed(failure=reason)
    parts = list[Timed]()
    with _folder(mode) as folder:
        for process in range(profile.processes):
            payload = LatencyJob(
                mixes=tuple(mix.to_json() for mix in networks),
                size=size,
                profile=profile,
                mode=mode,
                process=process,
                device=device,
                channels=channels,
                compiled=folder,
            )
            part = _in_a_process(payload, plugins, report)
            if part.failure:
                return Timed(dropped=_merged(parts).dropped, failure=part.failure)
            parts.append(part)
    return _merged(parts)


def time_networks(job: LatencyJob, report: Reporter) -> Timed:
    """Time networks side by side in this process (a job for a fresh one)."""
    steady_allocator()
    if job.compiled:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = job.compiled
    device = torch.device(job.device)
    torch.manual_seed(0)
    models = {mix.network.key: build(mix.network) for mix in map(mix_from_json, job.mixes)}
    watch = watcher(device)
    found = measure_networks(
        models,
        size=job.size,
        profile=job.profile,
        process=job.process,
        seed=job.process,
        device=device,
        mode=job.mode,
        report=lambda done, rounds: report(done),
        channels=job.channels,
        watch=lambda: watch().as_numbers(),
    )
    return Timed(
        samples=found.rounds.samples,
        dropped=found.dropped,
        first=found.first,
        conditions=found.rounds.conditions,
        absent=watch().reasons_absent(),
        ended=(found.rounds.ended,),
    )


def _in_a_process(
    payload: LatencyJob, plugins: tuple[str, ...], report: Callable[[int], None]
) -> Timed:
    """One process' share of a sitting, or why there is none."""
    rounds = payload.profile.rounds
    before = payload.process * rounds
    found = run_alone(
        "ablate.costs.sitting:time_networks",
        payload,
        threads=payload.profile.threads,
        plugins=plugins,
        heard=lambda done: report(before + done),
    )
    if isinstance(found, Failed):
        return Timed(failure=found.reason)
    assert isinstance(found, Timed)
    report(before + rounds)  # also where it ended sooner
    return found


def _merged(parts: Sequence[Timed]) -> Timed:
    """All processes together; what one could not run is left out of all."""
    dropped = {key: reason for part in parts for key, reason in part.dropped.items()}
    first: dict[str, FirstCall] = {}
    for part in parts:
        for key, found in part.first.items():
            if key not in dropped:
                first[key] = max(first.get(key, found), found, key=lambda call: call.seconds)
    return Timed(
        samples=tuple(
            s
            for s in levelled([s for part in parts for s in part.samples])
            if s.subject not in dropped
        ),
        dropped=dropped,
        first=first,
        conditions=tuple(row for part in parts for row in part.conditions),
        absent={name: reason for part in parts for name, reason in part.absent.items()},
        ended=tuple(ended for part in parts for ended in part.ended),
    )


@contextmanager
def _folder(mode: Mode) -> Iterator[str]:
    """A folder of the sitting's own for compiled code, so that compiling is timed, not found."""
    if mode.run != "compiled":
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="ablate-compiled-") as folder:
        yield folder
