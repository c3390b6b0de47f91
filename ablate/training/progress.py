"""What a training says while it goes on and when it ends, and how its state is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ablate.training.state import State
from ablate.training.watch import CurvePoint

Status = Literal["done", "partial", "diverged"]
Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Args:
        step: Steps done, from 1.
        steps: Steps in all.
        loss: The latest loss that is known; on CUDA up to 20 steps old, nan before the first.
        rate: Learning rate of the step.
        seconds: Since the start, with validation; where it was interrupted, the time between is
            not counted.
    """

    step: int
    steps: int
    loss: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Args:
        status: done; partial where it rests before its last step; or diverged where a loss,
            gradient or score was not finite.
        step: Steps done; where it diverged, the step at which it did, from 1.
        curve: The training loss ("loss", at most about 400 points, each the mean of its steps)
            and each score of the validation set, by steps done.
        reason: Why it diverged, in one line; empty otherwise.
        seconds: Of training, without validation.
    """

    status: Status
    step: int
    curve: tuple[CurvePoint, ...]
    reason: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """When the state of a training is kept, and what it goes on from.

    It is kept after a step, when its time has come, where the training rests, and where `report`
    raises something, as it does when the run wants its jobs to end.

    Args:
        save: Takes the state, and writes it or copies it at once.
        every: Seconds between two states; 0 keeps none on the way.
        until: The step after which the training rests; 0 for the last.
        found: The state to go on from; none to begin.
    """

    save: Callable[[State], None]
    every: float = 0.0
    until: int = 0
    found: State | None = None
