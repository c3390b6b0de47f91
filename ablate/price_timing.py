"""The latency of one network beside that of the reference network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import torch

from ablate.foreign_network import first_tensor
from ablate.mix import Mix, Profile
from ablate.network import build
from ablate.profiled import PriceError, Shape
from ablate.profiling import latency
from ablate.profiling.latency import REFERENCE, LatencySummary, summarise
from ablate.sitting import time_together
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
    """

    network: LatencySummary
    reference: LatencySummary
    protocol: str
    device: str
    backend: str
    mode: str = ""


def forecast_timing(mix: Mix, shape: Shape, *, profile: Profile, device: str) -> float:
    """Seconds that timing will take, judged by two calls of the network in this process.

    Raises:
        ValueError: It returns no tensor.
    """
    with torch.inference_mode():
        model = build(mix.network).eval().to(device)
        image = torch.rand(1, *shape, device=device)
        model(image)  # the first one prepares things
        start = time.perf_counter()
        float(first_tensor(model(image)).float().mean())  # waits for the device
        call = time.perf_counter() - start
    return latency.forecast_seconds(profile.batch * call, profile, candidates=1)


def time_alone(
    mix: Mix,
    shape: Shape,
    *,
    profile: Profile,
    device: str,
    plugins: Sequence[str] = (),
    report: Callable[[str, int, int], None] = lambda phase, done, total: None,
) -> Timing:
    """Time a network beside the reference network, in fresh processes.

    Args:
        mix: Whose network.
        shape: Of the image.
        profile: Rounds, processes, threads, batch, precision.
        device: cpu or cuda.
        plugins: Files that workers load first.
        report: Told the phase, the rounds that are done and of how many.

    Raises:
        PriceError: The network, or the sitting, failed.
    """
    channels, height, width = shape
    rounds = profile.rounds * profile.processes
    timed = time_together(
        [mix],
        size=(height, width),
        profile=replace(profile, size=((height, width),)),
        device=device,
        plugins=tuple(plugins),
        report=lambda done: report("latency", done, rounds),
        channels=channels,
    )
    if reason := timed.failure or timed.dropped.get(mix.network.key):
        raise PriceError(f"latency at {height}x{width} cannot be measured: {reason}")
    found, place = summarise(timed.samples, seed=0), torch.device(device)
    return Timing(
        network=found[mix.network.key],
        reference=found[REFERENCE],
        protocol=latency.protocol(profile, place),
        device=device,
        backend=backend_for(place),
    )
