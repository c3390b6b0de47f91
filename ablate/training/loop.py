"""Trains one network briefly, in the same way whatever it is made of."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from ablate.mix import Training
from ablate.training.checkpoint import StateError
from ablate.training.checks import problems
from ablate.training.feeding import Batches, fed
from ablate.training.losses import total_loss
from ablate.training.micro import in_parts
from ablate.training.optimizer import Average, make_optimizer
from ablate.training.progress import Keeping, Progress, Status, Trained, Validate
from ablate.training.randomness import undisturbed
from ablate.training.schedule import rate_at, validation_steps
from ablate.training.state import Parts, State, capture, restore
from ablate.training.watch import CurvePoint, Diverged, Watch

__all__ = ["Keeping", "Progress", "Trained", "train"]

LOOKS_APART = 20  # steps between two looks at the numbers on a CUDA device


def train(
    model: nn.Module,
    batches: Batches,
    settings: Training,
    *,
    device: torch.device,
    validate: Validate,
    report: Callable[[Progress], None],
    keeping: Keeping | None = None,
    micro: int = 0,
) -> Trained:
    """Train a network in place; afterwards it is in eval mode and holds the weights to evaluate.

    On the CPU the same network, batches and settings give the same weights, bit for bit, however
    often the training was interrupted and went on from its state. After a divergence the weights
    are of no use.

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
        report: Called after every step; what it raises ends the training, its state kept.
        keeping: Where the state goes and comes from; none keeps none.
        micro: Images that pass the network at a time; 0 for whole batches. See `in_parts`.

    Raises:
        ValueError: The settings cannot work.
        StateError: The state to go on from is not of this training; nothing was trained, but the
            network may have changed.
    """
    if found := problems(settings):
        raise ValueError(found[0])
    model.to(device)
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(model, settings, device, micro)
    try:
        run.through(batches, validate, report, keeping or Keeping(save=lambda state: None))
    except Diverged as error:
        return run.ended("diverged", error.step, str(error))
    finally:
        model.eval()
    return run.ended("done" if run.step == settings.steps else "partial", run.step, "")


class _Run:
    """A training in progress."""

    def __init__(
        self, model: nn.Module, settings: Training, device: torch.device, micro: int
    ) -> None:
        self.model, self.settings, self.device, self.micro = model, settings, device, micro
        self.optimizer = make_optimizer(model, settings)
        self.average = Average(model, settings.ema) if settings.ema else None
        self.watch = Watch(settings.steps, LOOKS_APART if device.type == "cuda" else 1)
        self.parts = Parts(model, self.optimizer, self.average, self.watch, device)
        self.step = 0
        self.started = time.perf_counter()
        self.validating = 0.0  # seconds, of `started` and later

    def through(
        self,
        batches: Batches,
        validate: Validate,
        report: Callable[[Progress], None],
        keeping: Keeping,
    ) -> None:
        steps, due = self.settings.steps, validation_steps(self.settings)
        if keeping.found:
            self._go_on(keeping.found)
        last = min(keeping.until or steps, steps)
        self.model.train()
        kept = time.perf_counter()
        todo = range(self.step, last)
        for step, (degraded, clean) in zip(
            todo, fed(batches, self.settings, self.device, todo), strict=True
        ):
            rate = rate_at(step, self.settings)
            self._learn(degraded, clean, rate)
            self.step = step + 1
            if self.step in due:
                self._validate(self.step, validate)
            self._tell(
                Progress(self.step, steps, self.watch.loss, rate, self._spent()), report, keeping
            )
            if keeping.every and time.perf_counter() - kept >= keeping.every:
                self._keep(keeping)
                kept = time.perf_counter()
        self.watch.look()
        if last < steps:
            self._keep(keeping)
        if self.average:
            self.average.swap()

    def ended(self, status: Status, step: int, reason: str) -> Trained:
        curve = (*self.watch.curve, *self.parts.scores)
        return Trained(status, step, curve, reason, self._spent() - self.validating)

    def _go_on(self, state: State) -> None:
        """Be where another training was."""
        if not 0 < state.step <= self.settings.steps:
            raise StateError(f"it is of step {state.step} of {self.settings.steps}")
        restore(self.parts, state)
        self.step = state.step
        self.started -= state.seconds

    def _spent(self) -> float:
        """Seconds since the start, with validation."""
        return time.perf_counter() - self.started

    def _tell(
        self, progress: Progress, report: Callable[[Progress], None], keeping: Keeping
    ) -> None:
        try:
            report(progress)
        except Exception:  # the run wants to end, or is gone: whoever goes on will be glad of it
            self._keep(keeping)
            raise

    def _keep(self, keeping: Keeping) -> None:
        self.watch.look()
        keeping.save(capture(self.parts, self.step, self._spent() - self.validating))

    def _learn(self, degraded: Tensor, clean: Tensor, rate: float) -> None:
        self.optimizer.zero_grad(set_to_none=True)  # first: the old gradients leave their memory
        losses = []
        for image, target, share in in_parts(degraded, clean, self.micro):
            loss = self._loss(image, target)
            if share < 1:
                loss = loss * share
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        self.watch.add(losses[0] if len(losses) == 1 else torch.stack(losses).sum(), self._clip())
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        if self.average:
            self.average.update()

    def _loss(self, degraded: Tensor, clean: Tensor) -> Tensor:
        bfloat16 = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            outputs = self.model(degraded, ("scales", "auxiliary"))
        return total_loss(outputs, clean, self.settings)

    def _clip(self) -> Tensor:
        """Scale the gradients down to the largest norm allowed; their norm before that."""
        given = [p for p in self.model.parameters() if p.grad is not None]
        norm = get_total_norm([p.grad for p in given if p.grad is not None])
        if self.settings.clip:
            clip_grads_with_norm_(given, self.settings.clip, norm)
        return norm

    def _validate(self, step: int, validate: Validate) -> None:
        self.watch.look()
        before = time.perf_counter()
        with _evaluating(self.model, self.average), undisturbed(self.device):
            scores = validate(self.model)
        self.validating += time.perf_counter() - before
        for name, value in scores.items():
            if not math.isfinite(value):
                raise Diverged(step, f"the validation {name} was {value} at step {step}")
            self.parts.scores.append(CurvePoint(name, step, value))


@contextmanager
def _evaluating(model: nn.Module, average: Average | None) -> Iterator[None]:
    """Eval mode and averaged weights inside; weights and mode afterwards as before.

    no_grad and not inference_mode: a table that a block keeps must stay usable in training.
    """
    with torch.no_grad():
        if average:
            average.swap()
        model.eval()
        yield
        model.train()
        if average:
            average.swap()
