"""What a run tells about itself while it goes on; consoles and notebooks listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Began:
    """A run begins or goes on.

    Args:
        study: Its name.
        folder: The run folder.
        mixes: In the study, or in its first batch where a search proposes more later.
        trials: Still to do.
        finished: Done before.
        workers: Processes that train at a time.
        device: cpu or cuda.
        seconds: Forecast of the wall time of the training; None where it is not worth the while.
    """

    study: str
    folder: Path
    mixes: int
    trials: int
    finished: int
    workers: int
    device: str
    seconds: float | None


@dataclass(frozen=True)
class PhaseBegan:
    """A phase with so many steps begins: "costs", "training", "latency", "energy", "report" ..."""

    name: str
    total: int


@dataclass(frozen=True)
class PhaseStep:
    """One more step of the phase is done."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class TrialStep:
    """A trial is so far."""

    trial: str
    label: str
    seed: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class TrialEnded:
    """A trial is in the record.

    Args:
        trial: Its key.
        label: Label of its mix.
        seed: Its seed.
        status: done, diverged, failed, or partial where it rests at a step before its last.
        reason: Why, where it is not done.
        psnr: In dB, absent where it is not done.
        gain: PSNR over that of the degraded input, in dB.
        seconds: Wall time.
        kind: Of a failed one: build, data, out of memory, crash ...
    """

    trial: str
    label: str
    seed: int
    status: str
    reason: str
    psnr: float | None
    gain: float | None
    seconds: float
    kind: str = ""


@dataclass(frozen=True)
class TakenOver:
    """Trials that another run finished are in the record, and are not trained again."""

    trials: int
    folder: Path


@dataclass(frozen=True)
class Warned:
    """Something the user should know."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The run is complete and its report is written."""

    folder: Path
    report: Path
    answer: str


Event = Began | PhaseBegan | PhaseStep | TrialStep | TrialEnded | TakenOver | Warned | Ended
Listener = Callable[[Event], None]


def silence(event: Event) -> None:
    """A listener that does not."""


def phases(listener: Listener) -> Callable[[str, int, int], None]:
    """Progress (phase, done, of how many) as events of phases."""
    begun: set[str] = set()

    def report(phase: str, done: int, total: int) -> None:
        if phase not in begun:
            begun.add(phase)
            listener(PhaseBegan(phase, total))
        listener(PhaseStep(phase, done, total))

    return report


def warnings(listener: Listener) -> Callable[[str], None]:
    """What is said, as events; each line once, however often it is said."""
    said = set[str]()

    def told(text: str) -> None:
        if text not in said:
            said.add(text)
            listener(Warned(text))

    return told
