"""Energy of networks side by side, in a fresh process while nothing else runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.mix import Mix, mix_from_json
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling._energy_windows import SECONDS, SETTLE
from ablate.profiling.energy import Energy, energies, meter_for
from ablate.profiling.latency import Mode, modes_of, ready_networks
from ablate.profiling.modes import numbers_as
from ablate.profiling.nvml import Absent
from ablate.profiling.rounds import undisturbed

REPEATS: int = 3  # windows of each network

_START_SECONDS = 5.0  # a fresh process: the interpreter, torch, building the networks


@dataclass(frozen=True, kw_only=True)
class EnergyJob:
    """Which networks to count the energy of, and how they run."""

    mixes: tuple[str, ...]  # Mix.to_json, one per network
    size: tuple[int, int]
    profile: Profile
    mode: Mode
    device: str
    channels: int = 3


@dataclass(frozen=True, kw_only=True)
class Energies:
    """What one image costs, by key of the network.

    Args:
        found: Of every network and the reference, or why it could not be counted.
        failure: Why nothing was counted at all; empty where it was.
    """

    found: Mapping[str, Energy | Absent] = field(default_factory=dict)
    failure: str = ""


def forecast_seconds(candidates: int, device: torch.device) -> float:
    """Seconds that counting so many networks takes at one size, if the counter steps often.

    Args:
        candidates: Networks, the reference not counted.
        device: What runs them; a processor without a counter takes no time.
    """
    if device.type == "cpu" and isinstance(meter_for(device), Absent):
        return 0.0
    windows = REPEATS * (candidates + 1) + REPEATS + 1
    return _START_SECONDS + windows * (SETTLE + SECONDS)


def energy_together(
    networks: Sequence[Mix],
    *,
    size: tuple[int, int],
    profile: Profile,
    device: str,
    plugins: tuple[str, ...],
    report: Callable[[int], None] = lambda done: None,
    channels: int = 3,
    mode: Mode | None = None,
) -> Energies:
    """Count what an image costs in a fresh process, all networks side by side.

    Args:
        networks: One mix for each different network.
        size: Height and width of the image.
        profile: Batch, threads, memory layout.
        device: cpu or cuda.
        plugins: Files that the worker loads first.
        report: Told how many of `REPEATS` rounds are done.
        channels: Of the image.
        mode: How the networks run; none for the profile's first mode.
    """
    payload = EnergyJob(
        mixes=tuple(mix.to_json() for mix in networks),
        size=size,
        profile=profile,
        mode=mode or modes_of(profile)[0],
        device=device,
        channels=channels,
    )
    function = "ablate.costs.energy_sitting:count_energy"
    found = run_alone(function, payload, threads=profile.threads, plugins=plugins, heard=report)
    if isinstance(found, Failed):
        return Energies(failure=found.reason)
    assert isinstance(found, Energies)
    return found


def count_energy(job: EnergyJob, report: Reporter) -> Energies:
    """Count the energy of networks side by side in this process (a job for a fresh one)."""
    device = torch.device(job.device)
    meter = meter_for(device)
    if isinstance(meter, Absent):
        return Energies(failure=meter.reason)
    torch.manual_seed(0)
    models = {mix.network.key: build(mix.network) for mix in map(mix_from_json, job.mixes)}
    with numbers_as(job.mode.precision), undisturbed(job.profile.threads):
        with torch.inference_mode():
            ready, dropped = ready_networks(
                models, job.size, job.profile, job.mode, device, job.channels, (0, 0)
            )
        found = energies(
            {subject: prepared.call for subject, prepared in ready.items()},
            job.profile.batch,
            device,
            meter=meter,
            repeats=REPEATS,
            report=lambda done, rounds: report(done),
        )
    lost = {subject: Absent(f"cannot be run: {reason}") for subject, reason in dropped.items()}
    return Energies(found={**found, **lost})
