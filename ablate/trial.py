"""One trial: a mix trained with one seed and scored on unseen images, in a worker process."""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ablate.checkpoint import save_weights
from ablate.engines.job import Reporter
from ablate.mix import Evaluation, Mix, Training, digest, mix_from_json
from ablate.network import build
from ablate.profiling.allocator import steady_allocator
from ablate.restoring import evaluate, evaluate_inputs, restore
from ablate.tasks.data import Dataset
from ablate.tasks.sampling import Pair, training_batch, validation_pairs
from ablate.training.loop import Trained, train
from ablate.training.probe import Probed, at_rate, probe_rates, probe_steps, shifted

CURVE_IMAGES = 8  # validation images behind each point of a validation curve
PICTURES = 3  # validation images whose restoration is kept for the report


@dataclass(frozen=True, kw_only=True)
class TrialJob:
    """What a worker needs to know: plain values, so that it can be sent anywhere.

    Args:
        key: Of the trial; a state that another trial left is not gone on from.
        mix: As `Mix.to_json` writes it.
        seed: Of the initial weights, the crops and the degradation.
        evaluation: How restored images are scored.
        data: Path of the prepared data set.
        checkpoint: Path for the trained weights.
        device: Where to train.
        pictures: Whether a few restored crops are kept.
        state: Path for the state of a training in progress; a trial that finds one there goes on
            from it. Empty keeps none.
        every: Seconds between two states; 0 keeps one only when the run ends its jobs.
        until: The step after which the training rests, its state kept: its result is "partial".
            0, or the last step and more, trains to the end.
        micro: Images that pass the network at a time, their gradients added up; 0 passes whole
            batches.
    """

    key: str
    mix: str
    seed: int
    evaluation: Evaluation
    data: str
    checkpoint: str
    device: str
    pictures: bool
    state: str = ""
    every: float = 0.0
    until: int = 0
    micro: int = 0


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What came of it; `values` is empty when the trial diverged."""

    status: str
    reason: str
    seconds: float
    values: Mapping[str, float]
    curve: tuple[tuple[str, int, float], ...]
    pictures: tuple[tuple[str, str, bytes], ...]
    facts: Mapping[str, str]


def trial_key(mix: Mix, seed: int, data: str, evaluation: Evaluation) -> str:
    """What defines a trial: mix, seed, data and how it is scored."""
    text = " ".join((mix.key, str(seed), data, digest(evaluation)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_trial(job: TrialJob, report: Reporter) -> TrialResult:
    """Train the mix, score it, keep its weights and a few restored crops."""
    steady_allocator()
    start = time.perf_counter()
    mix, device = mix_from_json(job.mix), torch.device(job.device)
    dataset = Dataset.read(Path(job.data))
    pairs = validation_pairs(dataset, mix.task.degradation, job.evaluation)
    settings, probed = _settled(mix, dataset, job, report)
    if settings is None:
        return _hopeless(probed, time.perf_counter() - start)
    model = _fresh(mix, job)
    trained = _train(mix, settings, model, dataset, pairs, job, report)
    values: dict[str, float] = {}
    pictures: tuple[tuple[str, str, bytes], ...] = ()
    facts = _probe_facts(probed)
    if trained.status == "done":
        values = _score(model, pairs, job, mix)
        if probed.losses:
            values["chosen_rate"] = settings.rate
        trained = _checked(trained, values)
    if trained.status == "diverged":
        values = {}
    else:
        facts["weights_sha256"] = save_weights(model, Path(job.checkpoint))
        pictures = _pictures(model, pairs, device) if job.pictures else ()
    return TrialResult(
        status=trained.status,
        reason=trained.reason,
        seconds=time.perf_counter() - start,
        values=values,
        curve=tuple((point.name, point.step, point.value) for point in trained.curve),
        pictures=pictures,
        facts=facts,
    )


def _fresh(mix: Mix, job: TrialJob) -> nn.Module:
    """The untrained network, the same at every call; what is drawn after it is the same too."""
    torch.manual_seed(job.seed)
    return build(mix.network)


def _settled(
    mix: Mix, dataset: Dataset, job: TrialJob, report: Reporter
) -> tuple[Training | None, Probed]:
    """The training with the learning rate that did best, where several are to be tried.

    None where the training diverged with each of them.
    """
    if not mix.training.rates:
        return mix.training, Probed(())

    def batches(step: int) -> tuple[Tensor, Tensor]:
        return training_batch(dataset, mix.task.degradation, mix.training, job.seed, step)

    total = probe_steps(mix.training) + mix.training.steps
    probed = probe_rates(
        lambda: _fresh(mix, job),
        batches,
        mix.training,
        device=torch.device(job.device),
        report=shifted(report, 0, total),
    )
    return (at_rate(mix.training, probed.best) if probed.best else None), probed


def _probe_facts(probed: Probed) -> dict[str, str]:
    """What is kept of a probe: its losses, and the rate that was chosen."""
    if not probed.losses:
        return {}
    chosen = {"learning_rate": f"{probed.best:g}"} if probed.best else {}
    return {**chosen, "losses_of_rates": probed.words}


def _hopeless(probed: Probed, seconds: float) -> TrialResult:
    """The result of a trial that no learning rate suits."""
    rates = ", ".join(f"{rate:g}" for rate, _ in probed.losses)
    return TrialResult(
        status="diverged",
        reason=f"training diverged at every learning rate that was tried: {rates}",
        seconds=seconds,
        values={},
        curve=(),
        pictures=(),
        facts=_probe_facts(probed),
    )


def _train(
    mix: Mix,
    settings: Training,
    model: nn.Module,
    dataset: Dataset,
    pairs: Sequence[Pair],
    job: TrialJob,
    report: Reporter,
) -> Trained:
    device = torch.device(job.device)

    def batches(step: int) -> tuple[Tensor, Tensor]:
        return training_batch(dataset, mix.task.degradation, settings, job.seed, step)

    def validate(network: nn.Module) -> dict[str, float]:
        few = pairs[:: max(1, len(pairs) // CURVE_IMAGES)]  # a curve needs no more than a glance
        return evaluate(network, few, job.evaluation, device, settings.channels_last)[0]

    before = probe_steps(mix.training)
    moved = shifted(report, before, before + settings.steps)
    return train(model, batches, settings, device=device, validate=validate, report=moved)


def _checked(trained: Trained, values: Mapping[str, float]) -> Trained:
    """The training, or that it diverged where a score is not finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            reason = f"the {name} was {value} after step {trained.step}"
            return replace(trained, status="diverged", reason=reason)
    return trained


def _score(model: nn.Module, pairs: Sequence[Pair], job: TrialJob, mix: Mix) -> dict[str, float]:
    """The metrics of the restored images, and of the degraded ones as `input_...`."""
    device, layout = torch.device(job.device), mix.training.channels_last
    means, _ = evaluate(model, pairs, job.evaluation, device, layout)
    before, _ = evaluate_inputs(pairs, job.evaluation)
    return means | {f"input_{name}": value for name, value in before.items()}


def _pictures(
    model: nn.Module, pairs: Sequence[Pair], device: torch.device
) -> tuple[tuple[str, str, bytes], ...]:
    """(image, kind, PNG) of a few validation images: degraded (as it is), clean and restored."""
    chosen = pairs[:: max(1, len(pairs) // PICTURES)][:PICTURES]
    pictures = []
    for pair in chosen:
        degraded, clean = _middle(pair)
        restored = restore(model, degraded, device=device)
        kinds = {"input": degraded, "target": clean, "restored": restored}
        for kind, image in kinds.items():
            pictures.append((pair.name, kind, to_png(image)))
    return tuple(pictures)


def _middle(pair: Pair, side: int = 128) -> tuple[Tensor, Tensor]:
    """The middle of a large pair, degraded and clean: pictures in a report are small."""
    scale = pair.clean.shape[-1] // pair.degraded.shape[-1]
    small = side // scale
    top, left = (max(0, (length - small) // 2) for length in pair.degraded.shape[-2:])
    return _cut(pair.degraded, top, left, small), _cut(
        pair.clean, top * scale, left * scale, small * scale
    )


def _cut(image: Tensor, top: int, left: int, side: int) -> Tensor:
    return image[:, top : top + side, left : left + side]


def to_png(image: Tensor) -> bytes:
    """An image (3, H, W) in [0, 1], rounded to 8 bits, as a PNG file."""
    from PIL import Image

    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()
