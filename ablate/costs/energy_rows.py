"""Energy per image as rows of the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ablate.costs.energy_sitting import Energies
from ablate.costs.latency_rows import MACHINE, mode_name
from ablate.mix import Mix
from ablate.profile import Profile
from ablate.profiling import energy
from ablate.profiling.energy import Energy
from ablate.profiling.latency import REFERENCE, Mode, modes_of
from ablate.profiling.nvml import Absent
from blocks.scan import backend_for
from reports.record import Measurement, Metric, Note


def energy_metrics(device: str) -> tuple[Metric, ...]:
    """What is counted of energy, and how it is found on a device."""
    how = energy.protocol(torch.device(device))
    return (
        Metric("energy", "J", "lower", f"of one image, idling subtracted: {how}"),
        Metric("energy_gross", "J", "none", "of one image, idling included"),
        Metric("power_working", "W", "none", "drawn while the network runs again and again"),
        Metric("power_idle", "W", "none", "drawn while nothing runs, beside what was counted"),
    )


def energy_mode(size: tuple[int, int], profile: Profile, mode: Mode) -> str:
    """What energy was counted on: a network that runs again and again finds its caches filled."""
    return mode_name(size, replace(profile, flush=False), mode)


def energy_rows(
    mixes: Sequence[Mix],
    counted: Energies,
    size: tuple[int, int],
    profile: Profile,
    device: str,
    sitting: str,
    *,
    mode: Mode | None = None,
) -> tuple[list[Measurement], list[Note]]:
    """What was counted as rows: mixes that are the same network share it; why, where nothing was.

    Args:
        mixes: All whose networks were counted.
        counted: Subjects are keys of networks.
        size: Height and width of the image.
        profile: Batch.
        device: cpu or cuda.
        sitting: Its name.
        mode: How the networks ran; none for the profile's first mode.
    """
    if counted.failure:
        return [], [Note("", "energy", f"not counted: {counted.failure}")]
    name = energy_mode(size, profile, mode or modes_of(profile)[0])
    backend = backend_for(torch.device(device))
    rows, notes = list[Measurement](), list[Note]()
    subjects = [(mix.key, mix.network.key) for mix in mixes]
    for subject, network in [*subjects, (REFERENCE, REFERENCE)]:
        found = counted.found[network]
        if isinstance(found, Absent):
            notes.append(Note(subject, "energy", f"not counted: {found.reason}"))
            continue
        rows += [
            Measurement(subject, metric, *values, name, backend, device, sitting)
            for metric, values in _numbers(found).items()
        ]
        if found.note:
            notes.append(Note(subject, "energy", found.note))
    rows += _idle(counted, name, backend, device, sitting)
    return rows, notes


def _numbers(found: Energy) -> dict[str, tuple[float, float | None, float | None, int]]:
    return {
        "energy": (found.joules, found.low, found.high, found.windows),
        "energy_gross": (found.gross, None, None, found.windows),
        "power_working": (found.watts, None, None, found.windows),
    }


def _idle(
    counted: Energies, mode: str, backend: str, device: str, sitting: str
) -> list[Measurement]:
    """The idle power, which all networks of a sitting share."""
    for found in counted.found.values():
        if isinstance(found, Energy):
            watts, windows = found.idle_watts, found.windows + 1
            return [
                Measurement(
                    MACHINE,
                    "power_idle",
                    watts,
                    None,
                    None,
                    windows,
                    mode,
                    backend,
                    device,
                    sitting,
                )
            ]
    return []
