"""What one network costs: counted, forecast and timed, and as another counter would have it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict

import torch

from ablate.costs import BESIDE
from ablate.mix import Mix, Profile
from ablate.network import build, scale_of
from ablate.profiling import latency, memory
from ablate.profiling.conventions import ConventionCount, count_as, find
from ablate.profiling.flops import MacCount, count_macs, count_parameters
from ablate.profiling.latency import REFERENCE, LatencySummary, summarise
from ablate.profiling.memory import peak_inference
from ablate.profiling.padding import Padding, padding
from ablate.sitting import time_together
from ablate.study import Study
from blocks import nearest
from blocks.scan import backend_for

Shape = tuple[int, int, int]  # channels, height, width

SEARCHED = 100_000  # mixes among which one of a given label is looked for


class How(TypedDict):
    """On what a network is measured."""

    profile: Profile
    device: str


class PriceError(ValueError):
    """No network, or no image that it takes, is meant; the message says what there is."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Latency of a network beside that of the reference network.

    Args:
        network: Seconds of one call, with its interval.
        reference: The same for the reference network, in the same rounds.
        protocol: How they were measured, in words.
        device: Where.
        backend: Of the selective scan.
    """

    network: LatencySummary
    reference: LatencySummary
    protocol: str
    device: str
    backend: str


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a network costs for one image.

    Args:
        name: The study, and the mix where there are several.
        shape: Channels, height and width of the image.
        output: The same of what the network returns.
        params: Parameters.
        count: Multiply-adds and what stands beside them.
        padding: What the network makes of the image's size.
        charged: What the asked convention says.
        peak_memory: Bytes at the worst moment of one call, as the profile has it.
        memory_protocol: How that was found.
    """

    name: str
    shape: Shape
    output: Shape
    params: int
    count: MacCount
    padding: Padding
    charged: ConventionCount
    peak_memory: int
    memory_protocol: str


def choose_mix(study: Study, label: str | None) -> tuple[str, Mix]:
    """The name and the mix that is meant: the only one, or the one of this label.

    Raises:
        PriceError: There are several and none is named, or none is named so.
    """
    if label is None and study.size == 1:
        return study.name, study.mix(study.at(0))
    points = list(itertools.islice(study.points(), SEARCHED))
    if label is None:
        raise PriceError(
            f"{study.name}: {study.size:,} mixes, and one is profiled at a time; "
            f'say which: --mix "{study.label(points[0])}"'
        )
    labels = {study.label(point): point for point in points}
    if label not in labels:
        raise PriceError(_no_mix(study, label, list(labels)))
    name = study.name if study.size == 1 else f"{study.name}: {label}"
    return name, study.mix(labels[label])


def image_shape(mix: Mix, profile: Profile, asked: Sequence[str] | None) -> Shape:
    """Channels, height and width of the image: as asked, else as the profile has it.

    Args:
        mix: What is profiled.
        profile: Its first size is the default.
        asked: Height and width, or channels, height and width; whole numbers from 1.

    Raises:
        PriceError: Other numbers were asked for, or the network takes other images.
    """
    channels = int(str(mix.network.topology.settings.get("image_channels", 3)))
    if asked is None:
        return channels, *profile.size[0]
    given = " ".join(asked)
    if len(asked) not in (2, 3) or not all(text.isdecimal() and int(text) for text in asked):
        raise PriceError(
            "--size: expected height and width, or channels, height and width, as in 256 256 or "
            f"3 256 256; got {given}"
        )
    *first, height, width = map(int, asked)
    if first and first[0] != channels:
        raise PriceError(
            f"--size: the network takes images of {channels} channels; got {given} "
            "(channels come first)"
        )
    return channels, height, width


def with_rounds(profile: Profile, asked: str | None) -> Profile:
    """The profile with another number of rounds, where one is asked for.

    Raises:
        PriceError: It is not a whole number from 1.
    """
    if asked is None:
        return profile
    if not asked.isdecimal() or not int(asked):
        raise PriceError(f"--rounds: expected a whole number from 1; got '{asked}'")
    return replace(profile, rounds=int(asked))


def price(
    name: str, mix: Mix, shape: Shape, *, convention: str, profile: Profile, device: str
) -> Price:
    """Count a network and forecast its memory; on a CPU nothing is computed for it.

    Args:
        name: What it is called.
        mix: Whose network.
        shape: Of the image.
        convention: How others would count it.
        profile: Batch and precision of the call whose memory is forecast.
        device: cpu or cuda.

    Raises:
        ValueError: There is no such convention, or the network cannot take this image.
    """
    find(convention)
    channels, *size = shape
    height, width = size
    with torch.device("meta" if device == "cpu" else device):
        model = build(mix.network)
    image = (1, channels, height, width)
    scale = scale_of(model)
    place = torch.device(device)
    return Price(
        name=name,
        shape=shape,
        output=(channels, scale * height, scale * width),
        params=count_parameters(model),
        count=count_macs(model, (height, width), channels=channels),
        padding=padding(model, image),
        charged=count_as(model, image, convention),
        peak_memory=peak_inference(
            model, (height, width), profile.batch, place, profile.precision, channels
        ),
        memory_protocol=memory.protocol(place),
    )


def forecast_timing(mix: Mix, shape: Shape, *, profile: Profile, device: str) -> float:
    """Seconds that timing will take, judged by two calls of the network in this process."""
    with torch.device(device), torch.inference_mode():
        model, image = build(mix.network).eval(), torch.rand(1, *shape)
        model(image)  # the first one prepares things
        start = time.perf_counter()
        float(model(image)["image"].mean())  # waits for the device
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


def as_json(found: Price, timing: Timing | None) -> dict[str, Any]:
    """A price as plain data: the convention's figures first, ours beside them."""
    charged, count = found.charged, found.count
    return {
        "name": found.name,
        "size": found.shape,
        "padded": found.padding.whole,
        "padded_inside": found.padding.inside,
        "output": found.output,
        "convention": charged.convention,
        "params": charged.params,
        "macs": charged.macs,
        "macs_range": charged.range,
        "macs_by_class": charged.by_class,
        "uncounted": charged.uncounted,
        "ablate": {
            "params": found.params,
            "macs": count.total,
            "macs_range": count.range,
            "macs_by_class": count.by_class,
            "uncounted": count.uncounted,
            "scan_strict": count.scan_strict,
            "beside": {name: getattr(count, name) for name in BESIDE},
        },
        "peak_memory": found.peak_memory,
        "peak_memory_protocol": found.memory_protocol,
        "latency": None if timing is None else _timing_as_json(timing),
    }


def _timing_as_json(timing: Timing) -> dict[str, Any]:
    return {
        **asdict(timing.network),
        "reference": asdict(timing.reference),
        "protocol": timing.protocol,
        "device": timing.device,
        "scan_backend": timing.backend,
    }


def _no_mix(study: Study, label: str, labels: list[str]) -> str:
    few = "; ".join(labels[:5]) + (" ..." if study.size > len(labels[:5]) else "")
    return f"{study.name}: no mix is named '{label}'{nearest(label, labels)} (mixes: {few})"
