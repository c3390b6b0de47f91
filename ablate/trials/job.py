"""What a worker is told of a trial, and what it tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ablate.engines.files import BOTH, READ, WRITE
from ablate.mix import Evaluation


@dataclass(frozen=True, kw_only=True)
class TrialJob:
    """What a worker needs to know: plain values, so that it can be sent anywhere.

    Args:
        key: Of the trial, as the record has it.
        mix: As `Mix.to_json` writes it.
        seed: Of the initial weights, the crops and the degradation.
        evaluation: How restored images are scored.
        data: Path of the prepared data set.
        checkpoint: Path for the trained weights.
        device: Where to train.
        pictures: Whether a few restored crops are kept.
        state: Path for the state of a training in progress; a trial that finds its own there goes
            on from it, whatever its key. Empty keeps none.
        every: Seconds between two states; 0 keeps one only when the run ends its jobs.
        until: The step after which the training rests, its state kept: its result is "partial".
            0, or the last step and more, trains to the end.
        micro: Images that pass the network at a time, their gradients added up; 0 passes whole
            batches.
        code: Digest of the source that trains; a state that other source left is not gone on from.
            Empty where it is not known.
    """

    key: str
    mix: str
    seed: int
    evaluation: Evaluation
    data: str = field(metadata=READ)
    checkpoint: str = field(metadata=WRITE)
    device: str
    pictures: bool
    state: str = field(default="", metadata=BOTH)
    every: float = 0.0
    until: int = 0
    micro: int = 0
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What came of it.

    Args:
        status: done, diverged, or partial where it rests before its last step.
        reason: Why it diverged, in one line; empty otherwise.
        seconds: Of the trial, with what was spent on it before it was interrupted.
        values: Its scores; empty when it diverged. Of a partial one those at its step.
        curve: Name, step, value.
        pictures: Image, kind, PNG.
        facts: `weights_sha256` of the weights (a partial one has none beside its state),
            `learning_rate` and `losses_of_rates` where rates were tried, `step` where a partial
            one rests, `resumed_from` a step where it went on from a state, `micro_batch` where
            batches passed in parts, `comparable` "no" where that made it another training, and
            a `warning` where something is to be said of the state.
    """

    status: str
    reason: str
    seconds: float
    values: Mapping[str, float]
    curve: tuple[tuple[str, int, float], ...]
    pictures: tuple[tuple[str, str, bytes], ...]
    facts: Mapping[str, str]
