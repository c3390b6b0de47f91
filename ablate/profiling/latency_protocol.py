"""How latency is measured, in words for the record, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ablate.profile import Profile
from ablate.profiling.levelling import PROBE_SECONDS
from ablate.profiling.modes import Mode, modes_of, split
from ablate.profiling.timing import CpuTimer, CudaTimer

_START_SECONDS = 5.0  # a fresh process: the interpreter, torch, building the networks
_COMPILE_SECONDS = 30.0  # a network, on a processor that does nothing else
_REUSE_SECONDS = 10.0  # the same in the processes after the first, which find compiled code
_WARM_UP_CALLS = 8


def forecast_seconds(
    single_call_seconds: float, profile: Profile, candidates: int, device: str = "cpu"
) -> float:
    """Seconds that the sittings of this many networks take at most, at one size.

    All modes of the profile that the device has are in it, each as slow as eager. Rounds end
    sooner where the profile says when they may.

    Args:
        single_call_seconds: Mean of one call over the networks.
        profile: Rounds, processes, ways to run, budget.
        candidates: Networks, the reference not counted.
        device: cpu or cuda.
    """
    modes, _ = split(modes_of(profile), torch.device(device))
    calls = [single_call_seconds] * (candidates + 1)
    return sum(forecast_calls(calls, profile, device, mode) for mode in modes)


def forecast_calls(calls: Sequence[float], profile: Profile, device: str, mode: Mode) -> float:
    """Seconds that timing anything in interleaved rounds takes at most, in one mode.

    Args:
        calls: Seconds of one call of each, the reference among them where it is timed.
        profile: Rounds, processes, budget.
        device: cpu or cuda.
        mode: How they are run, each as slow as eagerly.
    """
    on_cuda = torch.device(device).type == "cuda"
    timer = CudaTimer if on_cuda else CpuTimer  # made where there is a device to use
    probing = 0.0 if on_cuda else PROBE_SECONDS
    visits = sum(timer.untimed * call + max(call, timer.aim) + probing for call in calls)
    rounds = profile.processes * profile.rounds * visits
    if profile.budget:
        rounds = min(rounds, profile.budget + profile.processes * visits)
    once = _START_SECONDS + _WARM_UP_CALLS * sum(calls)
    compiling = _COMPILE_SECONDS + (profile.processes - 1) * _REUSE_SECONDS
    compiled = compiling * len(calls) if mode.run == "compiled" else 0.0
    return rounds + profile.processes * once + compiled


def protocol(profile: Profile, device: torch.device) -> str:
    """How latency is measured, in words for the record."""
    clock = "wall time" if device.type == "cpu" else "CUDA events"
    how = [f"batch {profile.batch}", _ways(profile)]
    if device.type == "cpu":
        how.append(f"threads {profile.threads}")
    if profile.flush:
        how.append("cache emptied before each call")
    elif device.type == "cuda":
        how.append("cache as the calls before leave it")
    level = "changes of the machine's speed taken out by fixed work beside each call; "
    return (
        f"{clock} of one call, {', '.join(how)}; "
        f"{profile.processes} processes x {_rounds(profile)}; "
        f"{level if device.type == 'cpu' else ''}"
        "median of the share in the round, mean of the processes, times the median round"
    )


def _ways(profile: Profile) -> str:
    """How networks run; in float32 alone nothing is left to say of TF32 on a CPU."""
    precisions = "/".join(profile.precision)
    return precisions if profile.run == ("eager",) else f"{'/'.join(profile.run)} {precisions}"


def _rounds(profile: Profile) -> str:
    words = f"{profile.rounds} interleaved rounds"
    ends = []
    if profile.interval:
        ends.append(f"every share is known to {100 * profile.interval:g} %")
    if profile.budget:
        ends.append(f"{profile.budget:g} s are spent")
    return f"up to {words}, fewer once {' or '.join(ends)}" if ends else words
