"""A run's energies: counted after its latencies, where the study asks for them, and recorded."""

from __future__ import annotations

import torch

from ablate.costs.energy_rows import energy_mode, energy_rows
from ablate.costs.energy_sitting import REPEATS, energy_together
from ablate.costs.phase import Phase
from ablate.events import PhaseBegan, PhaseStep, Warned
from ablate.profiling.latency import modes_of, split


def count_energies(phase: Phase) -> None:
    """Count and record what an image costs, at every size; what is recorded already is left.

    Where nothing can be counted, that is told and noted once, however often the run goes on.
    """
    profile, device, listener = phase.profile, phase.device, phase.listener
    modes, _ = split(modes_of(profile), torch.device(device))
    if not profile.energy or not modes:
        return
    notes = phase.record.notes()
    told = set(notes[notes["topic"] == "energy"]["text"])
    done = phase.done("energy")
    for size in profile.size:
        if energy_mode(size, profile, modes[0]) in done:
            continue
        listener(PhaseBegan("energy", REPEATS))
        counted = energy_together(
            phase.networks,
            size=size,
            profile=profile,
            device=device,
            plugins=phase.plugins,
            report=lambda rounds: listener(PhaseStep("energy", rounds, REPEATS)),
            mode=modes[0],
        )
        rows, remarks = energy_rows(
            list(phase.mixes.values()), counted, size, profile, device, phase.sitting, mode=modes[0]
        )
        new = [note for note in remarks if note.text not in told]
        told |= {note.text for note in new}
        if counted.failure and new:
            listener(Warned(f"energy was not counted: {counted.failure}"))
        phase.record.add_sitting(rows, (), new)
