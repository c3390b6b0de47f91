"""How long it takes to make a latency model, said before it is begun."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean

import torch

from ablate.composition.making import Survey
from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.latency_model.measuring import Conditions
from ablate.latency_model.parts import parts_of
from ablate.mix import Network
from ablate.network import build
from ablate.profiling.inputs import cast, noise, placed
from ablate.profiling.latency_protocol import forecast_calls
from ablate.profiling.modes import numbers_as
from ablate.profiling.rounds import undisturbed
from ablate.profiling.timing import Call

TRIED = 4  # networks that are called to know what a call takes


@dataclass(frozen=True, kw_only=True)
class CallsJob:
    """Which networks to call, and how."""

    networks: tuple[Network, ...]
    conditions: Conditions


def forecast(surveyed: Survey, conditions: Conditions) -> float | None:
    """Seconds that measuring takes at most; None where no network can be called.

    Args:
        surveyed: What is measured.
        conditions: How; a few of the whole networks are called twice.
    """
    wholes = _wholes(surveyed)
    few = tuple(wholes[:: max(len(wholes) // TRIED, 1)])
    found = _called(CallsJob(networks=few, conditions=conditions))
    return from_calls(surveyed, conditions, mean(found.values())) if found else None


def from_calls(surveyed: Survey, conditions: Conditions, call: float) -> float:
    """The same from the seconds of one call of a whole network, in the mean.

    A part takes its share of a network that has as many. Before it is timed, a network is run to
    find what the part is given there, and the part is run once more.

    Args:
        surveyed: What is measured.
        conditions: How.
        call: Seconds.
    """
    wholes, profile = _wholes(surveyed), conditions.profile
    shares = max(mean(len(list(parts_of(one, surveyed.by))) for one in wholes), 1.0)
    part = call / shares
    calls = [call] * (len(wholes) + 1) + [part] * len(surveyed.parts)  # with the reference
    timed = forecast_calls(calls, profile, conditions.device, conditions.mode)
    return timed + profile.processes * len(surveyed.parts) * (call + part)


def _called(job: CallsJob) -> Mapping[str, float]:
    """Here on a CPU; else elsewhere, so that the process that only waits starts no device."""
    given = job.conditions
    if torch.device(given.device).type == "cpu":
        with undisturbed(given.profile.threads):
            return call_networks(job, lambda message: None)
    found = run_alone(
        "ablate.composition.forecasting:call_networks",
        job,
        threads=given.profile.threads,
        plugins=given.plugins,
    )
    if isinstance(found, Failed):  # timing will say why
        return {}
    assert isinstance(found, dict)
    return found


def call_networks(job: CallsJob, report: Reporter) -> dict[str, float]:
    """Seconds of the second call of each network that can be called (a job for a fresh process)."""
    given, seconds = job.conditions, dict[str, float]()
    profile, device = given.profile, torch.device(given.device)
    precision = given.mode.precision
    shape = (profile.batch, given.channels, *given.size)
    image = noise(shape, device, profile.channels_last)
    for network in job.networks:
        try:
            model = placed(build(network), device, profile.channels_last)
            with torch.inference_mode(), numbers_as(precision), cast(device.type, precision):
                seconds[network.key] = _second(partial(model, image), device)
        except Exception:  # timing says what is wrong with it
            continue
    return seconds


def _second(call: Call, device: torch.device) -> float:
    """Seconds of the second call; the first prepares things."""
    call()
    _wait(device)
    began = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _wholes(surveyed: Survey) -> Sequence[Network]:
    """Every whole network that is timed, once."""
    networks = [network for _, _, network in surveyed.wholes]
    return list(dict.fromkeys([*networks, *surveyed.bases.values()]))
