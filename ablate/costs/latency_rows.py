"""Timings as rows of the record: latency in each mode, what came before it, and the conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch

from ablate.mix import Mix
from ablate.profile import Profile
from ablate.profiling import latency
from ablate.profiling.conditions import MEANINGS
from ablate.profiling.latency import (
    REFERENCE,
    FirstCall,
    LatencySample,
    LatencySummary,
    Mode,
    RoundConditions,
    modes_of,
    summarise,
)
from ablate.profiling.samples import tables
from ablate.profiling.summary import LAUNCH_BOUND
from blocks.scan import backend_for
from reports.record import Measurement, Metric, Note, Sample

MACHINE = "machine"  # the subject of conditions

_MUCH = 0.05  # share of rounds, from which on a disturbance is worth a remark

Numbers = tuple[float, float | None, float | None, int]  # value, low, high, n

_BESIDE = {  # raw samples beside those of latency: the field of a sample
    "latency_cpu": "cpu_seconds",
    "latency_host": "host",
    "latency_issued": "issued",
    "latency_beside": "beside",
}


def latency_metrics(profile: Profile, device: str) -> tuple[Metric, ...]:
    """What is measured of time, and the conditions it was measured under."""
    place = torch.device(device)
    first = (
        "from the first call in a fresh process to its result; the longest of the processes, each "
        "of which ran the reference network before and the others in an order of its own"
    )
    beyond = "of the first call, beyond what the second took; the longest of the processes"
    return (
        Metric("latency", "s", "lower", latency.protocol(profile, place)),
        Metric("first_call", "s", "none", first),
        Metric("compile", "s", "none", f"compiling the network or capturing its graph: {beyond}"),
        Metric("latency_cpu", "s", "none", "samples only: CPU time of one call, one thread"),
        Metric("latency_host", "s", "none", "samples only: one call as the host's clock said"),
        Metric("latency_issued", "s", "none", "samples only: the host's time to issue one call"),
        Metric("latency_beside", "s", "none", "samples only: fixed work around the call, on a CPU"),
        Metric("disturbed", "", "none", "samples only: 1 for each visit that was disturbed"),
        Metric("latency_by_cpu", "", "none", "samples only: 1 where CPU time stands for latency"),
        *(
            Metric(name, unit, "none", f"samples only, one a round: {words}")
            for name, (unit, words) in MEANINGS.items()
        ),
    )


def mode_name(size: tuple[int, int], profile: Profile, mode: Mode | None = None) -> str:
    """What a cost was measured on: height, width, and whatever is not the default.

    Args:
        size: Height and width of the image.
        profile: Batch.
        mode: How the network ran; none where it did not: its first precision alone counts then.
    """
    parts = [f"{size[0]}x{size[1]}"]
    if profile.batch > 1:
        parts.append(f"batch {profile.batch}")
    parts.append((mode or Mode(precision=profile.precision[0])).words)
    if mode and profile.flush:
        parts.append("flushed")
    return " ".join(part for part in parts if part)


def latency_rows(
    mixes: Sequence[Mix],
    samples: Sequence[LatencySample],
    size: tuple[int, int],
    profile: Profile,
    device: str,
    sitting: str,
    *,
    mode: Mode | None = None,
    first: Mapping[str, FirstCall] | None = None,
    conditions: Sequence[RoundConditions] = (),
    absent: Mapping[str, str] | None = None,
) -> tuple[list[Measurement], list[Sample], list[Note]]:
    """A sitting's samples as rows: mixes that are the same network share its timings.

    The reference network stands among them under its own name, so that sittings can be compared.

    Args:
        mixes: All whose networks were timed.
        samples: Of one size and mode; subjects are keys of networks.
        size: Height and width of the image.
        profile: Batch, flush, and the interval that was asked for.
        device: cpu or cuda.
        sitting: Its name.
        mode: How the networks ran; none for the profile's first mode.
        first: First calls, by key of the network.
        conditions: The state of the machine in each round.
        absent: What of it could not be read, and why.
    """
    mode = mode or modes_of(profile)[0]
    summaries = summarise(samples, seed=0)
    name, backend = mode_name(size, profile, mode), backend_for(torch.device(device))
    by_network = _by_network(samples)
    measurements, raw, notes = list[Measurement](), list[Sample](), list[Note]()
    timings = [(mix.key, mix.network.key) for mix in mixes]
    for subject, network in [*timings, (REFERENCE, REFERENCE)]:
        timed = summaries[network]
        numbers = _before(first or {}, network)
        numbers["latency"] = (timed.seconds, timed.low, timed.high, timed.n)
        measurements += [
            Measurement(subject, metric, *values, name, backend, device, sitting)
            for metric, values in numbers.items()
        ]
        notes += [Note(subject, "latency", f"{name}: {text}") for text in _remarks(timed, profile)]
        for sample in by_network[network]:
            raw += _raw(subject, name, sitting, sample)
    raw += _around(samples, conditions, name, sitting)
    notes += _launch_bound(summaries, name, mode)
    notes += [*_on_conditions(conditions, name), *_unread(absent or {})]
    return measurements, raw, notes


def _by_network(samples: Sequence[LatencySample]) -> dict[str, list[LatencySample]]:
    found: dict[str, list[LatencySample]] = {}
    for sample in samples:
        found.setdefault(sample.subject, []).append(sample)
    return found


def _around(
    samples: Sequence[LatencySample],
    conditions: Sequence[RoundConditions],
    mode: str,
    sitting: str,
) -> list[Sample]:
    """The state of the machine in each round, and by which clock the sitting is read."""
    rows = [
        Sample(MACHINE, metric, mode, sitting, row.process, row.round, value)
        for row in conditions
        for metric, value in row.values.items()
    ]
    if tables(samples).by_cpu:
        rows.append(Sample(REFERENCE, "latency_by_cpu", mode, sitting, 0, 0, 1.0))
    return rows


def _before(first: Mapping[str, FirstCall], network: str) -> dict[str, Numbers]:
    """What came before the steady state, as numbers by metric."""
    found = first.get(network)
    if found is None:
        return {}
    numbers = {"first_call": found.seconds, "compile": found.compile}
    return {name: (value, None, None, 1) for name, value in numbers.items() if value is not None}


def _raw(subject: str, mode: str, sitting: str, sample: LatencySample) -> list[Sample]:
    """One visit: its time, what else the clocks said, and whether it was disturbed."""
    values = {"latency": sample.seconds}
    values |= {metric: getattr(sample, field) for metric, field in _BESIDE.items()}
    if sample.host == sample.seconds:  # it is the same clock
        del values["latency_host"]
    if sample.flagged:
        values["disturbed"] = 1.0
    return [
        Sample(subject, metric, mode, sitting, sample.process, sample.round, value)
        for metric, value in values.items()
        if value == value  # not NaN: what was not read is absent
    ]


def _remarks(timed: LatencySummary, profile: Profile) -> list[str]:
    """What to know before believing a timing."""
    remarks = [timed.note] if timed.note else []
    half = (timed.high - timed.low) / 2 / timed.seconds
    if profile.interval and half > profile.interval:
        remarks.append(
            f"known to {half:.1%}, and {profile.interval:.1%} was asked for: more rounds, "
            "processes or budget narrow it"
        )
    return remarks


def _launch_bound(summaries: Mapping[str, LatencySummary], name: str, mode: Mode) -> list[Note]:
    """That networks wait for the host rather than for the device, where they do."""
    shares = [timed.launch for timed in summaries.values() if timed.launch is not None]
    bound = [share for share in shares if share > LAUNCH_BOUND]
    if mode.run != "eager" or not bound:
        return []
    text = (
        f"{name}: {len(bound)} of {len(shares)} networks are launch-bound: the host takes "
        f"{min(bound):.0%} or more of a call to issue its work, and the device waits; "
        "run = 'graph' shows what the device can do"
    )
    return [Note("", "launch", text)]


def _on_conditions(conditions: Sequence[RoundConditions], mode: str) -> list[Note]:
    """Which disturbances there were, where there were many: by kind, with one in full."""
    kinds: dict[str, list[str]] = {}
    for row in conditions:
        for kind, reasons in _by_kind(row.reasons).items():
            kinds.setdefault(kind, []).append(reasons[0])
    return [
        Note(
            MACHINE,
            "conditions",
            f"{mode}: {kind} in {len(found)} of {len(conditions)} rounds of timing "
            f"({Counter(found).most_common(1)[0][0]})",
        )
        for kind, found in kinds.items()
        if len(found) > _MUCH * len(conditions)
    ]


def _unread(absent: Mapping[str, str]) -> list[Note]:
    """What could not be read of the machine: a line for each reason."""
    names: dict[str, list[str]] = {}
    for name, reason in absent.items():
        names.setdefault(reason, []).append(name)
    return [
        Note(MACHINE, "sensors", f"not read: {', '.join(found)} ({reason})")
        for reason, found in names.items()
    ]


def _by_kind(reasons: Sequence[str]) -> dict[str, list[str]]:
    """Reasons by what comes before their details: throttled, shared, the name of a clock."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kind = reason.partition(":")[0] if ":" in reason else reason.partition(" ")[0]
        kinds.setdefault(kind, []).append(reason)
    return kinds
