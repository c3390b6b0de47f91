"""The learning of a trial: a rate where several are to be tried, then the training itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ablate.engines.job import Reporter
from ablate.engines.kinds import kind_of
from ablate.faults import fault
from ablate.mix import Training, digest, mix_from_json
from ablate.network import build
from ablate.restoring import evaluate
from ablate.tasks.data import Dataset
from ablate.tasks.sampling import training_batch, validation_pairs
from ablate.training.checkpoint import StateError
from ablate.training.loop import Keeping, Trained, train
from ablate.training.probe import Losses, Probed, at_rate, probe_rates, probe_steps, shifted
from ablate.training.randomness import seed_all
from ablate.training.state import State
from ablate.trials.job import TrialJob
from ablate.trials.state import Kept, TrialState

CURVE_IMAGES = 8  # validation images behind each point of a validation curve


class BuildError(ValueError):
    """A network that cannot be built; the message says what it raised."""

    kind = "build"


@dataclass(frozen=True)
class Lesson:
    """What was trained.

    Args:
        probed: What came of each learning rate, where several were tried.
        settings: Of the training, with the rate that was chosen.
        model: In eval mode; None where no learning rate suits.
        trained: How it went.
    """

    probed: Probed
    settings: Training
    model: nn.Module | None
    trained: Trained


class Learner:
    """A trial that learns, here and now.

    Args:
        job: What it is.
        report: Told of every step.

    Raises:
        DataError: The prepared images cannot be read.
    """

    def __init__(self, job: TrialJob, report: Reporter) -> None:
        self.job, self.report = job, report
        self.mix, self.device = mix_from_json(job.mix), torch.device(job.device)
        self.dataset = Dataset.read(Path(job.data))
        self.pairs = validation_pairs(self.dataset, self.mix.task.degradation, job.evaluation)
        self.state = TrialState(job.state, self._identity(), self.device)
        self._started, self._before = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """Spent on the trial so far, with what was before it was interrupted."""
        return self._before + time.perf_counter() - self._started

    @property
    def micro(self) -> int:
        """Images that pass the network at a time, where that is less than a batch; else 0."""
        return self.job.micro if 0 < self.job.micro < self.mix.training.batch else 0

    def learn(self) -> Lesson:
        """Find a learning rate where several are to be tried, and train with it.

        It goes on from the state that it finds, where that is of this training.

        Raises:
            BuildError: The network cannot be built.
        """
        try:
            return self._learn(self.state.read(self.job.until))
        except StateError as error:  # raised before anything is trained
            self.state.refuse(error)
            return self._learn(None)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The crops of a step, the same for every rate and every mix."""
        mix, seed = self.mix, self.job.seed
        return training_batch(self.dataset, mix.task.degradation, mix.training, seed, step)

    def _learn(self, kept: Kept | None) -> Lesson:
        self._before = kept.seconds if kept else 0.0
        training = self.mix.training
        probed = self._probed(kept)
        if training.rates and not probed.best:
            rates = _listed(rate for rate, _ in probed.losses)
            reason = f"training diverged at every learning rate that was tried: {rates}"
            return Lesson(probed, training, None, Trained("diverged", 0, (), reason, 0.0))
        settings = at_rate(training, probed.best) if probed.best else training
        model, before = self._fresh(), probe_steps(training)
        found = kept.training if kept and not kept.probing else None
        fault("trial.began")
        trained = train(
            model,
            self.batch,
            settings,
            device=self.device,
            validate=self._glance,
            report=shifted(self.report, before, before + settings.steps),
            keeping=self._keeping(probed.losses, False, found),
            micro=self.micro,
        )
        return Lesson(probed, settings, model, trained)

    def _probed(self, kept: Kept | None) -> Probed:
        """What came of each learning rate that is to be tried, if any are."""
        training, known = self.mix.training, kept.losses if kept else ()
        tried = tuple(rate for rate, _ in known)
        if kept and tried != training.rates[: len(tried) if kept.probing else None]:
            raise StateError(
                f"its learning rates are {_listed(tried)}; those of the trial: "
                f"{_listed(training.rates)}"
            )
        if not training.rates or (kept and not kept.probing):
            return Probed(known)

        def keeping(losses: Losses) -> Keeping:
            found = kept.training if kept and losses == known else None
            return self._keeping(losses, True, found)

        return probe_rates(
            self._fresh,
            self.batch,
            training,
            device=self.device,
            report=shifted(self.report, 0, probe_steps(training) + training.steps),
            known=known,
            keeping=keeping,
            micro=self.micro,
        )

    def _keeping(self, losses: Losses, probing: bool, found: State | None) -> Keeping:
        """How the state is kept, of the training itself or of one that tries a rate."""

        def save(state: State) -> None:
            self.state.write(Kept(losses, probing, self.seconds, state))

        return Keeping(
            save=save,
            every=self.job.every if self.job.state else 0.0,
            until=0 if probing else self.job.until,
            found=found,
        )

    def _fresh(self) -> nn.Module:
        """The untrained network, always the same; what is drawn after it is the same too."""
        seed_all(self.job.seed)
        try:
            return build(self.mix.network)
        except Exception as error:
            if kind_of(error) != "error":  # the machine's fault: its memory, its disk
                raise
            text = " ".join(str(error).split())
            raise BuildError(f"{type(error).__name__}: {text}") from error

    def _glance(self, network: nn.Module) -> dict[str, float]:
        """The scores behind a point of a curve, which needs only a few images."""
        few = self.pairs[:: max(1, len(self.pairs) // CURVE_IMAGES)]
        layout = self.mix.training.channels_last
        return evaluate(network, few, self.job.evaluation, self.device, layout)[0]

    def _identity(self) -> dict[str, str]:
        """What makes the training this one, whatever its key and however far it is to go."""
        return {
            "mix": self.mix.key,
            "seed": str(self.job.seed),
            "data set": self.dataset.digest,
            "way of scoring": digest(self.job.evaluation),
            "size of micro-batches": str(self.micro),
            "version of the code": self.job.code,
        }


def _listed(rates: Iterable[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates) or "none"
