"""Sees every loss and gradient norm go by: keeps the loss curve, says when training diverged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

POINTS = 400  # of a loss curve, at most


@dataclass(frozen=True)
class CurvePoint:
    """The value of one curve ("loss", "psnr", ...) after so many steps."""

    name: str
    step: int
    value: float


class Diverged(ArithmeticError):
    """A number that must be finite was not; `step` counts from 1."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(reason)
        self.step = step


class Watch:
    """Collects losses and gradient norms, and looks at them every few steps.

    Looking makes a CUDA device wait for itself, so there it is done once in `interval` steps.

    Args:
        steps: Of the whole training.
        interval: Steps between two looks; 1 sees trouble before the weights do.
    """

    def __init__(self, steps: int, interval: int) -> None:
        self._interval = interval
        self._stride = math.ceil(steps / POINTS)
        self._steps = steps
        self._unseen: list[Tensor] = []
        self._bucket: list[float] = []
        self._seen = 0
        self.curve: list[CurvePoint] = []
        self.loss = math.nan  # the last one looked at

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """Take the next step's loss and gradient norm.

        Raises:
            Diverged: One that was looked at is not finite.
        """
        self._unseen.append(torch.stack([loss.detach(), norm.detach()]).float())
        if len(self._unseen) >= self._interval:
            self.look()

    def look(self) -> None:
        """Look at what has not been looked at.

        Raises:
            Diverged: Something is not finite; names the first step where that is so.
        """
        if not self._unseen:
            return
        rows = torch.stack(self._unseen).tolist()
        self._unseen.clear()
        for loss, norm in rows:
            self._seen += 1
            self._check(loss, norm)
            self._keep(loss)

    def notes(self) -> dict[str, Any]:
        """All that it knows, as JSON can hold it; nothing may be unseen."""
        return {
            "seen": self._seen,
            "bucket": list(self._bucket),
            "loss": self.loss,
            "curve": [[point.step, point.value] for point in self.curve],
        }

    def restore(self, notes: Mapping[str, Any]) -> None:
        """Know what another one knew that gave these notes.

        Raises:
            KeyError, TypeError, ValueError: They are no such notes.
        """
        self._seen = int(notes["seen"])
        self._bucket = [float(loss) for loss in notes["bucket"]]
        self.loss = float(notes["loss"])
        self.curve = [CurvePoint("loss", int(s), float(value)) for s, value in notes["curve"]]

    def _check(self, loss: float, norm: float) -> None:
        for name, value in (("loss", loss), ("gradient norm", norm)):
            if not math.isfinite(value):
                raise Diverged(self._seen, f"the {name} was {value} at step {self._seen}")

    def _keep(self, loss: float) -> None:
        """A point of the curve is the mean over the steps since the point before."""
        self.loss = loss
        self._bucket.append(loss)
        if len(self._bucket) == self._stride or self._seen == self._steps:
            mean = math.fsum(self._bucket) / len(self._bucket)
            self.curve.append(CurvePoint("loss", self._seen, mean))
            self._bucket.clear()
