"""One trial: a mix trained with one seed and scored on unseen images, in a worker process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from ablate.engines.job import Reporter, Waits
from ablate.faults import fault
from ablate.profiling.allocator import steady_allocator
from ablate.restoring import evaluate, evaluate_inputs
from ablate.training.checkpoint import save_weights
from ablate.training.micro import batch_bound
from ablate.training.progress import Trained
from ablate.trials.job import TrialJob, TrialResult
from ablate.trials.learning import Learner, Lesson
from ablate.trials.pictures import pictures_of
from ablate.turns import gpu_of, turn

__all__ = ["TrialJob", "TrialResult", "run_trial"]


def run_trial(job: TrialJob, report: Reporter) -> TrialResult:
    """Train the mix, score it, keep its weights and a few restored crops.

    Where its state lies at `job.state` it goes on from there, and on the CPU comes to the same
    numbers, bit for bit. Where `report` raises, as it does when the run ends its jobs, the state
    is kept. A GPU is shared with other trainings, never with what is being timed.

    Raises:
        BuildError: The network cannot be built.
        DataError: The prepared images cannot be read.
    """
    steady_allocator()
    with turn(gpu_of(job.device), lambda words: report(Waits(words)), "training"):
        return _trial(job, report)


def _trial(job: TrialJob, report: Reporter) -> TrialResult:
    learner = Learner(job, report)
    lesson = learner.learn()
    fault("trial.trained")
    facts, values = _facts(learner, lesson), dict[str, float]()
    trained, model = lesson.trained, lesson.model
    if model and trained.status != "diverged":
        values = _scores(learner, lesson)
        trained = _checked(trained, values)
    pictures: tuple[tuple[str, str, bytes], ...] = ()
    if model and trained.status != "diverged":
        if trained.status == "done":  # the weights of a partial one are in its state
            facts["weights_sha256"] = save_weights(model, Path(job.checkpoint))
        pictures = pictures_of(model, learner.pairs, learner.device) if job.pictures else ()
    if trained.status != "partial":
        learner.state.remove()
    fault("trial.done")
    return TrialResult(
        status=trained.status,
        reason=trained.reason,
        seconds=learner.seconds,
        values={} if trained.status == "diverged" else values,
        curve=tuple((point.name, point.step, point.value) for point in trained.curve),
        pictures=pictures,
        facts=facts,
    )


def _scores(learner: Learner, lesson: Lesson) -> dict[str, float]:
    """The metrics of the restored images, and of the degraded ones as `input_...`."""
    assert lesson.model is not None
    evaluation, layout = learner.job.evaluation, lesson.settings.channels_last
    means, _ = evaluate(lesson.model, learner.pairs, evaluation, learner.device, layout)
    before, _ = evaluate_inputs(learner.pairs, evaluation)
    chosen = {"chosen_rate": lesson.settings.rate} if lesson.probed.losses else {}
    return means | {f"input_{name}": value for name, value in before.items()} | chosen


def _checked(trained: Trained, values: Mapping[str, float]) -> Trained:
    """The training, or that it diverged where a score is not finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            reason = f"the {name} was {value} after step {trained.step}"
            return replace(trained, status="diverged", reason=reason)
    return trained


def _facts(learner: Learner, lesson: Lesson) -> dict[str, str]:
    """What the record should say of how the numbers came about."""
    facts, remarks = dict[str, str](), list(learner.state.remarks)
    if lesson.probed.best:
        facts["learning_rate"] = f"{lesson.probed.best:g}"
    if lesson.probed.losses:
        facts["losses_of_rates"] = lesson.probed.words
    if lesson.trained.status == "partial":
        facts["step"] = str(lesson.trained.step)
    if learner.device.type == "cuda":  # so that trials of this mix can share a device
        facts["device_memory"] = str(torch.cuda.max_memory_reserved(learner.device))
    if learner.state.resumed:
        facts["resumed_from"] = f"step {learner.state.resumed}"
    if learner.micro:
        facts["micro_batch"] = str(learner.micro)
        if bound := _bound(learner, lesson):
            facts["comparable"] = "no"
            remarks.append(bound)
    if remarks:
        facts["warning"] = "; ".join(remarks)
    return facts


def _bound(learner: Learner, lesson: Lesson) -> str:
    """Why micro-batches made another training of it; empty where they did not."""
    if not lesson.model:
        return ""
    crop = learner.batch(0)[0][:1].to(learner.device)
    what = batch_bound(lesson.model, lesson.settings, crop)
    if not what:
        return ""
    size = f"{learner.micro} images at a time instead of {lesson.settings.batch}"
    return f"not comparable with other trials: it saw {size}, which matters to {', '.join(what)}"
