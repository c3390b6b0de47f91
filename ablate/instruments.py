"""What a device's instruments are worth: its clock, tested; what can be read beside it, or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from ablate.profiling.conditions import MEANINGS, disturbed, watcher
from ablate.profiling.energy import meter_for
from ablate.profiling.nvml import Absent, open_device
from ablate.profiling.selftest import SelfTest, self_test, words

_ELSEWHERE = "NVML knows"  # begins the reason why a processor has no readings of a GPU

Verdict = Literal["good", "not quiet", "not to be trusted", "not tested"]


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """The instruments of one device.

    Args:
        device: As studies have it.
        verdict: What its clock is worth now, in a word or two.
        clock: The clock, tested with work of known length; absent where it could not be.
        read: What can be recorded beside each round, as it is now; units are in
            `ablate.profiling.conditions.MEANINGS`.
        absent: What cannot be recorded, and why.
        disturbed: Why what is timed now is not to be trusted.
        energy: What counts energy, or why nothing does.
        driver: Of the device; nothing where none is known.
        power_limit: Watts above which the device slows down; none where that is not known.
    """

    device: str
    verdict: Verdict
    clock: SelfTest | Absent
    read: dict[str, float]
    absent: dict[str, str]
    disturbed: tuple[str, ...]
    energy: str
    driver: str = ""
    power_limit: float | None = None


def instruments(device: torch.device) -> Instruments:
    """Test a device's clock and look at what else can be read; about a second.

    Args:
        device: What is to be timed later.
    """
    nvml = open_device(device)
    look = watcher(device, nvml=nvml)
    clock = self_test(device)
    now = look()  # after half a second of work, in which others may have worked too
    numbers, meter = now.as_numbers(), meter_for(device, nvml=nvml)
    driver, limit = nvml.driver(), nvml.power_limit()
    return Instruments(
        device=str(device),
        verdict=_verdict(clock),
        clock=clock,
        read=numbers,
        absent=now.reasons_absent(),
        disturbed=disturbed(numbers, {}),
        energy=f"none ({meter.reason})" if isinstance(meter, Absent) else meter.name,
        driver="" if isinstance(driver, Absent) else driver,
        power_limit=None if isinstance(limit, Absent) else limit,
    )


def lines(found: Instruments) -> Iterator[tuple[str, str]]:
    """The instruments in words: a name and what there is to say of it."""
    clock = found.clock
    tested = f"not tested ({clock.reason})" if isinstance(clock, Absent) else words(clock)
    yield f"clock, {found.device}", tested
    if found.disturbed:
        yield "at present", "; ".join(found.disturbed)
    yield "recorded", ", ".join(_reading(name, value) for name, value in found.read.items())
    for reason, names in _by_reason(found.absent).items():
        yield "not recorded", f"{', '.join(names)} ({reason})"
    yield "energy", found.energy


def _verdict(clock: SelfTest | Absent) -> Verdict:
    if isinstance(clock, Absent):
        return "not tested"
    if clock.problems:
        return "not to be trusted"
    return "not quiet" if clock.disturbances else "good"


def _reading(name: str, value: float) -> str:
    unit, _ = MEANINGS[name]
    return f"{name} {value:.4g}" + f" {unit}" * bool(unit)


def _by_reason(absent: dict[str, str]) -> dict[str, list[str]]:
    """Names that share a reason; a processor's lack of a GPU's readings goes without saying."""
    grouped: dict[str, list[str]] = {}
    for name, reason in absent.items():
        if not reason.startswith(_ELSEWHERE):
            grouped.setdefault(reason, []).append(name)
    return grouped
