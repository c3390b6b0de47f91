"""Two sittings side by side: which mix takes longer than it did, and which can't be told apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.analysis.changes import Change, changes
from reports.numbers.sittings import METRIC, rounds_of
from reports.record import Reading

_BESIDE = (  # what is said where it differs
    *("system", "python", "torch", "numpy", "cuda", "gpu_driver", "cores", "threads"),
    *("allocator", "scan_cpu", "scan_cuda", "commit", "plugins"),
)
_HOW = ("channels_last", "threads", "interval", "budget")  # of the profile; its modes are paired


class CompareError(ValueError):
    """Two sittings that cannot be held against each other; the message says why."""


@dataclass(frozen=True)
class Row:
    """One network in both sittings.

    Args:
        label: Of the first mix that has it.
        before: Seconds in the earlier sitting.
        after: Seconds in the later one; the machine's own changes of speed are in both.
        change: The ratio, beside the others.
        words: The same for people: "slower by 4.1 % [3.0, 5.2]", "not separable (...)".
    """

    label: str
    before: float
    after: float
    change: Change
    words: str


@dataclass(frozen=True)
class Compared:
    """What became of everything that was timed in one mode.

    Args:
        mode: Size, and whatever is not the default.
        sittings: Names of the earlier and the later one.
        rows: What changed most first.
        common: What all have in common beside the reference network; empty where it is unknown.
        basis: What that rests on.
        alone: Labels that only one of the sittings has.
    """

    mode: str
    sittings: tuple[str, str]
    rows: tuple[Row, ...]
    common: str
    basis: str
    alone: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Two sittings in every mode that both have, and what else differs between them."""

    modes: tuple[Compared, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Timings:
    """Everything of a record that is about timing, with subjects by network."""

    path: Path
    facts: Mapping[str, str]
    labels: Mapping[str, str]  # of networks
    measured: pd.DataFrame  # latencies
    samples: pd.DataFrame
    notes: pd.DataFrame

    def sittings(self, mode: str) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(self.measured[self.measured["mode"] == mode]["sitting"]))


def compare_records(before: Path, after: Path) -> Comparison:
    """Hold the last sitting of one run against that of another, in each mode that both have.

    Raises:
        CompareError: They were timed on different machines, or have nothing in common.
        RecordError: One of them cannot be read.
    """
    first, second = _timings(before), _timings(after)
    _require_one_machine(first, second)
    modes = [mode for mode in dict.fromkeys(first.measured["mode"]) if second.sittings(mode)]
    if not modes:
        had, has = (", ".join(dict.fromkeys(one.measured["mode"])) for one in (first, second))
        raise CompareError(
            f"{before} and {after} were not timed in a common mode "
            f"({had or 'nothing'} there, {has or 'nothing'} here)"
        )
    compared = [
        _compared(first, second, mode, (first.sittings(mode)[-1], second.sittings(mode)[-1]))
        for mode in modes
    ]
    return Comparison(tuple(compared), tuple(_differing(first.facts, second.facts)))


def compare_sittings(path: Path) -> Comparison:
    """Hold the last two sittings of a run against each other, in each mode that has two.

    Raises:
        CompareError: It was timed once only.
        RecordError: It cannot be read.
    """
    found = _timings(path)
    pairs = {mode: found.sittings(mode)[-2:] for mode in dict.fromkeys(found.measured["mode"])}
    compared = [
        _compared(found, found, mode, (pair[0], pair[1]))
        for mode, pair in pairs.items()
        if len(pair) == 2
    ]
    if not compared:
        times = "once only" if pairs else "not at all"
        raise CompareError(f"{path}: latency was measured {times}; name a second run beside it")
    return Comparison(tuple(compared), ())


def _timings(path: Path) -> _Timings:
    with Reading.open(path) as record:
        mixes, measured, samples = record.mixes(), record.measurements(), record.samples()
        facts, notes = record.facts(), record.notes()
    network = {key: _network(spec) for key, spec in zip(mixes["key"], mixes["spec"], strict=True)}
    labels: dict[str, str] = {}
    for key, label in zip(mixes["key"], mixes["label"], strict=True):
        labels.setdefault(network[key] or key, label)
    measured = measured[measured["metric"] == METRIC]
    renamed = {key: found for key, found in network.items() if found}
    return _Timings(
        path=path,
        facts=facts,
        labels=labels,
        measured=measured.assign(subject=measured["subject"].replace(renamed)),
        samples=samples.assign(subject=samples["subject"].replace(renamed)),
        notes=notes.assign(subject=notes["subject"].replace(renamed)),
    )


def _network(spec: str) -> str:
    """The network of a mix: mixes that differ in their training alone share it."""
    found = json.loads(spec).get("network")
    return json.dumps(found, sort_keys=True) if found else ""


def _compared(first: _Timings, second: _Timings, mode: str, sittings: tuple[str, str]) -> Compared:
    (before, slow), (after, busy) = (
        rounds_of(one.samples, one.notes, mode, sitting)
        for one, sitting in zip((first, second), sittings, strict=True)
    )
    labels = {**first.labels, **second.labels}
    try:
        found = changes(before, after)
    except ValueError as error:
        raise CompareError(f"{second.path}: {mode}: {error}") from error
    seconds = [_seconds(one, mode, at) for one, at in zip((first, second), sittings, strict=True)]
    rows = [
        Row(
            label=labels.get(one.subject, one.subject),
            before=seconds[0].get(one.subject, math.nan),
            after=seconds[1].get(one.subject, math.nan),
            change=one,
            words=verdict(one),
        )
        for one in found.each
    ]
    either = set(before["subject"]) ^ set(after["subject"])
    return Compared(
        mode=mode,
        sittings=sittings,
        rows=tuple(sorted(rows, key=lambda row: -abs(math.log(row.change.ratio)))),
        common=_common(found.common),
        basis=_basis(len(found.each), found.processes, slow or busy),
        alone=tuple(sorted(labels.get(name, name) for name in either)),
    )


def _seconds(one: _Timings, mode: str, sitting: str) -> dict[str, float]:
    rows = one.measured[(one.measured["mode"] == mode) & (one.measured["sitting"] == sitting)]
    return dict(zip(rows["subject"], rows["value"], strict=True))


def verdict(change: Change) -> str:
    """A change in words."""
    ends = sorted(100 * (value - 1) for value in (change.low, change.high))
    if not change.apart:
        if math.isinf(change.high):
            return "not separable"
        said = f"{100 * (change.ratio - 1):+.1f} % [{ends[0]:+.1f}, {ends[1]:+.1f}]"
        return f"not separable ({said})"
    if change.ratio < 1:
        ends = sorted(-end for end in ends)
    by, way = abs(100 * (change.ratio - 1)), "slower" if change.ratio > 1 else "faster"
    return f"{way} by {by:.1f} % [{ends[0]:.1f}, {ends[1]:.1f}]"


def _common(change: Change | None) -> str:
    what = "beside the reference network, whose code is always the same, all of them together are"
    return "" if change is None else f"{what} {verdict(change)}"


def _basis(mixes: int, processes: int, by_cpu: bool) -> str:
    clock = "least CPU time, as the machine was busy; " if by_cpu else ""
    over = f"over {processes} processes; with 95 % probability"
    if mixes == 1:
        return f"{clock}it is held against the reference network, {over} its interval holds"
    return (
        f"{clock}each is held against the middle one of all that both sittings timed, {over} all "
        f"{mixes} intervals hold"
    )


def _require_one_machine(first: _Timings, second: _Timings) -> None:
    gpu = first.facts.get("device") == "cuda"
    for name in ("device", "cpu", *["gpu"] * gpu):
        before, after = first.facts.get(name, ""), second.facts.get(name, "")
        if before and after and before != after:
            raise CompareError(
                f"{first.path} was timed on {name} {before}, {second.path} on {name} {after}: what "
                "changed of the networks cannot be told from what changed of the machine"
            )


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[str]:
    """What else differs, a line each."""
    for name in _BESIDE:
        before, after = first.get(name, ""), second.get(name, "")
        if before != after:
            yield f"{name}: {before or 'none'} before, {after or 'none'} after"
    ways = [json.loads(facts.get("profile", "{}")) for facts in (first, second)]
    for name in _HOW:
        before, after = (way.get(name) for way in ways)
        if before != after:
            yield f"profile {name}: {before} before, {after} after"
