"""Times all networks of a run side by side, once nothing trains on the device any more."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch

from ablate.costs.energy_phase import count_energies
from ablate.costs.latency_rows import latency_rows, mode_name
from ablate.costs.phase import Phase
from ablate.costs.resident import measure_residents
from ablate.costs.sitting import called, sitting_name, time_together
from ablate.costs.stage_phase import place_run
from ablate.events import PhaseBegan, PhaseStep, Warned, warnings
from ablate.mix import Mix
from ablate.profiling.latency import Mode, modes_of, split
from ablate.profiling.machine import load
from ablate.runs.context import Context
from ablate.turns import gpu_of, turn


def time_run(context: Context, mixes: Mapping[str, Mix], labels: Mapping[str, str]) -> None:
    """Time what is not in the record yet: latencies, and on request energy, memory, stages.

    Args:
        context: The run.
        mixes: All its mixes, by key.
        labels: Their labels, by key.
    """
    profile, device = context.study.profile, context.device
    networks = list({mix.network.key: mix for mix in mixes.values()}.values())
    sitting = sitting_name(networks, profile, device)
    known = context.record.measurements()
    known = known[(known["metric"] == "latency") & (known["sitting"] == sitting)]
    modes, lacking = split(modes_of(profile), torch.device(device))
    for mode, reason in lacking.items():
        _not_timed(context, "", "all mixes", reason, mode)
    for size, mode in itertools.product(profile.size, modes):
        name = mode_name(size, profile, mode)
        if not set(mixes) <= set(known[known["mode"] == name]["subject"]):
            _time(context, mixes, labels, networks, size, mode, sitting)
    phase = Phase(
        record=context.record,
        mixes=mixes,
        profile=profile,
        device=device,
        plugins=context.plugins,
        listener=context.listener,
    )
    with (
        turn(gpu_of(device), warnings(context.listener))
        if profile.energy or profile.stages
        else nullcontext()
    ):
        for measure in (count_energies, measure_residents, place_run):
            measure(phase)


def time_batch(context: Context, mixes: Mapping[str, Mix], labels: Mapping[str, str]) -> str:
    """Time some mixes by themselves at the first size and in the first mode; the sitting's name.

    For a search that weighs latency before all mixes are known; in the end they are timed again,
    with all the others.

    Args:
        context: The run.
        mixes: Those, by key.
        labels: Their labels, by key.
    """
    profile = context.study.profile
    size, mode = profile.size[0], modes_of(profile)[0]
    networks = list({mix.network.key: mix for mix in mixes.values()}.values())
    sitting = sitting_name(networks, profile, context.device)
    known = context.record.measurements()
    known = known[(known["metric"] == "latency") & (known["sitting"] == sitting)]
    known = known[known["mode"] == mode_name(size, profile, mode)]
    if not set(mixes) <= set(known["subject"]):
        _time(context, mixes, labels, networks, size, mode, sitting)
    return sitting


def _time(
    context: Context,
    mixes: Mapping[str, Mix],
    labels: Mapping[str, str],
    networks: Sequence[Mix],
    size: tuple[int, int],
    mode: Mode,
    sitting: str,
) -> None:
    """One sitting at one size; what cannot be timed is named and the others are kept."""
    profile, listener = context.study.profile, context.listener
    total = profile.processes * profile.rounds
    with turn(gpu_of(context.device), warnings(listener)):
        listener(PhaseBegan("latency", total))
        timed = time_together(
            networks,
            size=size,
            profile=profile,
            device=context.device,
            plugins=context.plugins,
            report=lambda done: listener(PhaseStep("latency", done, total)),
            mode=mode,
        )
    if timed.failure:
        by_network = {mix.network.key: labels[key] for key, mix in mixes.items()}
        _not_timed(context, "", "all mixes", called(timed.failure, by_network), mode)
        return
    for mix in mixes.values():
        if reason := timed.dropped.get(mix.network.key):
            _not_timed(context, mix.key, labels[mix.key], reason, mode)
    rows = latency_rows(
        [mix for mix in mixes.values() if mix.network.key not in timed.dropped],
        timed.samples,
        size,
        profile,
        context.device,
        sitting,
        mode=mode,
        first=timed.first,
        conditions=timed.conditions,
        absent=timed.absent,
    )
    context.record.add_sitting(*rows)
    context.record.set_fact("load_at_timing", load())


def _not_timed(context: Context, subject: str, label: str, reason: str, mode: Mode) -> None:
    """Say so; what is missing in another mode than the first is so for good."""
    if mode == modes_of(context.study.profile)[0]:
        said, text = f"latency of {label}", "latency was not measured"
    else:
        said, text = f"latency of {label} ({mode})", f"latency in mode {mode} is missing"
    context.listener(Warned(f"{said} was not measured: {reason}"))
    context.record.note(subject, "latency", f"{text}: {reason}")
