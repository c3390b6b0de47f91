"""What can be written into a record: one frozen dataclass per kind of row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["higher", "lower", "none"]
Status = Literal["done", "diverged", "failed"]
Kind = Literal["input", "target", "restored"]


class RecordError(ValueError):
    """A record that cannot be read or written, said in one line."""


@dataclass(frozen=True)
class Metric:
    """What a number means: its unit, which direction is better, and how it is measured.

    Args:
        name: As measurements call it: psnr, latency, macs.
        unit: The raw unit that is stored: dB, s, byte; "" for a bare number.
        better: higher or lower makes it an objective; none is for information only.
        protocol: How it is measured, in words, printed beside the numbers.
    """

    name: str
    unit: str
    better: Better
    protocol: str = ""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower", "none"):
            raise RecordError(
                f"metric {self.name!r}: better must be higher, lower or none; got {self.better!r}"
            )


@dataclass(frozen=True)
class Measurement:
    """One number of one subject; what was not measured has no row.

    Args:
        subject: Key of the trial (accuracy) or of the mix (costs) it belongs to.
        metric: Name of a defined metric.
        value: Finite, in the metric's unit.
        low: Lower end of its 95 % interval, where there is one.
        high: Upper end.
        n: Samples behind the value.
        mode: What it was measured on, such as the size "128x128".
        backend: Scan back end that ran.
        device: Device it was measured on.
        sitting: Which sitting measured it; costs of one sitting are comparable.
    """

    subject: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int = 1
    mode: str = ""
    backend: str = ""
    device: str = ""
    sitting: str = ""

    def __post_init__(self) -> None:
        place = f"{self.metric} of {self.subject}"
        _finite(place, self.value)
        for end in (self.low, self.high):
            if end is not None:
                _finite(f"{place}, interval", end)


@dataclass(frozen=True)
class Sample:
    """One raw sample behind a measurement: the call of one round in one process."""

    subject: str
    metric: str
    mode: str
    sitting: str
    process: int
    round: int
    value: float

    def __post_init__(self) -> None:
        _finite(f"sample of {self.metric} of {self.subject}", self.value)


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve."""

    trial: str
    name: str
    step: int
    value: float

    def __post_init__(self) -> None:
        _finite(f"{self.name} of {self.trial} at step {self.step}", self.value)


@dataclass(frozen=True)
class Picture:
    """A validation crop as PNG: what came in, what was wanted, or what the trial made of it."""

    trial: str
    image: str
    kind: Kind
    png: bytes

    def __post_init__(self) -> None:
        if self.kind not in ("input", "target", "restored"):
            raise RecordError(
                f"picture of {self.image}: kind must be input, target or restored; "
                f"got {self.kind!r}"
            )
        if not self.png.startswith(b"\x89PNG\r\n\x1a\n"):
            raise RecordError(f"picture {self.kind} of {self.image}: not the bytes of a PNG file")


@dataclass(frozen=True)
class Note:
    """A remark on a subject (a trial, a mix, or "" for the run): topic "uncounted", "warning"."""

    subject: str
    topic: str
    text: str


@dataclass(frozen=True)
class StageRow:
    """What one mix has in one slot; `family` joins several with " + "."""

    slot: str
    blocks: str
    family: str
    depth: int


@dataclass(frozen=True)
class MixRow:
    """One mix: its key, its label, its whole specification and its level on each axis.

    Args:
        key: The mix's key.
        label: Unique within the study.
        spec: The mix as JSON.
        levels: Level of each axis, in the study's order of axes.
        stages: What fills each slot.
        baseline: Whether it stands for doing nothing (all identity).
    """

    key: str
    label: str
    spec: str
    levels: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[StageRow, ...] = ()
    baseline: bool = False


@dataclass(frozen=True)
class TrialRow:
    """One mix trained with one seed.

    Args:
        key: The trial's key.
        mix: Key of the mix, which must be in the record.
        seed: Seed of the data order and the initial weights.
        status: done, diverged (not a number while training) or failed (an error).
        reason: Why it is not done, in one line.
        seconds: Wall time of the trial.
        facts: Whatever else is worth keeping: device, worker, scan back end.
    """

    key: str
    mix: str
    seed: int
    status: Status
    reason: str = ""
    seconds: float = 0.0
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in ("done", "diverged", "failed"):
            raise RecordError(
                f"trial {self.key}: status must be done, diverged or failed; got {self.status!r}"
            )
        _finite(f"seconds of trial {self.key}", self.seconds)


@dataclass(frozen=True)
class PartialRow:
    """A trial that rested at a step before its last: its numbers are those of that step.

    They never stand among those of whole trainings: what it measured has `key` as its subject,
    and the trial itself has a row of its own once it went on to its end.

    Args:
        key: Of its own: the trial's key and the step.
        trial: Key of the trial.
        mix: Key of the mix, which must be in the record.
        seed: As of the trial.
        step: Steps done, from 1.
        seconds: Wall time of the trial so far.
    """

    key: str
    trial: str
    mix: str
    seed: int
    step: int
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.step < 1:
            raise RecordError(f"partial {self.key}: step must be at least 1; got {self.step}")
        _finite(f"seconds of partial {self.key}", self.seconds)


def _finite(place: str, value: float) -> None:
    if not math.isfinite(value):
        raise RecordError(
            f"{place}: a record holds finite numbers only; got {value} (leave out what is unknown)"
        )
