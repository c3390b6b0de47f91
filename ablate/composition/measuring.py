"""Times parts of networks and whole networks side by side, in fresh processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ablate.composition.parts import Part
from ablate.engines.job import Failed, Job, Message, Reporter
from ablate.engines.local import run_jobs
from ablate.mix import Network, Profile
from ablate.network import build
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.latency import (
    REFERENCE,
    LatencySample,
    LatencySummary,
    summarise,
    time_calls,
)
from ablate.profiling.reference import reference_network
from ablate.profiling.stages import StageCall, stage_calls
from ablate.profiling.timing import Call, timer_for
from ablate.topologies import Blocks

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which parts are timed: what a time holds for, and nothing else."""

    size: Size
    profile: Profile
    device: str
    plugins: tuple[str, ...] = ()
    channels: int = 3


@dataclass(frozen=True, kw_only=True)
class PartsJob:
    """One process of the measurement.

    Args:
        wholes: Networks, by subject.
        parts: Parts by subject, each with the network that it is taken from.
        conditions: How they are timed.
        process: Number of this process.
    """

    wholes: Mapping[str, Network]
    parts: Mapping[str, tuple[Part, Network]]
    conditions: Conditions
    process: int


@dataclass(frozen=True, kw_only=True)
class PartsTimed:
    """What one process, or all together, found.

    Args:
        samples: Every subject in every round, the reference network among them.
        relaid: By part, the elements that it hands on in another memory layout than it is given.
        dropped: What cannot run, with the reason.
    """

    samples: tuple[LatencySample, ...]
    relaid: Mapping[str, int]
    dropped: Mapping[str, str]

    def summaries(self) -> dict[str, LatencySummary]:
        """Seconds of every subject that could run in every process."""
        return summarise([s for s in self.samples if s.subject not in self.dropped])


class MeasuringError(ValueError):
    """The measurement came to nothing; the message says why."""


def measure(
    wholes: Mapping[str, Network],
    parts: Mapping[str, tuple[Part, Network]],
    conditions: Conditions,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> PartsTimed:
    """Time everything in each of several fresh processes, one after the other.

    Args:
        wholes: Networks by subject.
        parts: Parts by subject, each with the network that it is taken from.
        conditions: How they are timed; its profile says how many rounds and processes.
        report: Told how many rounds of how many are done, over all processes.

    Raises:
        MeasuringError: A process failed.
    """
    found, rounds = list[PartsTimed](), conditions.profile.rounds
    for process in range(conditions.profile.processes):
        payload = PartsJob(wholes=wholes, parts=parts, conditions=conditions, process=process)
        job = Job(
            name=f"parts {process}",
            function="ablate.composition.measuring:time_parts",
            payload=payload,
            threads=conditions.profile.threads,
            plugins=conditions.plugins,
        )
        for event in run_jobs([job], workers=1):
            if isinstance(event, Message):
                report(
                    process * rounds + int(str(event.content)),
                    conditions.profile.processes * rounds,
                )
            elif isinstance(event, Failed):
                raise MeasuringError(f"the parts could not be timed: {event.reason}")
            else:
                assert isinstance(event.result, PartsTimed)
                found.append(event.result)
    return PartsTimed(
        samples=tuple(sample for one in found for sample in one.samples),
        relaid=found[0].relaid,
        dropped={name: why for one in found for name, why in one.dropped.items()},
    )


def time_parts(job: PartsJob, report: Reporter) -> PartsTimed:
    """Time parts and networks side by side in this process (a job for a fresh one)."""
    steady_allocator()
    torch.manual_seed(0)
    place, profile = torch.device(job.conditions.device), job.conditions.profile
    image = _image(job.conditions, place)
    calls: dict[str, Call] = {REFERENCE: _whole(reference_network(), image[:, :3], profile)}
    relaid, dropped = dict[str, int](), dict[str, str]()
    with torch.inference_mode():
        for subject, make in _makers(job, image):
            try:
                call, moved = make()
                _cast(call, profile, place)()
            except Exception as error:  # a block from outside can raise anything
                dropped[subject] = str(error).partition("\n")[0] or type(error).__name__
                continue
            calls[subject], relaid[subject] = _cast(call, profile, place), moved
    samples = time_calls(
        calls,
        profile=profile,
        process=job.process,
        seed=job.process,
        timer=timer_for(place, profile.threads),
        report=lambda done, rounds: report(done),
        where=f" at {job.conditions.size[0]}x{job.conditions.size[1]}",
    )
    return PartsTimed(samples=tuple(samples), relaid=relaid, dropped=dropped)


def _makers(job: PartsJob, image: Tensor) -> Iterator[tuple[str, Callable[[], tuple[Call, int]]]]:
    """What makes the call of each subject, and says how many elements it relays."""
    profile = job.conditions.profile
    for subject, network in job.wholes.items():
        yield subject, lambda network=network: (_whole(build(network), image, profile), 0)
    for subject, (part, network) in job.parts.items():
        yield subject, lambda part=part, network=network: _part(part, network, image, profile)


def _whole(model: nn.Module, image: Tensor, profile: Profile) -> Call:
    ready = _prepared(model, image.device, profile)
    return lambda: ready(image)


def _part(part: Part, network: Network, image: Tensor, profile: Profile) -> tuple[Call, int]:
    """One stage or block on what it is given inside a network, and what it relays."""
    model = _prepared(build(network), image.device, profile)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=_half(profile)):
        call = _only_last(stage_calls(model, image)[part.slot], part)
        return call, _relaid(call)


def _only_last(call: StageCall, part: Part) -> StageCall:
    """The same visits by the last block alone, where that is what is meant."""
    if not part.last:
        return call
    visits = []
    for blocks, features, context in call.visits:
        assert isinstance(blocks, Blocks)
        visits.append((Blocks(blocks[-1], slot=part.slot), features, context))
    return replace(call, visits=tuple(visits))


def _relaid(call: StageCall) -> int:
    """Elements that are handed on in another memory layout than they were given."""
    moved = 0
    for blocks, features, context in call.visits:
        output = blocks(features, context) if context else blocks(features)
        if _channels_last(output) != _channels_last(features):
            moved += output.numel()
    return moved


def _channels_last(features: Tensor) -> bool:
    return features.is_contiguous(memory_format=torch.channels_last)


def _cast(call: Call, profile: Profile, device: torch.device) -> Call:
    if not _half(profile):
        return call

    def cast() -> object:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            return call()

    return cast


def _half(profile: Profile) -> bool:
    return profile.precision == "bfloat16"


def _prepared(model: nn.Module, device: torch.device, profile: Profile) -> nn.Module:
    return model.eval().to(device=device, memory_format=_layout(profile))  # type: ignore[call-overload,no-any-return]


def _image(conditions: Conditions, device: torch.device) -> Tensor:
    """Noise, not zeros: zeros can take short cuts and less power."""
    shape = (conditions.profile.batch, conditions.channels, *conditions.size)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return image.to(device=device, memory_format=_layout(conditions.profile))


def _layout(profile: Profile) -> torch.memory_format:
    return torch.channels_last if profile.channels_last else torch.contiguous_format
