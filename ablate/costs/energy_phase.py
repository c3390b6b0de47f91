"""A run's energies: counted after its latencies, where the study asks for them, and recorded."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ablate.costs.energy_rows import energy_mode, energy_rows
from ablate.costs.energy_sitting import REPEATS, energy_together
from ablate.costs.sitting import sitting_name
from ablate.events import Listener, PhaseBegan, PhaseStep, Warned
from ablate.mix import Mix, Profile
from ablate.profiling.latency import modes_of, split
from reports.record import Record


def count_energies(
    record: Record,
    mixes: Mapping[str, Mix],
    profile: Profile,
    device: str,
    plugins: tuple[str, ...],
    listener: Listener,
) -> None:
    """Count and record what an image costs, at every size; what is recorded already is left.

    Args:
        record: Where it is written.
        mixes: All of the run, by key.
        profile: Says whether to count at all, the sizes, and how the networks run.
        device: cpu or cuda.
        plugins: Files that workers load first.
        listener: Told of progress, and why nothing could be counted.
    """
    modes, _ = split(modes_of(profile), torch.device(device))
    if not profile.energy or not modes:
        return
    networks = list({mix.network.key: mix for mix in mixes.values()}.values())
    sitting, mode = sitting_name(networks, profile, device), modes[0]
    measured, notes = record.measurements(), record.notes()
    done = measured[(measured["metric"] == "energy") & (measured["sitting"] == sitting)]
    told = set(notes[notes["topic"] == "energy"]["text"])
    for size in profile.size:
        if (done["mode"] == energy_mode(size, profile, mode)).any():
            continue
        listener(PhaseBegan("energy", REPEATS))
        counted = energy_together(
            networks,
            size=size,
            profile=profile,
            device=device,
            plugins=plugins,
            report=lambda rounds: listener(PhaseStep("energy", rounds, REPEATS)),
            mode=mode,
        )
        rows, remarks = energy_rows(
            list(mixes.values()), counted, size, profile, device, sitting, mode=mode
        )
        if counted.failure:
            listener(Warned(f"energy was not counted: {counted.failure}"))
        record.add_sitting(rows, (), [note for note in remarks if note.text not in told])
