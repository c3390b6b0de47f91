"""The state of a trial that is not done, on disk: gone on from where that can be done rightly."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ablate.training.checkpoint import StateError, load_state, save_state
from ablate.training.probe import Losses
from ablate.training.state import State


@dataclass(frozen=True)
class Kept:
    """How far a trial is.

    Args:
        losses: Of the learning rates that have been tried so far.
        probing: Whether the training is that of the next rate, and not the trial's own.
        seconds: Of the trial so far.
        training: The training that was going on.
    """

    losses: Losses
    probing: bool
    seconds: float
    training: State


class TrialState:
    """Where a trial keeps how far it is. Nothing that goes wrong here ends the trial.

    Args:
        path: Empty keeps nothing.
        identity: What makes the training this one, by name, in words that differ where the
            trainings differ; a state of another one is not used.
        device: Where it trains.
    """

    def __init__(self, path: str, identity: Mapping[str, str], device: torch.device) -> None:
        self._path = Path(path) if path else None
        self._identity = dict(identity)
        self._machine = {"torch": str(torch.__version__), "device": device.type}
        self.remarks: list[str] = []  # what the record should say, a line each
        self.resumed = 0  # the step that the training went on from

    def read(self, until: int = 0) -> Kept | None:
        """What was kept last; None where there is nothing, or nothing that can be used.

        Args:
            until: Where the training is to rest: what has gone further is of no use; 0 for its end.
        """
        if not self._path:
            return None
        try:
            notes, tensors = load_state(self._path)
            kept = _understood(notes, tensors)
            self._require_same(notes["identity"], kept, until)
        except FileNotFoundError:
            return None
        except StateError as error:
            self.refuse(error)
            return None
        self._compare(notes["machine"])
        self.resumed = 0 if kept.probing else kept.training.step
        return kept

    def refuse(self, error: StateError) -> None:
        """Note that a state cannot be used after all, and why."""
        self.resumed = 0
        self.remarks = [
            f"the state that the training had left was not used: {error}; the training began anew"
        ]

    def write(self, kept: Kept) -> None:
        """Keep how far the trial is, in the place of what was kept before."""
        if not self._path:
            return
        training = kept.training
        notes = {
            "identity": self._identity,
            "machine": self._machine,
            "losses": [[rate, loss if math.isfinite(loss) else None] for rate, loss in kept.losses],
            "probing": kept.probing,
            "seconds": kept.seconds,
            "step": training.step,
            "training_seconds": training.seconds,
            "training": training.notes,
        }
        try:
            save_state(self._path, notes, training.tensors)
        except OSError as error:
            remark = f"the state of the training could not be kept ({error.strerror})"
            if remark not in self.remarks:
                self.remarks.append(remark)

    def remove(self) -> None:
        """Keep nothing any more."""
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _require_same(self, found: Mapping[str, str], kept: Kept, until: int) -> None:
        for name, value in self._identity.items():
            if found.get(name) != value:
                raise StateError(f"it is of another {name}")
        if until and not kept.probing and kept.training.step > until:
            raise StateError(f"it is of step {kept.training.step}, after step {until}")

    def _compare(self, found: Mapping[str, str]) -> None:
        """Numbers of two versions or devices are not bit by bit those of one."""
        for name, now in self._machine.items():
            if (before := found.get(name)) != now:
                self.remarks.append(
                    f"the training began with {name} {before} and went on with {name} {now}"
                )


def _understood(notes: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Kept:
    """What notes and tensors mean.

    Raises:
        StateError: They are not those of a trial.
    """
    for name in ("identity", "machine", "training"):
        if not isinstance(notes.get(name), dict):
            raise _not_of_a_trial(f"'{name}' is {notes.get(name)!r:.60}, expected a table")
    try:
        losses = [(float(r), math.inf if x is None else float(x)) for r, x in notes["losses"]]
        step, seconds = int(notes["step"]), float(notes["training_seconds"])
        training = State(step, seconds, notes["training"], tensors)
        return Kept(tuple(losses), bool(notes["probing"]), float(notes["seconds"]), training)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise _not_of_a_trial(f"{type(error).__name__}: {error!s:.60}") from error


def _not_of_a_trial(why: str) -> StateError:
    return StateError(f"its notes are not those of a trial ({why})")
