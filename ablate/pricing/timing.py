"""The latency of one network beside that of the reference network, in every way that is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

import torch

from ablate.costs.sitting import Timed, called, time_together
from ablate.foreign.files import one_line
from ablate.mix import Mix
from ablate.network import build
from ablate.pricing.outputs import first_tensor
from ablate.pricing.profiled import PriceError, Shape
from ablate.profile import Profile
from ablate.profiling import latency
from ablate.profiling.conditions import usual
from ablate.profiling.latency import REFERENCE, FirstCall, LatencySummary, Mode, summarise
from ablate.profiling.modes import modes_of
from blocks.scan import backend_for


class How(TypedDict):
    """On what a network is measured."""

    profile: Profile
    device: str


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Latency of a network beside that of the reference network.

    Args:
        network: Seconds of one call, with its interval.
        reference: The same for the reference network, in the same rounds.
        protocol: How they were measured, in words.
        device: Where.
        backend: Of the selective scan.
        mode: How it was run, where not eagerly in float32.
        first: Its first call, and how much of that was compiling.
        conditions: The machine meanwhile: medians over rounds, by name.
        disturbed: In how many rounds something disturbed it.
        rounds: Of how many.
        absent: What could not be read of the machine, and why.
    """

    network: LatencySummary
    reference: LatencySummary
    protocol: str
    device: str
    backend: str
    mode: str = ""
    first: FirstCall | None = None
    conditions: Mapping[str, float] = field(default_factory=dict)
    disturbed: int = 0
    rounds: int = 0
    absent: Mapping[str, str] = field(default_factory=dict)


def forecast_timing(mix: Mix, shape: Shape, *, profile: Profile, device: str) -> float:
    """Seconds that timing will take, judged by two calls of the network in this process.

    Raises:
        PriceError: It cannot be run here, such as for want of memory.
    """
    try:
        call = _call_seconds(mix, shape, device)
    except Exception as error:  # a network from outside can raise anything
        sides = "x".join(str(side) for side in shape)
        raise PriceError(
            f"one image of {sides} cannot be computed on {device}: {one_line(error)}"
        ) from error
    return latency.forecast_seconds(profile.batch * call, profile, candidates=1, device=device)


def _call_seconds(mix: Mix, shape: Shape, device: str) -> float:
    """Seconds of the second call of one image."""
    with torch.inference_mode():
        model = build(mix.network).eval().to(device)
        image = torch.rand(1, *shape, device=device)
        model(image)  # the first one prepares things
        start = time.perf_counter()
        float(first_tensor(model(image)).float().mean())  # waits for the device
        return time.perf_counter() - start


def time_alone(
    mix: Mix,
    shape: Shape,
    *,
    profile: Profile,
    device: str,
    plugins: Sequence[str] = (),
    mode: Mode | None = None,
    report: Callable[[str, int, int], None] = lambda phase, done, total: None,
) -> Timing:
    """Time a network beside the reference network, in fresh processes.

    Args:
        mix: Whose network.
        shape: Of the image.
        profile: Rounds, processes, threads, batch.
        device: cpu or cuda.
        plugins: Files that workers load first.
        mode: How it is run; none for the profile's first way.
        report: Told the phase, the rounds that are done and of how many.

    Raises:
        PriceError: The network, or the sitting, failed.
    """
    channels, height, width = shape
    mode = mode or modes_of(profile)[0]
    rounds = profile.rounds * profile.processes
    phase = f"latency {mode.words}".strip()
    profile = replace(
        profile, size=((height, width),), run=(mode.run,), precision=(mode.precision,)
    )
    timed = time_together(
        [mix],
        size=(height, width),
        profile=profile,
        device=device,
        plugins=tuple(plugins),
        report=lambda done: report(phase, done, rounds),
        channels=channels,
        mode=mode,
    )
    if reason := timed.failure or timed.dropped.get(mix.network.key):
        way = f" {mode.words}" if mode.words else ""
        why = called(reason, {mix.network.key: "the network"})
        raise PriceError(f"latency{way} at {height}x{width} cannot be measured: {why}")
    return _timing(timed, mix, profile, device, mode)


def _timing(timed: Timed, mix: Mix, profile: Profile, device: str, mode: Mode) -> Timing:
    found, place = summarise(timed.samples, seed=0), torch.device(device)
    return Timing(
        network=found[mix.network.key],
        reference=found[REFERENCE],
        protocol=latency.protocol(profile, place),
        device=device,
        backend=backend_for(place),
        mode=mode.words,
        first=timed.first.get(mix.network.key),
        conditions=usual(row.values for row in timed.conditions),
        disturbed=sum(bool(row.reasons) for row in timed.conditions),
        rounds=len(timed.conditions),
        absent=timed.absent,
    )
