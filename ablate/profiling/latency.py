"""Latency of many networks at once: interleaved rounds in fresh processes, kept as ratios.

In each round every network is visited once, in an order drawn anew, so that whatever slows the
machine down slows all of them alike and drops out of their ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ablate.profile import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.inputs import noise, placed
from ablate.profiling.latency_protocol import forecast_seconds, protocol
from ablate.profiling.modes import (
    FirstCall,
    Mode,
    Prepared,
    modes_of,
    numbers_as,
    prepare,
    split,
    unavailable,
)
from ablate.profiling.reference import REFERENCE, reference_network
from ablate.profiling.rounds import (
    LatencyError,
    RoundConditions,
    Rounds,
    Watch,
    one_line,
    run_rounds,
    time_calls,
    undisturbed,
)
from ablate.profiling.summary import (
    LatencySample,
    LatencySummary,
    summarise,
)
from ablate.profiling.timing import Timer, timer_for

__all__ = [
    "REFERENCE",
    "FirstCall",
    "LatencyError",
    "LatencySample",
    "LatencySummary",
    "Measured",
    "Mode",
    "RoundConditions",
    "forecast_seconds",
    "measure_networks",
    "modes_of",
    "protocol",
    "ready_networks",
    "split",
    "summarise",
    "time_calls",
    "unavailable",
]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one process of a sitting measured in one mode.

    Args:
        rounds: Every network and the reference, round by round.
        first: The first call of each, by subject; the reference came first, the others in an
            order drawn for the process.
        dropped: Why networks cannot run, by subject; they are not in the rounds.
    """

    rounds: Rounds
    first: Mapping[str, FirstCall]
    dropped: Mapping[str, str]


def measure_networks(
    models: Mapping[str, nn.Module],
    *,
    size: tuple[int, int],
    profile: Profile,
    process: int,
    seed: int,
    device: torch.device,
    mode: Mode | None = None,
    report: Callable[[int, int], None] = lambda done, rounds: None,
    timer: Timer | None = None,
    channels: int = 3,
    watch: Watch | None = None,
) -> Measured:
    """One process' share of a sitting: every network and the reference, round by round.

    Call it once per process, in a process that has done little else. The networks are moved to
    the device, put into evaluation mode and into the profile's memory layout. One that cannot run
    costs the others nothing.

    Args:
        models: The networks by subject; they take (batch, channels, height, width).
        size: Height and width of the image, in pixels.
        profile: Rounds, batch, threads and memory layout.
        process: Number of this process in the sitting, from 0.
        seed: Fixes the order of the rounds, together with `process`.
        device: Where the networks run.
        mode: How they run; none for the profile's first.
        report: Told after each round how many rounds of how many are done.
        timer: What times the calls; none for the clock that suits the device.
        channels: Of the image; the reference network is given three always.
        watch: Says what state the machine is in; none asks nobody.

    Raises:
        LatencyError: A network is called as the reference is, the device lacks the mode, or the
            reference network itself cannot run in it.
    """
    mode = mode or modes_of(profile)[0]
    _check(models, mode, device)
    steady_allocator()
    with numbers_as(mode.precision):
        with undisturbed(profile.threads), torch.inference_mode():
            ready, dropped = ready_networks(
                models, size, profile, mode, device, channels, (seed, process)
            )
        rounds = run_rounds(
            {subject: prepared.call for subject, prepared in ready.items()},
            profile=profile,
            process=process,
            seed=seed,
            timer=timer or timer_for(device, profile.threads, profile.flush),
            report=report,
            where=_where(size),
            watch=watch,
        )
    first = {subject: prepared.first for subject, prepared in ready.items()}
    return Measured(rounds=rounds, first=first, dropped=dropped)


def _check(models: Mapping[str, nn.Module], mode: Mode, device: torch.device) -> None:
    if REFERENCE in models:
        raise LatencyError(
            f"'{REFERENCE}' is the network that all sittings share; name it otherwise"
        )
    if reason := unavailable(mode, device):
        raise LatencyError(reason)


def ready_networks(
    models: Mapping[str, nn.Module],
    size: tuple[int, int],
    profile: Profile,
    mode: Mode,
    device: torch.device,
    channels: int,
    seed: tuple[int, int],
) -> tuple[dict[str, Prepared], dict[str, str]]:
    """Networks that have run once, the reference first, and why the others cannot run.

    Args:
        models: The networks by subject; they are moved to the device.
        size: Height and width of the image, in pixels.
        profile: Batch and memory layout.
        mode: How they run.
        device: Where.
        channels: Of the image.
        seed: Fixes the order of their first calls.

    Raises:
        LatencyError: Not even the reference network runs.
    """
    image, color = (
        noise((profile.batch, count, *size), device, profile.channels_last)
        for count in (channels, 3)
    )
    reference = placed(reference_network(), device, profile.channels_last)
    try:
        ready = {REFERENCE: prepare(reference, color, mode)}
    except Exception as error:
        raise LatencyError(f"nothing runs in mode {mode} here: {one_line(error)}") from error
    dropped: dict[str, str] = {}
    for subject in np.random.default_rng(seed).permutation(sorted(models)).tolist():
        try:
            model = placed(models[subject], device, profile.channels_last)
            ready[subject] = prepare(model, image, mode)
        except Exception as error:  # a block from outside can raise anything
            dropped[subject] = one_line(error)
    return ready, dropped


def _where(size: tuple[int, int]) -> str:
    return f" at {size[0]}x{size[1]}"
