"""Stages of networks under the roofs of this machine: placed in a fresh process, told, recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.mix import Mix, mix_from_json
from ablate.network import build
from ablate.profile import Precision, Profile
from ablate.profiling import ceilings as roofs
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.ceilings import Ceilings, measure_ceilings
from ablate.profiling.nvml import Absent
from ablate.profiling.roofline import NETWORK, StagePlacement, roofline
from ablate.profiling.rounds import one_line
from reports.record import Measurement, Metric, Note

Row = tuple[str, ...]

BOUND = "bound"
"""The topic of notes that name what bounds a stage."""
MACHINE = "machine"
CEILING_SECONDS = 5.0  # to measure the ceilings of a machine


class PlacingError(ValueError):
    """Stages could not be placed; the message says why."""


@dataclass(frozen=True, kw_only=True)
class RooflineJob:
    """Networks to place, one after the other, in one process."""

    mixes: tuple[str, ...]  # Mix.to_json
    shape: tuple[int, int, int]  # channels, height, width
    profile: Profile
    device: str


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """The stages of one network, the network last, and the roofs that they stand under.

    Args:
        stages: In the order in which they ran.
        ceilings: Of the machine.
        precision: In which they ran, eagerly.
    """

    stages: tuple[StagePlacement, ...]
    ceilings: Ceilings
    precision: Precision


def once(profile: Profile) -> Profile:
    """How stages are timed: in one process, eagerly, in the profile's first precision."""
    return replace(profile, processes=1, run=("eager",), precision=profile.precision[:1])


def place_stages(
    mixes: Sequence[Mix],
    shape: tuple[int, int, int],
    *,
    profile: Profile,
    device: str,
    plugins: tuple[str, ...] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Roofline | Absent]:
    """Measure the machine's ceilings and place the stages of networks, in one fresh process.

    Args:
        mixes: Whose networks.
        shape: Channels, height and width of the image.
        profile: Rounds, batch, threads, memory layout; its first precision.
        device: cpu or cuda.
        plugins: Files that the worker loads first.
        report: Told how many rounds of how many are done, those of the ceilings among them.

    Returns:
        By key of the mix; why not, where a network cannot be run: that costs the others nothing.

    Raises:
        PlacingError: The process ended before its time.
    """
    job = RooflineJob(
        mixes=tuple(mix.to_json() for mix in mixes), shape=shape, profile=profile, device=device
    )
    total = roofs.ROUNDS + len(mixes) * profile.rounds
    found = run_alone(
        "ablate.costs.placing:place_here",
        job,
        threads=profile.threads,
        plugins=plugins,
        heard=lambda done: report(done, total),
    )
    if isinstance(found, Failed):
        raise PlacingError(f"the stages cannot be placed: {found.reason}")
    assert isinstance(found, dict)
    return found


def place_here(job: RooflineJob, report: Reporter) -> dict[str, Roofline | Absent]:
    """Place the stages of networks in this process (a job for a fresh one)."""
    steady_allocator()
    torch.manual_seed(0)
    device, precision = torch.device(job.device), job.profile.precision[0]
    machine = measure_ceilings(
        device,
        threads=job.profile.threads,
        precisions=[precision],
        report=lambda done, rounds: report(done),
    )
    found: dict[str, Roofline | Absent] = {}
    for number, mix in enumerate(map(mix_from_json, job.mixes)):

        def heard(done: int, rounds: int, before: int = number) -> None:
            report(roofs.ROUNDS + before * rounds + done)

        try:
            stages = roofline(
                build(mix.network),
                (job.profile.batch, *job.shape),
                job.profile,
                device,
                ceilings=machine,
                report=heard,
            )
        except Exception as error:  # a block from outside can raise anything
            found[mix.key] = Absent(one_line(error))
        else:
            found[mix.key] = Roofline(stages=stages, ceilings=machine, precision=precision)
    return found


def table(found: Roofline) -> tuple[Row, list[Row]]:
    """Headings and rows: a row a stage, with what bounds it and how near it is to its roof."""
    headings = ("stage", "ms", "GFLOP/s", "GB/s", "FLOP/byte", "limit", "of the roof")
    return headings, [_row(stage) for stage in found.stages]


def remarks(found: Roofline) -> list[str]:
    """What the roofs are, and how they were found."""
    machine = found.ceilings
    return [
        f"roofs of this machine: {machine.memory / 1e9:,.1f} GB/s copied in main memory, up to "
        f"{machine.bandwidth(1) / 1e9:,.1f} GB/s in its caches; "
        f"{machine.product(found.precision) / 1e9:,.1f} GFLOP/s in {found.precision} products; "
        f"{machine.launch * 1e6:.2f} µs an operator",
        f"measured as {roofs.protocol(machine)}",
        "stages run alone and eagerly; FLOPs and bytes as counted, two FLOPs a multiply-add, "
        "every tensor moved once an operator; a stage far below its roof waits for something else",
    ]


def as_json(found: Roofline) -> dict[str, Any]:
    """All of it as plain data; bytes, seconds and operations."""
    return {
        "precision": found.precision,
        "ceilings": {**asdict(found.ceilings), "protocol": roofs.protocol(found.ceilings)},
        "stages": [asdict(stage) for stage in found.stages],
    }


def roofline_metrics() -> tuple[Metric, ...]:
    """What is recorded of stages under their roofs."""
    return (
        Metric("intensity", "FLOP/byte", "none", "operations per byte moved, both as counted"),
        Metric(
            "roof_share",
            "",
            "none",
            "the least time that the stage's limit allows, over the time that it took alone",
        ),
        Metric("copy_bandwidth", "byte/s", "none", "best copy in main memory, read and written"),
        Metric("product_rate", "FLOP/s", "none", "best product of two square matrices"),
        Metric("launch_overhead", "s", "none", "from one smallest operator to the next, at best"),
    )


def roofline_rows(
    found: Mapping[str, Roofline], mode: str, device: str, sitting: str = ""
) -> tuple[list[Measurement], list[Note]]:
    """Placements as rows: numbers of stages (KEY:SLOT) and of the machine, limits as notes.

    Args:
        found: By key of the mix.
        mode: What was measured, as modes of the record say it.
        device: Where.
        sitting: In which.
    """

    def row(subject: str, metric: str, value: float) -> Measurement:
        return Measurement(subject, metric, value, mode=mode, device=device, sitting=sitting)

    numbers, notes = list[Measurement](), list[Note]()
    for key, one in found.items():
        for stage in one.stages:
            subject = key if stage.slot == NETWORK else f"{key}:{stage.slot}"
            placed = stage.placement
            if stage.slot != NETWORK:  # whole networks have their latency from a sitting
                seconds = row(subject, "latency", placed.seconds)
                numbers.append(replace(seconds, low=stage.low, high=stage.high))
            numbers.append(row(subject, "intensity", placed.intensity))
            numbers.append(row(subject, "roof_share", placed.share))
            notes.append(Note(subject, BOUND, limit_words(stage)))
    for one in list(found.values())[:1]:
        machine = {
            "copy_bandwidth": one.ceilings.memory,
            "product_rate": one.ceilings.product(one.precision),
            "launch_overhead": one.ceilings.launch,
        }
        numbers += [row(MACHINE, name, value) for name, value in machine.items()]
    return numbers, notes


def limit_words(stage: StagePlacement) -> str:
    """What bounds a stage and how nearly: memory-bound, at 71 % of the roof."""
    return f"{stage.placement.label}, at {100 * stage.placement.share:.0f} % of the roof"


def _row(stage: StagePlacement) -> Row:
    placed, work = stage.placement, stage.work
    return (
        stage.slot,
        f"{1e3 * placed.seconds:,.4g}",
        f"{work.flops / placed.seconds / 1e9:,.1f}",
        f"{work.bytes_moved / placed.seconds / 1e9:,.1f}",
        f"{placed.intensity:,.2f}",
        placed.label,
        f"{100 * placed.share:.0f} %",
    )
