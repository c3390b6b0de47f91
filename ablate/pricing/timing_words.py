"""How long a network takes, how that was measured, and whether two counters agree: in lines."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.pricing.timing import Timing
from ablate.pricing.words import giga
from ablate.profiling.conditions import MEANINGS
from ablate.profiling.crosscheck import CrossCheck


def timing_lines(timing: Timing) -> list[str]:
    """Latency with its interval, beside the reference network, and what it was measured under."""
    network, reference = timing.network, timing.reference
    low, high = (milli(value) for value in (network.low, network.high))
    mode = f" {timing.mode}" if timing.mode else ""
    lines = [
        f"latency{mode}: {milli(network.seconds)} ms, 95 % interval {low} to {high} ms, on "
        f"{timing.device} (scan back end {timing.backend}); {network.relative:.2f} times the "
        f"reference network's {milli(reference.seconds)} ms",
        f"nine in ten calls took at most {milli(network.p90)} ms as the clock was read",
    ]
    return [*lines, *_first(timing), f"measured as {timing.protocol}", *_meanwhile(timing)]


def check_lines(found: CrossCheck) -> list[str]:
    """Whether fvcore counts the same, and where it does not: both numbers, never their mean."""
    if found.reason:
        return [f"no second count: {found.reason}"]
    image = "x".join(str(side) for side in found.shape[1:])
    pairs = ", ".join(
        f"{kind} {giga(macs)} and {giga(found.fvcore[kind])} GMACs"
        for kind, macs in found.ours.items()
        if macs or found.fvcore[kind]
    )
    agree = "agrees within 1 %" if found.agrees else "disagrees"
    lines = [f"fvcore {agree} at {image} (ours and fvcore's): {pairs}"]
    for apart in found.disagreements:
        where = ", ".join(path or "the network" for path in apart.modules)
        lines.append(f"  {apart.kind}: {apart.ours:,} and {apart.fvcore:,}, apart in {where}")
    if found.set_aside:
        aside = ", ".join(f"{name} {giga(macs)}" for name, macs in found.set_aside.items())
        lines.append(f"  set aside, as fvcore cannot count them (GMACs by us): {aside}")
    return lines


def milli(seconds: float) -> str:
    """Seconds as milliseconds, four digits."""
    return f"{1e3 * seconds:,.4g}"


def _first(timing: Timing) -> Iterator[str]:
    first = timing.first
    if first is None:
        return
    compiled = first.compile is not None and f", {first.compile:.3g} s of it to prepare the mode"
    yield f"first call in a fresh process: {milli(first.seconds)} ms{compiled or ''}"


def _meanwhile(timing: Timing) -> Iterator[str]:
    """What the machine was like, what disturbed it, and what could not be read."""
    if timing.conditions:
        readings = (
            f"{name} {value:.4g} {MEANINGS[name][0]}".strip()
            for name, value in timing.conditions.items()
        )
        yield f"the machine meanwhile (medians over rounds): {', '.join(readings)}"
    if timing.disturbed:
        yield f"disturbed in {timing.disturbed} of {timing.rounds} rounds"
    if timing.network.note:
        yield timing.network.note
