"""Trains what a run lacks, in worker processes, and puts every end into the record at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from ablate.engines.job import Done, Failed, Interrupted, Job, Message, Waits
from ablate.events import Began, TakenOver, TrialStep, Warned
from ablate.faults import fault
from ablate.folder import RunError
from ablate.runs.context import Context, Trial
from ablate.runs.differing import change_words
from ablate.runs.ends import Attempt, Ends
from ablate.runs.failures import Again, Failures, StudyStopped
from ablate.runs.held_memory import memory_needs
from ablate.runs.rehearsing import forecast_training
from ablate.runs.remade import UNMIXED, remade
from ablate.training.loop import Progress
from ablate.trials.trial import TrialJob

FORECAST_FROM = 10  # trials


class Trainer:
    """Trains the trials of a run, batch after batch."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.failures = Failures()
        self.ends = Ends(context, self.failures)
        self.stopped: StudyStopped | None = None
        self.waited = set[str]()  # trials that said so

    def train(self, trials: Sequence[Trial], workers: int, mixes: int) -> None:
        """Train those of the trials that are not in the record; failed ones are tried again.

        Args:
            trials: In the order in which they are to start.
            workers: Processes at a time.
            mixes: How many the run has so far.

        Raises:
            StudyStopped: They fail, and so would the others.
            KeyboardInterrupt, SystemExit: A signal asked for the end of the run.
        """
        share = self.context.share
        trials = share.part(trials) if share else trials
        lacking = self._lacking(trials)
        todo = self._take_over(lacking)
        self.context.listener(
            Began(
                study=self.context.study.name,
                folder=self.context.place.path,
                mixes=mixes,
                trials=len(todo),
                finished=len(trials) - len(todo),
                workers=workers,
                device=self.context.device,
                seconds=self._forecast(todo, workers),
            )
        )
        with self.context.stop.gently():
            attempts = [Attempt(trial) for trial in todo]
            while attempts and not self.context.stop():
                attempts = self._round(attempts, workers)
        if self.stopped:
            raise self.stopped

    def _lacking(self, trials: Sequence[Trial]) -> list[Trial]:
        table = self.context.record.trials()
        ended = table[table["status"] != "failed"]
        settled = {*ended["key"], *self.context.record.partials()["key"]}
        lacking = [trial for trial in trials if not {trial.key, trial.row} & settled]
        self._require_new(lacking, set(zip(ended["mix"], ended["seed"], strict=True)))
        return lacking

    def _require_new(self, trials: Sequence[Trial], there: set[tuple[str, int]]) -> None:
        """See that no trial is finished under another key: its row would be in the way.

        Raises:
            RunError: One is.
        """
        for trial in trials:
            if (trial.mix.key, trial.seed) in there:
                found = remade(self.context.record, self.context.sources)
                words = change_words(found) or "what is unknown"
                raise RunError(
                    f"{self.context.place.path}: '{trial.label}' with seed {trial.seed} is "
                    f"finished, made with something else ({words}); {UNMIXED}, or --out FOLDER"
                )

    def _take_over(self, trials: Sequence[Trial]) -> list[Trial]:
        """What is left after other runs were asked."""
        if not self.context.library:
            return list(trials)
        keys = [trial.key for trial in trials]
        found = self.context.library.take(keys, self.context.record)
        for taken in found:
            self.context.listener(TakenOver(len(taken.keys), taken.folder))
        there = {key for taken in found for key in taken.keys}
        for trial in trials:
            if trial.key in there:
                self.ends.keep_sources(trial)
        return [trial for trial in trials if trial.key not in there]

    def _forecast(self, trials: Sequence[Trial], workers: int) -> float | None:
        """What training will take, where it is long enough to ask."""
        if len(trials) < FORECAST_FROM:
            return None
        whole = forecast_training(
            self.context.study,
            [trial.mix for trial in trials],
            workers=workers,
            device=self.context.device,
            plugins=self.context.plugins,
        )
        lengths = [(trial.until, trial.mix.training.steps) for trial in trials]
        part = sum((until or steps) / steps for until, steps in lengths) / len(trials)
        return None if whole is None else whole * part

    def _round(self, attempts: Sequence[Attempt], workers: int) -> list[Attempt]:
        """Make an attempt at each trial; returns the attempts to make next."""
        by_name = {attempt.trial.row: attempt for attempt in attempts}
        on_gpu = self.context.device == "cuda"
        memory = memory_needs(self.context.record) if on_gpu else {}
        jobs = [
            replace(self._job(attempt), memory=memory.get(attempt.trial.mix.key, 0))
            for attempt in attempts
        ]
        later = list[Attempt]()
        events = self.context.engine(jobs, workers, stop=self.context.stop)
        with contextlib.closing(events):  # type: ignore[type-var]
            for event in events:
                attempt = by_name[event.job.name]
                if isinstance(event, Message):
                    self._heard(attempt.trial, event.content)
                elif not isinstance(event, Interrupted):
                    later += self._end(attempt, event)
        return later

    def _end(self, attempt: Attempt, event: Done | Failed) -> list[Attempt]:
        """Put the end of an attempt into the record, or return the next one."""
        fault("run.heard")
        again = None
        if isinstance(event, Done):
            self.ends.settle(attempt, event)
        else:
            again = self._failed(attempt, event)
        fault("run.settled")
        return [Attempt(attempt.trial, again.micro)] if again else []

    def _job(self, attempt: Attempt) -> Job:
        context, trial = self.context, attempt.trial
        payload = TrialJob(
            key=trial.key,
            mix=trial.mix.to_json(),
            seed=trial.seed,
            evaluation=context.study.evaluation,
            data=str(context.place.data(trial.mix.task.data).resolve()),
            checkpoint=str(context.place.checkpoint(trial.key).resolve()),
            device=context.device,
            pictures=trial.seed == 0,
            state=str(context.place.state(trial.key).resolve()),
            every=context.save_every,
            until=trial.until,
            micro=attempt.micro,
            code=context.sources.training(),
        )
        return Job(
            name=trial.row,
            function="ablate.trials.trial:run_trial",
            payload=payload,
            plugins=context.plugins,
            seconds=context.study.timeout,
        )

    def _heard(self, trial: Trial, said: object) -> None:
        """Pass on how far a trial is, and once that it waits."""
        who = trial.key, trial.label, trial.seed
        if isinstance(said, Progress):
            self.context.listener(TrialStep(*who, said.step, said.steps, said.loss))
        elif isinstance(said, Waits) and trial.row not in self.waited:
            self.waited.add(trial.row)
            self.context.listener(Warned(f"{trial.label}, seed {trial.seed}: {said.words}"))

    def _failed(self, attempt: Attempt, event: Failed) -> Again | None:
        """Record a failure for good, or say how to try again."""
        trial = attempt.trial
        again = self.failures.again(event, trial.mix.training.batch, attempt.micro)
        if again:
            once_more = f"tried again {again.words}".strip()
            said = f"{trial.label}, seed {trial.seed}: {event.kind}: {event.reason}; {once_more}"
            self.context.listener(Warned(said))
            return again
        self.ends.give_up(attempt, event)
        if stopped := self.failures.stop(event):
            self.stopped = self.stopped or stopped
            self.context.stop.ask()
        return None
