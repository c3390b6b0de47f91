"""A run in progress: trains what the strategy proposes, then times it all side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ablate.composition.limits import Limits
from ablate.composition.rows import predicted_rows
from ablate.costs.counts import count_mix
from ablate.costs.energy_phase import count_energies
from ablate.costs.footing_rows import footing_rows
from ablate.costs.latency_rows import latency_rows, mode_name
from ablate.costs.resident import measure_residents
from ablate.costs.sitting import sitting_name, time_together
from ablate.costs.stage_phase import place_run
from ablate.engines.job import Done, Failed, Interrupted, Job, Message
from ablate.engines.local import run_jobs
from ablate.events import (
    Began,
    Listener,
    PhaseBegan,
    PhaseStep,
    TrialEnded,
    TrialStep,
    Warned,
)
from ablate.folder import RunFolder
from ablate.mix import Choice, Mix
from ablate.plan import forecast_training
from ablate.profiling.latency import Mode, modes_of, split
from ablate.profiling.machine import load
from ablate.rows import failed_row, mix_row, trial_rows
from ablate.searches import Point, Seen, Space, propose
from ablate.study import Study
from ablate.training.loop import Progress
from ablate.trial import TrialJob, TrialResult, trial_key
from reports.record import Record

FORECAST_FROM = 10  # trials


@dataclass(frozen=True)
class Trial:
    """One mix with one seed, as the study names it."""

    key: str
    mix: Mix
    label: str
    seed: int


def trials_of(study: Study, points: Iterable[Point], data: Mapping[Choice, str]) -> list[Trial]:
    """Every mix with every seed: seed by seed, so that all mixes have one before any has two."""
    mixes = [(study.mix(point), study.label(point)) for point in points]
    return [
        Trial(trial_key(mix, seed, data[mix.task.data], study.evaluation), mix, label, seed)
        for seed in range(study.seeds)
        for mix, label in mixes
    ]


class Runner:
    """A run in progress: everything it learns goes into the record at once."""

    def __init__(
        self,
        study: Study,
        place: RunFolder,
        record: Record,
        device: str,
        data: Mapping[Choice, str],
        plugins: Sequence[str],
        listener: Listener,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits
        self.space: Space = limits.space() if limits else study
        self.study, self.place, self.record, self.device = study, place, record, device
        self.data, self.plugins, self.listener = data, tuple(plugins), listener
        self.mixes: dict[str, Mix] = {}
        self.labels: dict[str, str] = {}

    def search(self, workers: int) -> None:
        """Train batch after batch of mixes until the strategy proposes no more."""
        seen: list[Seen] = []
        search = self.study.search
        while points := propose(self.space, seen, search):
            trials = trials_of(self.study, points, self.data)
            self.mixes |= {trial.mix.key: trial.mix for trial in trials}
            self.labels |= {trial.mix.key: trial.label for trial in trials}
            self._enter(points)
            self._train(trials, workers)
            seen += _seen(self.study, points, self.record)

    def time(self) -> None:
        """Time all networks side by side, now that nothing trains on the device any more."""
        networks = {mix.network.key: mix for mix in self.mixes.values()}
        sitting = sitting_name(list(networks.values()), self.study.profile, self.device)
        known = self.record.measurements()
        known = known[(known["metric"] == "latency") & (known["sitting"] == sitting)]
        modes, lacking = split(modes_of(self.study.profile), torch.device(self.device))
        for mode, reason in lacking.items():
            self._not_timed("", "all mixes", reason, mode)
        for size, mode in itertools.product(self.study.profile.size, modes):
            name = mode_name(size, self.study.profile, mode)
            if not set(self.mixes) <= set(known[known["mode"] == name]["subject"]):
                self._time(list(networks.values()), size, mode, sitting)
        profile, device = self.study.profile, self.device
        count_energies(self.record, self.mixes, profile, device, self.plugins, self.listener)
        measure_residents(self.record, self.mixes, profile, device, self.plugins, self.listener)
        place_run(self.record, self.mixes, profile, device, self.plugins, self.listener)

    def _enter(self, points: Sequence[Point]) -> None:
        """The mixes of a batch and what can be counted of them."""
        study = self.study
        rows = [mix_row(study.mix(p), study.label(p), study.levels(p)) for p in points]
        self.record.add_mixes(rows)
        measured = self.record.measurements()
        counted = set(measured[measured["metric"] == "params"]["subject"])
        new = [row for row in rows if row.key not in counted]
        self.listener(PhaseBegan("costs", len(new)))
        for done, row in enumerate(new, 1):
            self._count(self.mixes[row.key])
            self.listener(PhaseStep("costs", done, len(new)))

    def _count(self, mix: Mix) -> None:
        measurements, notes = count_mix(mix, self.study.profile, self.device)
        predicted = predicted_rows(mix, self.limits, self.device) if self.limits else []
        footing = footing_rows(self.study, mix.key, mix.network, measurements)
        self.record.add_sitting([*measurements, *predicted, *footing], (), notes)

    def _train(self, trials: Sequence[Trial], workers: int) -> None:
        table = self.record.trials()
        settled = set(table[table["status"] != "failed"]["key"])
        todo = [trial for trial in trials if trial.key not in settled]
        done = len(trials) - len(todo)
        self.listener(
            Began(
                study=self.study.name,
                folder=self.place.path,
                mixes=len(self.mixes),
                trials=len(todo),
                finished=done,
                workers=workers,
                device=self.device,
                seconds=self._forecast(todo, workers),
            )
        )
        by_key = {trial.key: trial for trial in todo}
        for event in run_jobs([self._job(trial) for trial in todo], workers):
            trial = by_key[event.job.name]
            if isinstance(event, Message):
                assert isinstance(event.content, Progress)
                self._progress(trial, event.content)
            elif not isinstance(event, Interrupted):
                self._settle(trial, event)

    def _forecast(self, trials: Sequence[Trial], workers: int) -> float | None:
        """What training will take, where it is long enough to ask."""
        if len(trials) < FORECAST_FROM:
            return None
        mixes = [trial.mix for trial in trials]
        return forecast_training(
            self.study, mixes, workers=workers, device=self.device, plugins=self.plugins
        )

    def _job(self, trial: Trial) -> Job:
        payload = TrialJob(
            key=trial.key,
            mix=trial.mix.to_json(),
            seed=trial.seed,
            evaluation=self.study.evaluation,
            data=str(self.place.data(trial.mix.task.data).resolve()),
            checkpoint=str(self.place.checkpoint(trial.key).resolve()),
            device=self.device,
            pictures=trial.seed == 0,
        )
        function = "ablate.trial:run_trial"
        return Job(name=trial.key, function=function, payload=payload, plugins=self.plugins)

    def _progress(self, trial: Trial, progress: Progress) -> None:
        self.listener(
            TrialStep(
                trial.key, trial.label, trial.seed, progress.step, progress.steps, progress.loss
            )
        )

    def _settle(self, trial: Trial, event: Done | Failed) -> None:
        """One transaction per trial: killed now, at most the trials in flight are lost."""
        if isinstance(event, Done):
            assert isinstance(event.result, TrialResult)
            rows = trial_rows(trial.key, trial.mix.key, trial.seed, event.result, self.device)
            self.record.add_trial(*rows)
            ended = _ended(trial, event.result)
        else:
            row = failed_row(trial.key, trial.mix.key, trial.seed, event.reason, event.evidence)
            self.record.add_trial(row)
            ended = TrialEnded(
                trial.key, trial.label, trial.seed, "failed", event.reason, None, None, 0.0
            )
        self.listener(ended)

    def _time(
        self, networks: Sequence[Mix], size: tuple[int, int], mode: Mode, sitting: str
    ) -> None:
        """One sitting at one size; what cannot be timed is named and the others are kept."""
        profile = self.study.profile
        total = profile.processes * profile.rounds
        self.listener(PhaseBegan("latency", total))
        timed = time_together(
            networks,
            size=size,
            profile=profile,
            device=self.device,
            plugins=self.plugins,
            report=lambda done: self.listener(PhaseStep("latency", done, total)),
            mode=mode,
        )
        if timed.failure:
            self._not_timed("", "all mixes", timed.failure, mode)
            return
        for mix in self.mixes.values():
            if reason := timed.dropped.get(mix.network.key):
                self._not_timed(mix.key, self.labels[mix.key], reason, mode)
        mixes = [mix for mix in self.mixes.values() if mix.network.key not in timed.dropped]
        rows = latency_rows(
            mixes,
            timed.samples,
            size,
            profile,
            self.device,
            sitting,
            mode=mode,
            first=timed.first,
            conditions=timed.conditions,
            absent=timed.absent,
        )
        self.record.add_sitting(*rows)
        self.record.set_fact("load_at_timing", load())

    def _not_timed(self, subject: str, label: str, reason: str, mode: Mode) -> None:
        """Say so; what is missing in another mode than the first is so for good."""
        if mode == modes_of(self.study.profile)[0]:
            said, text = f"latency of {label}", "latency was not measured"
        else:
            said, text = f"latency of {label} ({mode})", f"latency in mode {mode} is missing"
        self.listener(Warned(f"{said} was not measured: {reason}"))
        self.record.note(subject, "latency", f"{text}: {reason}")


def _ended(trial: Trial, result: TrialResult) -> TrialEnded:
    psnr, before = result.values.get("psnr"), result.values.get("input_psnr")
    gain = psnr - before if psnr is not None and before is not None else None
    return TrialEnded(
        trial.key, trial.label, trial.seed, result.status, result.reason, psnr, gain, result.seconds
    )


def _seen(study: Study, points: Sequence[Point], record: Record) -> list[Seen]:
    """What became of a batch, for the strategy: means over seeds of all that was measured."""
    trials, measured = record.trials(), record.measurements()
    owner = dict(zip(trials["key"], trials["mix"], strict=True))
    measured["mix"] = measured["subject"].map(lambda subject: owner.get(subject, subject))
    means = measured.groupby(["mix", "metric"])["value"].mean()
    seen = []
    for point in points:
        key = study.mix(point).key
        statuses = set(trials[trials["mix"] == key]["status"])
        status = "done" if "done" in statuses else next(iter(sorted(statuses)), "failed")
        values = means.get(key)
        seen.append(
            Seen(
                point=point,
                key=key,
                status=status,  # type: ignore[arg-type]
                values={} if values is None else values.to_dict(),
            )
        )
    return seen
