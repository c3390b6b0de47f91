"""A run's stages: each timed by itself and put under the machine's roofs, where a study asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ablate.costs.latency_rows import mode_name
from ablate.costs.phase import Phase
from ablate.costs.placing import (
    CEILING_SECONDS,
    PlacingError,
    Roofline,
    once,
    place_stages,
    roofline_rows,
)
from ablate.events import PhaseBegan, PhaseStep, Warned
from ablate.profile import Profile
from ablate.profiling.ceilings import ROUNDS as CEILING_ROUNDS
from ablate.profiling.latency import forecast_seconds as forecast_rounds
from ablate.profiling.modes import Mode
from ablate.profiling.nvml import Absent
from reports.record import Measurement, Note

TOPIC: Final = "stages"  # of notes on what could not be placed
ROUNDS: Final = 10  # at most: stages are compared with roofs, which are not that sharp


def place_run(phase: Phase) -> None:
    """Time and place the stages of every network, at every size; what is recorded is left."""
    profile, listener, record = phase.profile, phase.listener, phase.record
    if not profile.stages:
        return
    networks, alone = phase.networks, _alone(profile)
    done = phase.done("roof_share")
    total = CEILING_ROUNDS + len(networks) * alone.rounds
    for size in profile.size:
        mode = mode_name(size, profile, Mode("eager", alone.precision[0]))
        if mode in done:
            continue
        listener(PhaseBegan("stages", total))
        try:
            placed = place_stages(
                networks,
                (3, *size),
                profile=alone,
                device=phase.device,
                plugins=phase.plugins,
                report=lambda done, rounds: listener(PhaseStep("stages", done, rounds)),
            )
        except PlacingError as error:
            listener(Warned(str(error)))
            record.add_sitting((), (), [Note("", TOPIC, str(error))])
            continue
        by_network = {mix.network.key: placed[mix.key] for mix in networks}
        found = {key: by_network[mix.network.key] for key, mix in phase.mixes.items()}
        rows, notes = _rows(found, mode, phase.device, phase.sitting)
        for text in dict.fromkeys(note.text for note in notes if note.topic == TOPIC):
            listener(Warned(text))
        record.add_sitting(rows, (), notes)


def _rows(
    found: Mapping[str, Roofline | Absent], mode: str, device: str, sitting: str
) -> tuple[list[Measurement], list[Note]]:
    """Placements as rows, and why there are none of some mixes."""
    stood = {key: one for key, one in found.items() if not isinstance(one, Absent)}
    rows, notes = roofline_rows(stood, mode, device, sitting)
    refused = [
        Note(key, TOPIC, f"{mode}: the stages cannot be placed: {one.reason}")
        for key, one in found.items()
        if isinstance(one, Absent)
    ]
    return rows, [*notes, *refused]


def forecast_seconds(call: float, profile: Profile, networks: int, device: str) -> float:
    """What it will take at one size: whole networks and, once more, their stages.

    Args:
        call: Seconds of one call of a network, in the mean.
        profile: Rounds.
        networks: How many.
        device: cpu or cuda.
    """
    if not profile.stages:
        return 0.0
    return CEILING_SECONDS + 2 * forecast_rounds(call, _alone(profile), networks, device)


def _alone(profile: Profile) -> Profile:
    """In one process, with no more rounds than are worth it."""
    return replace(once(profile), rounds=min(profile.rounds, ROUNDS))
