"""The ends of trials as the record and the listener of a run are told of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from ablate.engines.job import Done, Failed
from ablate.events import TrialEnded, Warned
from ablate.runs.context import SOURCES, Context, Trial
from ablate.runs.failures import Failures
from ablate.runs.rows import failed_row, trial_rows
from ablate.runs.sealing import sealed
from ablate.trials.trial import TrialResult
from reports.record import Measurement, Note, PartialRow


@dataclass(frozen=True)
class Attempt:
    """A trial that is about to be trained, perhaps not for the first time."""

    trial: Trial
    micro: int = 0  # images that pass the network at a time; 0 for whole batches


class Ends:
    """Puts every end of a trial into the record of a run at once.

    Args:
        context: The run.
        failures: Of its trials so far.
    """

    def __init__(self, context: Context, failures: Failures) -> None:
        self.context, self.failures = context, failures
        self.kept = set[str]()  # source files that the record knows

    def settle(self, attempt: Attempt, event: Done) -> None:
        """One transaction per trial: killed now, at most the trials in flight are lost."""
        assert isinstance(event.result, TrialResult)
        trial, result, record = attempt.trial, event.result, self.context.record
        warning = result.facts.get("warning")
        if warning:
            self.context.listener(Warned(f"{trial.label}, seed {trial.seed}: {warning}"))
        self.keep_sources(trial)
        if result.status == "partial":
            partial = PartialRow(
                trial.row, trial.key, trial.mix.key, trial.seed, trial.until, result.seconds
            )
            values = [Measurement(trial.row, name, v) for name, v in result.values.items()]
            notes = [Note(trial.row, "warning", warning)] if warning else []
            record.add_partial(partial, values, notes)
        else:
            row, values, curve, pictures = trial_rows(
                trial.key, trial.mix.key, trial.seed, result, self.context.device
            )
            row = replace(row, facts={**row.facts, **self._made(attempt)})
            record.add_trial(sealed(row, values, curve), values, curve, pictures)
            self.context.place.state(trial.key).unlink(missing_ok=True)
        self.context.listener(_ended(trial, result))

    def give_up(self, attempt: Attempt, event: Failed) -> None:
        """Record a failure for good."""
        trial = attempt.trial
        row = failed_row(trial.key, trial.mix.key, trial.seed, event)
        row = replace(row, facts={**row.facts, **self._made(attempt)})
        self.context.record.add_trial(row)
        self.context.listener(
            TrialEnded(
                trial.key,
                trial.label,
                trial.seed,
                "failed",
                event.reason,
                None,
                None,
                event.seconds,
                kind=event.kind,
            )
        )

    def keep_sources(self, trial: Trial) -> None:
        """The files that a trial is made of, so that a change of them is found when it goes on.

        Before its row: to know of a file too many does no harm.
        """
        context = self.context
        files = context.sources.of(trial.mix)
        if context.coded and not set(files) <= self.kept:
            known = json.loads(context.record.facts().get(SOURCES, "{}"))
            self.kept |= {*known, *files}
            context.record.set_fact(SOURCES, json.dumps({**known, **files}))

    def _made(self, attempt: Attempt) -> dict[str, str]:
        """What a trial was made with, for its row."""
        context, trial = self.context, attempt.trial
        made = {**context.made, "code": context.sources.code_digest(trial.mix)}
        failed = self.failures.attempts(trial.row)
        return {**made, "failed_attempts": str(failed)} if failed else made


def _ended(trial: Trial, result: TrialResult) -> TrialEnded:
    psnr, before = result.values.get("psnr"), result.values.get("input_psnr")
    gain = psnr - before if psnr is not None and before is not None else None
    return TrialEnded(
        trial.key, trial.label, trial.seed, result.status, result.reason, psnr, gain, result.seconds
    )
