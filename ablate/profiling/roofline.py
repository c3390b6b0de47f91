"""Where each stage stands under the roofs of its machine: what limits it, and how nearly.

Three things bound a stage from below: the bytes that it must move, the operations that it must
do, and the operators that it must start. The longest of the three names it; its part of the time
that the stage really took says how near the stage is to that roof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ablate.profile import Precision, Profile
from ablate.profiling._launches import Launches
from ablate.profiling._step import state
from ablate.profiling.ceilings import Ceilings, measure_ceilings
from ablate.profiling.inputs import HALVES, cast, noise, placed
from ablate.profiling.latency import time_calls
from ablate.profiling.ledger import Cost, ledger
from ablate.profiling.levelling import levelled
from ablate.profiling.memory import StorageTracker
from ablate.profiling.modes import numbers_as
from ablate.profiling.roofs import Placement, Work, place
from ablate.profiling.stages import StageCall, stage_calls
from ablate.profiling.summary import LatencySummary, summarise
from ablate.profiling.timing import Call, Timer, timer_for

NETWORK = "network"
"""Under this name stands the network as a whole."""


@dataclass(frozen=True, kw_only=True)
class StagePlacement:
    """A stage on the roofline.

    Args:
        slot: Such as stage1; "network" for the whole.
        shapes: (B, C, H, W) of what it is given, once for each visit.
        work: What it must do.
        placement: Where that puts it.
        low: Lower end of the 95 % interval of its time, in seconds.
        high: Upper end.
    """

    slot: str
    shapes: tuple[tuple[int, ...], ...]
    work: Work
    placement: Placement
    low: float
    high: float


def roofline(
    model: nn.Module,
    shape: tuple[int, ...],
    profile: Profile,
    device: torch.device,
    *,
    ceilings: Ceilings | None = None,
    timer: Timer | None = None,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, rounds: None,
) -> tuple[StagePlacement, ...]:
    """Place every stage of a network, and the network; run eagerly, in the first precision.

    Stages are timed alone, on what they are given inside the network, in interleaved rounds. It
    is best done in a process that does little else.

    Args:
        model: The network; it is moved to the device and put into evaluation mode.
        shape: (B, C, H, W) of its image.
        profile: Rounds, threads, precision, memory layout, and whether caches are emptied.
        device: Where it runs.
        ceilings: Of the device, in this precision and with these threads; none measures them.
        timer: What times the calls; none for the clock that suits the device.
        seed: Fixes the order of the rounds.
        report: Told after each round how many rounds of how many are done.

    Raises:
        LatencyError: A stage cannot be run.
        CountError: The network cannot be counted.
        CeilingError: The ceilings are not those of this precision.
    """
    precision = profile.precision[0]
    roofs = ceilings or measure_ceilings(device, threads=profile.threads, precisions=[precision])
    roofs.product(precision)  # fails before anything is run where it was not measured
    costs = _costs(model, shape, precision)
    with numbers_as(precision), torch.inference_mode():
        image = noise(tuple(shape), device, profile.channels_last)
        module = placed(model, device, profile.channels_last)
        with cast(device.type, precision):  # what a stage is given is cast as inside the network
            stages = stage_calls(module, image)
        calls: dict[str, Call] = {**stages, NETWORK: lambda: module(image)}
        given = _given(stages, module, image)
        work = {
            slot: _work(costs[slot], call, given[slot], cast(device.type, precision))
            for slot, call in calls.items()
        }
        samples = time_calls(
            {slot: _within(call, precision, device) for slot, call in calls.items()},
            profile=profile,
            process=0,
            seed=seed,
            timer=timer or timer_for(device, profile.threads, profile.flush),
            report=report,
        )
    taken = summarise(levelled(samples), seed)
    shapes = {slot: stage.shapes for slot, stage in stages.items()} | {NETWORK: (tuple(shape),)}
    return _placed(shapes, work, taken, roofs, precision)


def _placed(
    shapes: Mapping[str, tuple[tuple[int, ...], ...]],
    work: Mapping[str, Work],
    taken: Mapping[str, LatencySummary],
    ceilings: Ceilings,
    precision: Precision,
) -> tuple[StagePlacement, ...]:
    return tuple(
        StagePlacement(
            slot=slot,
            shapes=visits,
            work=work[slot],
            placement=place(work[slot], taken[slot].seconds, ceilings, precision),
            low=taken[slot].low,
            high=taken[slot].high,
        )
        for slot, visits in shapes.items()
    )


def _costs(model: nn.Module, shape: tuple[int, ...], precision: Precision) -> dict[str, Cost]:
    """By slot and for the network; what is cast to half moves half the bytes."""
    with cast("cpu", precision):
        found = ledger(model, shape)
    return {**found.by_stage, NETWORK: found.total}


def _given(
    stages: Mapping[str, StageCall], network: nn.Module, image: Tensor
) -> dict[str, list[Tensor]]:
    """What each stage and the network reads: features and its own weights."""
    given = {
        slot: [each for blocks, x, _ in stage.visits for each in (x, *state(blocks))]
        for slot, stage in stages.items()
    }
    return {**given, NETWORK: [image, *state(network)]}


def _work(
    cost: Cost, call: Call, given: Sequence[Tensor], how: AbstractContextManager[object]
) -> Work:
    """The cost that was counted, and what one real call shows."""
    launches, tracker = Launches(), StorageTracker(given)
    with tracker, launches, how:
        call()
    return Work(
        flops=float(cost.flops),
        bytes_moved=float(cost.bytes_moved),
        launches=launches.count,
        working_set=float(tracker.peak),
    )


def _within(call: Call, precision: Precision, device: torch.device) -> Call:
    if precision not in HALVES:
        return call

    def within() -> object:
        with cast(device.type, precision):
            return call()

    return within
