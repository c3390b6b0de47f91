"""Times parts of networks and whole networks side by side, in fresh processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.latency_model.parts import Part
from ablate.mix import Network
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.conditions import watcher
from ablate.profiling.inputs import cast, noise, placed
from ablate.profiling.latency import (
    LatencySample,
    LatencySummary,
    Mode,
    measure_networks,
    summarise,
)
from ablate.profiling.levelling import levelled
from ablate.profiling.modes import numbers_as
from ablate.profiling.stages import StageCall, stage_calls
from ablate.topologies import Blocks

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which parts are timed.

    Args:
        size: Height and width of the image.
        profile: Rounds, processes, batch, threads, memory layout.
        mode: How networks are run, and in which precision.
        device: cpu or cuda.
        plugins: Files that workers load first.
        channels: Of the image.
    """

    size: Size
    profile: Profile
    mode: Mode
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

        def heard(done: int, before: int = process * rounds) -> None:
            report(before + done, conditions.profile.processes * rounds)

        part = run_alone(
            "ablate.latency_model.measuring:time_parts",
            payload,
            threads=conditions.profile.threads,
            plugins=conditions.plugins,
            heard=heard,
        )
        if isinstance(part, Failed):
            raise MeasuringError(f"the parts could not be timed: {part.reason}")
        assert isinstance(part, PartsTimed)
        found.append(part)
    return PartsTimed(
        samples=tuple(levelled([sample for one in found for sample in one.samples])),
        relaid=found[0].relaid,
        dropped={name: why for one in found for name, why in one.dropped.items()},
    )


def time_parts(job: PartsJob, report: Reporter) -> PartsTimed:
    """Time parts and networks side by side in this process (a job for a fresh one)."""
    steady_allocator()
    torch.manual_seed(0)
    given = job.conditions
    models: dict[str, nn.Module] = {name: build(one) for name, one in job.wholes.items()}
    relaid, dropped = dict[str, int](), dict[str, str]()
    with torch.inference_mode(), numbers_as(given.mode.precision):
        for name, (part, network) in job.parts.items():
            try:
                module = PartModule(part, build(network), given)
                relaid[name] = module.relaid()
                models[name] = module
            except Exception as error:  # a block from outside can raise anything
                dropped[name] = str(error).partition("\n")[0] or type(error).__name__
    device = torch.device(given.device)
    measured = measure_networks(
        models,
        size=given.size,
        profile=given.profile,
        process=job.process,
        seed=job.process,
        device=device,
        mode=given.mode,
        report=lambda done, rounds: report(done),
        channels=given.channels,
        watch=_watch(device),
    )
    return PartsTimed(
        samples=measured.rounds.samples, relaid=relaid, dropped={**dropped, **measured.dropped}
    )


class PartModule(nn.Module):
    """A part that runs by itself, on what it was given inside a network.

    Args:
        part: A stage, or one block of it.
        network: That holds it.
        given: On what image, and how.
    """

    def __init__(self, part: Part, network: nn.Module, given: Conditions) -> None:
        super().__init__()
        self._given = given
        image = noise(
            (given.profile.batch, given.channels, *given.size),
            given.device,
            given.profile.channels_last,
        )
        placed(network, given.device, given.profile.channels_last)
        with self._cast():
            call = stage_calls(network, image)[part.slot]
        self._call = _only_last(call, part)
        self.kept = nn.ModuleList(blocks for blocks, _, _ in self._call.visits)

    def forward(self, image: Tensor) -> None:
        """Run the part; the image is not looked at, the part has its own input."""
        self._call()

    def relaid(self) -> int:
        """Elements that are handed on in another memory layout than they were given."""
        moved = 0
        for blocks, features, context in self._call.visits:
            with self._cast():
                output = blocks(features, context) if context else blocks(features)
            if _channels_last(output) != _channels_last(features):
                moved += output.numel()
        return moved

    def _cast(self) -> AbstractContextManager[object]:
        return cast(torch.device(self._given.device).type, self._given.mode.precision)


def _watch(device: torch.device) -> Callable[[], Mapping[str, float]]:
    look = watcher(device)
    return lambda: look().as_numbers()


def _only_last(call: StageCall, part: Part) -> StageCall:
    """The same visits by the last block alone, where that is what is meant."""
    if not part.last:
        return call
    visits = []
    for blocks, features, context in call.visits:
        assert isinstance(blocks, Blocks)
        visits.append((Blocks(blocks[-1], slot=part.slot), features, context))
    return replace(call, visits=tuple(visits))


def _channels_last(features: Tensor) -> bool:
    return features.is_contiguous(memory_format=torch.channels_last)
