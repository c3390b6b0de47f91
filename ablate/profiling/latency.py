"""Latency of many networks at once: interleaved rounds in fresh processes, kept as ratios.

In each round every network is visited once, in an order drawn anew, so that whatever slows the
machine down slows all of them alike and drops out of their ratios.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ablate.mix import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.reference import REFERENCE, reference_network
from ablate.profiling.summary import LatencySample, LatencySummary, separable, summarise
from ablate.profiling.timing import (
    Call,
    CpuTimer,
    Timed,
    Timer,
    calls_in_a_visit,
    timer_for,
    warm_up,
)

__all__ = [
    "REFERENCE",
    "LatencyError",
    "LatencySample",
    "LatencySummary",
    "forecast_seconds",
    "measure_process",
    "protocol",
    "separable",
    "summarise",
    "time_calls",
    "untimable",
]

_START_SECONDS = 5.0  # a fresh process: the interpreter, torch, building the networks
_WARM_UP_CALLS = 8


class LatencyError(ValueError):
    """A network cannot be timed; the message names it and says why."""


def measure_process(
    models: Mapping[str, nn.Module],
    *,
    size: tuple[int, int],
    profile: Profile,
    process: int,
    seed: int,
    device: torch.device,
    report: Callable[[int, int], None] = lambda done, rounds: None,
    timer: Timer | None = None,
    channels: int = 3,
) -> list[LatencySample]:
    """One process' share of a sitting: every network and the reference, round by round.

    Call it once per process, in a process that has done little else. The networks are moved to
    the device, put into evaluation mode and into the profile's memory layout.

    Args:
        models: The networks by subject; they take (batch, channels, height, width).
        size: Height and width of the image, in pixels.
        profile: Rounds, batch, threads, precision and memory layout.
        process: Number of this process in the sitting, from 0.
        seed: Fixes the order of the rounds, together with `process`.
        device: Where the networks run.
        report: Told after each round how many rounds of how many are done.
        timer: What times the calls; none for the clock that suits the device.
        channels: Of the image; the reference network is given three always.

    Raises:
        LatencyError: A network is called as the reference is, or raises when it is run.
    """
    if REFERENCE in models:
        raise LatencyError(
            f"'{REFERENCE}' is the network that all sittings share; name it otherwise"
        )
    steady_allocator()
    candidates = {**models, REFERENCE: reference_network()}
    with torch.inference_mode():
        image, color = (_image(count, size, profile, device) for count in (channels, 3))
        calls = {
            subject: _call(
                _prepared(model, profile, device), color if subject == REFERENCE else image, profile
            )
            for subject, model in candidates.items()
        }
    return time_calls(
        calls,
        profile=profile,
        process=process,
        seed=seed,
        timer=timer or timer_for(device, profile.threads),
        report=report,
        where=f" at {size[0]}x{size[1]}",
    )


def time_calls(
    calls: Mapping[str, Call],
    *,
    profile: Profile,
    process: int,
    seed: int,
    timer: Timer,
    report: Callable[[int, int], None] = lambda done, rounds: None,
    where: str = "",
) -> list[LatencySample]:
    """Time anything that can be called, side by side: in each round every call, in random order.

    Args:
        calls: What is timed, by subject; run without gradients.
        profile: Rounds and threads.
        process: Number of this process in the sitting, from 0.
        seed: Fixes the order of the rounds, together with `process`.
        timer: What times the calls.
        report: Told after each round how many rounds of how many are done.
        where: On what, for the message when a call fails.

    Raises:
        LatencyError: A call raises; the message names it.
    """
    order = np.random.default_rng((seed, process))
    samples: list[LatencySample] = []
    with _undisturbed(profile.threads), torch.inference_mode():
        counts = {subject: _count(subject, timer, call, where) for subject, call in calls.items()}
        for number in range(profile.rounds):
            for subject in order.permutation(sorted(calls)).tolist():
                timed = _visit(timer, calls[subject], counts[subject])
                samples.append(_sample(subject, process, number, timed))
            report(number + 1, profile.rounds)
    return samples


def untimable(
    models: Mapping[str, nn.Module],
    *,
    size: tuple[int, int],
    profile: Profile,
    device: torch.device,
    channels: int = 3,
) -> dict[str, str]:
    """Why networks cannot run at a size, by subject; those that can are not in it.

    One network that fails must not cost the others their timings.
    """
    reasons = {}
    with torch.inference_mode():
        image = _image(channels, size, profile, device)
        for subject, model in models.items():
            try:
                _call(_prepared(model, profile, device), image, profile)()
            except Exception as error:
                reasons[subject] = str(error).partition("\n")[0] or type(error).__name__
    return reasons


def forecast_seconds(single_call_seconds: float, profile: Profile, candidates: int) -> float:
    """Seconds that a CPU sitting of this many networks takes, at one size.

    Args:
        single_call_seconds: Mean of one call over the networks.
        profile: Rounds and processes.
        candidates: Networks, the reference not counted.
    """
    visit = single_call_seconds * CpuTimer.untimed + max(single_call_seconds, CpuTimer.aim)
    network = _WARM_UP_CALLS * single_call_seconds + profile.rounds * visit
    return profile.processes * (_START_SECONDS + (candidates + 1) * network)


def protocol(profile: Profile, device: torch.device) -> str:
    """How latency is measured, in words for the record."""
    threads = f", threads {profile.threads}" if device.type == "cpu" else ", eager"
    clock = "wall time" if device.type == "cpu" else "CUDA events"
    return (
        f"{clock} of one call, batch {profile.batch}, {profile.precision}{threads}; "
        f"{profile.processes} processes x {profile.rounds} interleaved rounds; "
        "median of the share in the round, times the median round"
    )


def _sample(subject: str, process: int, number: int, timed: Timed) -> LatencySample:
    return LatencySample(
        subject=subject,
        process=process,
        round=number,
        seconds=timed.seconds,
        cpu_seconds=timed.cpu_seconds,
        flagged=timed.flagged,
    )


def _visit(timer: Timer, call: Call, count: int) -> Timed:
    """Untimed calls first: another network has just had the caches."""
    for _ in range(timer.untimed):
        call()
    return timer.time(call, count)


def _count(subject: str, timer: Timer, call: Call, where: str) -> int:
    """Warm a network up and settle how many of its calls make a timed stretch."""
    try:
        return calls_in_a_visit(timer, warm_up(timer, call))
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise LatencyError(f"'{subject}' cannot be timed{where}: {reason}") from error


def _call(model: nn.Module, image: Tensor, profile: Profile) -> Call:
    half = profile.precision == "bfloat16"

    def call() -> object:
        with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=half):
            return model(image)

    return call if half else lambda: model(image)


def _prepared(model: nn.Module, profile: Profile, device: torch.device) -> nn.Module:
    return model.eval().to(device=device, memory_format=_layout(profile))  # type: ignore[call-overload,no-any-return]


def _image(channels: int, size: tuple[int, int], profile: Profile, device: torch.device) -> Tensor:
    """Noise, not zeros: zeros can take short cuts and less power."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((profile.batch, channels, *size), generator=generator)
    return image.to(device=device, memory_format=_layout(profile))


def _layout(profile: Profile) -> torch.memory_format:
    return torch.channels_last if profile.channels_last else torch.contiguous_format


@contextmanager
def _undisturbed(threads: int) -> Iterator[None]:
    """So many threads, and no garbage collection in the middle of a call."""
    before, collecting = torch.get_num_threads(), gc.isenabled()
    gc.collect()
    gc.disable()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if collecting:
            gc.enable()
