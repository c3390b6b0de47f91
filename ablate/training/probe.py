"""Tries several learning rates briefly, so that no network is punished for a foreign one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.training.feeding import Batches
from ablate.training.loop import train
from ablate.training.losses import total_loss
from ablate.training.progress import Keeping, Progress

Report = Callable[[Progress], None]
Losses = tuple[tuple[float, float], ...]
"""Of rates, in the order in which they were tried."""

JUDGED = 32  # crops, at least, that each rate is judged on


@dataclass(frozen=True)
class Probed:
    """What came of each rate, in the order in which they were tried.

    Args:
        losses: Rate and the mean loss of the restored crops after a brief training with it;
            infinite where that diverged.
    """

    losses: Losses

    @property
    def best(self) -> float | None:
        """The rate with the smallest loss, the smaller rate of equals; none where all diverged."""
        finite = [(loss, rate) for rate, loss in self.losses if math.isfinite(loss)]
        return min(finite)[1] if finite else None

    @property
    def words(self) -> str:
        """Every rate with its loss: "0.001: 0.0312, 0.01: diverged"."""
        return ", ".join(
            f"{rate:g}: {loss:.5g}" if math.isfinite(loss) else f"{rate:g}: diverged"
            for rate, loss in self.losses
        )


def at_rate(settings: Training, rate: float) -> Training:
    """A training that tries nothing and has this peak rate."""
    return replace(settings, rate=rate, rates=(), probe=Training.probe)


def probe_steps(settings: Training) -> int:
    """Optimiser steps of a trial before its training begins."""
    return len(settings.rates) * settings.probe


def judged_steps(settings: Training) -> range:
    """Steps whose batches judge the rates: they come after every step that trains."""
    after = max(settings.steps, settings.probe)
    return range(after, after + math.ceil(JUDGED / settings.batch))


def probe_rates(
    make: Callable[[], nn.Module],
    batches: Batches,
    settings: Training,
    *,
    device: torch.device,
    report: Report,
    known: Losses = (),
    keeping: Callable[[Losses], Keeping] | None = None,
    micro: int = 0,
) -> Probed:
    """Train a fresh network with each rate, on the same crops, and judge it on other ones.

    Each rate is given `probe` steps of the same recipe in small: warm-up, schedule and averaging
    run from end to end in them. Crops of the training images are what judges, drawn for steps
    that no training reaches; the images that score a trial are not looked at.

    Args:
        make: A network with its initial weights, the same at every call.
        batches: Step from 0 -> degraded and clean crops; see `train`.
        settings: The whole recipe, with `rates` and `probe`.
        device: Where to train.
        report: Called after every step; steps count through all rates.
        known: What came of the first rates, where they have been tried already.
        keeping: Losses so far -> how the state of the next rate's training is kept.
        micro: Images that pass the network at a time; 0 for whole batches.

    Raises:
        ValueError: The settings cannot work.
        StateError: A state to go on from is not of this training.
    """
    judging = [batches(step) for step in judged_steps(settings)]
    losses = list(known)
    for number, rate in list(enumerate(settings.rates))[len(known) :]:
        brief = replace(at_rate(settings, rate), steps=settings.probe, validate=0)
        model, moved = make(), shifted(report, number * settings.probe, probe_steps(settings))
        trained = train(
            model,
            batches,
            brief,
            device=device,
            validate=lambda network: {},
            report=moved,
            keeping=keeping(tuple(losses)) if keeping else None,
            micro=micro,
        )
        diverged = trained.status == "diverged"
        losses.append((rate, math.inf if diverged else _judged(model, judging, brief, device)))
    return Probed(tuple(losses))


def shifted(report: Report, done: int, steps: int) -> Report:
    """A report that counts on from steps done before, out of so many in all."""

    def moved(progress: Progress) -> None:
        report(replace(progress, step=progress.step + done, steps=steps))

    return moved


def _judged(
    model: nn.Module,
    judging: Sequence[tuple[Tensor, Tensor]],
    settings: Training,
    device: torch.device,
) -> float:
    """The mean loss of restored crops at full resolution; infinite where it is not a number."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    losses = []
    with torch.no_grad():
        for degraded, clean in judging:
            restored = model(degraded.to(device, memory_format=layout))["image"]
            losses.append(total_loss({"image": restored}, clean.to(device), settings).item())
    mean = math.fsum(losses) / len(losses)
    return mean if math.isfinite(mean) else math.inf
