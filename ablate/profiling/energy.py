"""Energy per image: what the device uses while it works, less what it uses while it idles.

The counter is read from step to step over windows much longer than a step; idle windows stand
before, between and after the others, so that a board that warms up drops out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from ablate.profiling._energy_meter import Lost, Meter, meter_for
from ablate.profiling._energy_windows import (
    SECONDS,
    STEPS,
    Call,
    Round,
    Window,
    Work,
    rounds,
    stretch,
)
from ablate.profiling._nvml_answers import Absent
from ablate.profiling.conditions import Conditions, disturbed, usual, watcher

__all__ = ["Absent", "Energy", "Meter", "energies", "meter_for", "protocol"]

_UNSTEADY = 0.1  # of the work's own power, from which on a drift of the idle power is said


@dataclass(frozen=True, kw_only=True)
class Energy:
    """What one image costs.

    Args:
        joules: Of one image, idling subtracted; the median of the windows.
        low: Least of the windows.
        high: Greatest of the windows.
        gross: Of one image with idling, in joules.
        watts: Drawn while it works.
        idle_watts: Drawn while nothing runs, the median of the idle windows.
        windows: How many.
        seconds: Length of a window.
        period: Seconds between steps of the counter.
        counter: What counted, in words.
        note: What makes it doubtful; empty where nothing does.
    """

    joules: float
    low: float
    high: float
    gross: float
    watts: float
    idle_watts: float
    windows: int
    seconds: float
    period: float
    counter: str
    note: str = ""


def energies(
    calls: Mapping[str, Call],
    images: int,
    device: torch.device,
    *,
    meter: Meter | None = None,
    repeats: int = 3,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, rounds: None,
) -> dict[str, Energy | Absent]:
    """Joules that one image costs, for many calls side by side: in each round one window of each.

    Args:
        calls: One pass each, by subject; run without gradients.
        images: In one call.
        device: What runs them.
        meter: What counts; none for the device's own counter.
        repeats: Rounds.
        seed: Fixes the order in each round.
        report: Told after each round how many rounds of how many are done.
    """
    found = meter or meter_for(device)
    if isinstance(found, Absent):
        return dict.fromkeys(calls, found)
    with torch.inference_mode():
        tried = {subject: stretch(call, found) for subject, call in calls.items()}
        failed = {name: work for name, work in tried.items() if isinstance(work, Absent)}
        works = {name: work for name, work in tried.items() if not isinstance(work, Absent)}
        try:
            measured = _measure(works, images, found, watcher(device), (repeats, seed, report))
        except Lost as lost:
            measured = dict.fromkeys(works, Absent(str(lost)))
    return {name: (measured | failed)[name] for name in calls}


def protocol(device: torch.device) -> str:
    """How energy is measured, in words for the record."""
    counter = "NVML's counter of the board" if device.type == "cuda" else "RAPL, whole packages"
    return (
        f"{counter}; windows of at least {SECONDS:.0f} s and {STEPS} steps of the counter, from "
        "step to step; less the idle power before and after; median over the windows, with the "
        "least and the greatest"
    )


def _measure(
    works: Mapping[str, Work],
    images: int,
    meter: Meter,
    watch: Callable[[], Conditions],
    plan: tuple[int, int, Callable[[int, int], None]],
) -> dict[str, Energy | Absent]:
    repeats, seed, report = plan
    period, done = meter.period(), list[Round]()
    for each in rounds(works, meter, watch, period=period, repeats=repeats, seed=seed):
        done.append(each)
        report(len(done), repeats)
    return {name: _judge(name, done, images, period, meter.name) for name in works}


def _judge(
    subject: str, done: Sequence[Round], images: int, period: float, counter: str
) -> Energy | Absent:
    windows = [each.windows[subject] for each in done]
    net = [
        (window.joules - each.idle_watts * window.seconds) / (window.calls * images)
        for each, window in zip(done, windows, strict=True)
    ]
    watts, idle = median(w.watts for w in windows), median(each.idle_watts for each in done)
    if median(net) <= 0:
        return Absent(f"work draws no more than idling: {watts:.1f} W against {idle:.1f} W")
    return Energy(
        joules=median(net),
        low=min(net),
        high=max(net),
        gross=median(w.joules / (w.calls * images) for w in windows),
        watts=watts,
        idle_watts=idle,
        windows=len(done),
        seconds=median(w.seconds for w in windows),
        period=period,
        counter=counter,
        note="; ".join(_doubts(done, windows, watts - idle)),
    )


def _doubts(done: Sequence[Round], windows: Sequence[Window], net_watts: float) -> list[str]:
    """Idle power that moved, and conditions that say that the device was not alone or free."""
    idle = [watts for each in done for watts in each.idle]
    doubts = []
    if max(idle) - min(idle) > _UNSTEADY * net_watts:
        doubts.append(f"idle power moved between {min(idle):.1f} W and {max(idle):.1f} W")
    seen = [window.conditions.as_numbers() for window in windows]
    reasons = [reason for numbers in seen for reason in disturbed(numbers, usual(seen))]
    return doubts + list(dict.fromkeys(reasons))
