"""Trains one network briefly, in the same way whatever it is made of."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from ablate.mix import Training
from ablate.training.checks import problems
from ablate.training.losses import total_loss
from ablate.training.optimizer import Average, make_optimizer
from ablate.training.schedule import rate_at, validation_steps
from ablate.training.watch import CurvePoint, Diverged, Watch

Batches = Callable[[int], tuple[Tensor, Tensor]]
LOOKS_APART = 20  # steps between two looks at the numbers on a CUDA device


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Args:
        step: Steps done, from 1.
        steps: Steps in all.
        loss: The latest loss that is known; on CUDA up to 20 steps old, nan before the first.
        rate: Learning rate of the step.
        seconds: Since the start, with validation.
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
        status: done, or diverged where a loss, gradient or score was not finite.
        step: Steps done; where it diverged, the step at which it did, from 1.
        curve: The training loss ("loss", at most about 400 points, each the mean of its steps)
            and each score of the validation set, by steps done.
        reason: Why it diverged, in one line; empty otherwise.
        seconds: Of training, without validation.
    """

    status: Literal["done", "diverged"]
    step: int
    curve: tuple[CurvePoint, ...]
    reason: str
    seconds: float


def train(
    model: nn.Module,
    batches: Batches,
    settings: Training,
    *,
    device: torch.device,
    validate: Callable[[nn.Module], dict[str, float]],
    report: Callable[[Progress], None],
) -> Trained:
    """Train a network in place; afterwards it is in eval mode and holds the weights to evaluate.

    On the CPU the same network, batches and settings give the same weights, bit for bit. After a
    divergence the weights are of no use.

    Args:
        model: forward(image, request) -> {"image": ...}, and where there are such (they are
            requested always) "scales", restored at several resolutions, and "auxiliary", losses
            of the blocks' own.
        batches: Step from 0 -> degraded and clean images, both (B, 3, H, W), float32, on the CPU;
            on CUDA it is called from a thread, a step ahead.
        settings: The whole recipe.
        device: Where to train.
        validate: Scores of the network, which is in eval mode and holds the averaged weights
            where these are kept; may draw random numbers without changing the training.
        report: Called after every step.

    Raises:
        ValueError: The settings cannot work.
    """
    if found := problems(settings):
        raise ValueError(found[0])
    model.to(device)
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(model, settings, device)
    try:
        run.through(batches, validate, report)
    except Diverged as error:
        return run.ended("diverged", error.step, str(error))
    finally:
        model.eval()
    return run.ended("done", settings.steps, "")


class _Run:
    """The state of one training."""

    def __init__(self, model: nn.Module, settings: Training, device: torch.device) -> None:
        self.model, self.settings, self.device = model, settings, device
        self.optimizer = make_optimizer(model, settings)
        self.average = Average(model, settings.ema) if settings.ema else None
        self.watch = Watch(settings.steps, LOOKS_APART if device.type == "cuda" else 1)
        self.scores: list[CurvePoint] = []
        self.started = time.perf_counter()
        self.validating = 0.0  # seconds

    def through(
        self,
        batches: Batches,
        validate: Callable[[nn.Module], dict[str, float]],
        report: Callable[[Progress], None],
    ) -> None:
        steps, due = self.settings.steps, validation_steps(self.settings)
        self.model.train()
        for step, (degraded, clean) in enumerate(_fed(batches, self.settings, self.device), 1):
            rate = rate_at(step - 1, self.settings)
            self._learn(degraded, clean, rate)
            if step in due:
                self._validate(step, validate)
            seconds = time.perf_counter() - self.started
            report(Progress(step, steps, self.watch.loss, rate, seconds))
        self.watch.look()
        if self.average:
            self.average.swap()

    def ended(self, status: Literal["done", "diverged"], step: int, reason: str) -> Trained:
        seconds = time.perf_counter() - self.started - self.validating
        return Trained(status, step, (*self.watch.curve, *self.scores), reason, seconds)

    def _learn(self, degraded: Tensor, clean: Tensor, rate: float) -> None:
        bfloat16 = self.settings.precision == "bfloat16"
        self.optimizer.zero_grad(set_to_none=True)  # first: the old gradients leave their memory
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            outputs = self.model(degraded, ("scales", "auxiliary"))
        loss = total_loss(outputs, clean, self.settings)
        loss.backward()  # type: ignore[no-untyped-call]
        self.watch.add(loss, self._clip())
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        if self.average:
            self.average.update()

    def _clip(self) -> Tensor:
        """Scale the gradients down to the largest norm allowed; their norm before that."""
        given = [p for p in self.model.parameters() if p.grad is not None]
        norm = get_total_norm([p.grad for p in given if p.grad is not None])
        if self.settings.clip:
            clip_grads_with_norm_(given, self.settings.clip, norm)
        return norm

    def _validate(self, step: int, validate: Callable[[nn.Module], dict[str, float]]) -> None:
        self.watch.look()
        before = time.perf_counter()
        with _undisturbed(self.model, self.average, self.device):
            scores = validate(self.model)
        self.validating += time.perf_counter() - before
        for name, value in scores.items():
            if not math.isfinite(value):
                raise Diverged(step, f"the validation {name} was {value} at step {step}")
            self.scores.append(CurvePoint(name, step, value))


@contextmanager
def _undisturbed(model: nn.Module, average: Average | None, device: torch.device) -> Iterator[None]:
    """Eval mode and averaged weights inside; weights, mode and random state afterwards as before.

    no_grad and not inference_mode: a table that a block keeps must stay usable in training.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.no_grad():
        if average:
            average.swap()
        model.eval()
        yield
        model.train()
        if average:
            average.swap()


def _fed(
    batches: Batches, settings: Training, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of all steps on the device; on CUDA each is made while the one before is used."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    if device.type != "cuda":
        for step in range(settings.steps):
            degraded, clean = batches(step)
            yield (
                degraded.to(device, memory_format=layout),
                clean.to(device, memory_format=layout),
            )
        return

    def pinned(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batches(step)
        return (
            degraded.contiguous(memory_format=layout).pin_memory(),
            clean.contiguous(memory_format=layout).pin_memory(),
        )

    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(pinned, 0)
        for step in range(1, settings.steps + 1):
            degraded, clean = coming.result()
            if step < settings.steps:
                coming = thread.submit(pinned, step)
            yield degraded.to(device, non_blocking=True), clean.to(device, non_blocking=True)
