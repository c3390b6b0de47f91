"""The loop of a study: propose mixes, train them, time them side by side, write the report."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import torch

from ablate import costs
from ablate.engines.job import Done, Failed, Job, Message
from ablate.engines.local import run_jobs
from ablate.events import (
    Began,
    Ended,
    Listener,
    PhaseBegan,
    PhaseStep,
    TrialEnded,
    TrialStep,
    Warned,
    silence,
)
from ablate.folder import RunError, RunFolder
from ablate.mix import Mix
from ablate.profiling.latency import LatencySample
from ablate.profiling.machine import describe
from ablate.rows import failed_row, metric_definitions, mix_row, trial_rows
from ablate.search import Point, Seen, propose
from ablate.study import Study
from ablate.tasks.data import Dataset, load, require_size
from ablate.training.loop import Progress
from ablate.trial import TrialJob, TrialResult, trial_key
from reports.answer import answer
from reports.build import write_report
from reports.record import Record
from reports.results import read

Workers = int | Literal["auto"]


@dataclass(frozen=True)
class Trial:
    """One mix with one seed, as the study names it."""

    key: str
    mix: Mix
    label: str
    seed: int


def run(
    study: Study,
    folder: Path | str | None = None,
    *,
    workers: Workers = "auto",
    device: str = "auto",
    plugins: Sequence[str] = (),
    listener: Listener = silence,
) -> RunFolder:
    """Run a study, or go on with it: what is in its record is not done again.

    Args:
        study: What is asked.
        folder: Where the run lies; runs/NAME where it is not given.
        workers: Processes that train at a time; auto is one per core on a CPU, one on CUDA.
        device: Where to train and to profile: cpu, cuda, or auto for what the study says.
        plugins: Files that workers load first.
        listener: Told how the run goes on.

    Returns:
        The folder, with the record, the weights and the report in it.

    Raises:
        RunError: The folder holds another study, is in use, or the device is not there.
        DataError: The images cannot be used; nothing was trained.
    """
    place = RunFolder(Path(folder or Path("runs") / study.name))
    chosen = choose_device(study, device)
    dataset = prepare_data(study)
    with place.held(), contextlib.closing(_record(study, place, dataset.digest)) as record:
        if not place.data.exists() or record.facts().get("data_digest") != dataset.digest:
            dataset.save(place.data)
        runner = _Runner(study, place, record, chosen, dataset.digest, plugins, listener)
        runner.search(worker_count(workers, chosen))
        runner.time()
        report = write_report(place.record, place.path)
        listener(Ended(place.path, report["report.html"], answer(read(place.record)).sentence))
    return place


def prepare_data(study: Study) -> Dataset:
    """The images of a study, found usable before anything is trained.

    Raises:
        DataError: They cannot be used; the message names files.
    """
    base = study.path.parent if study.path else Path.cwd()
    dataset = load(_first_mix(study).task.data, base)
    require_size(dataset, _largest_crop(study), study.evaluation.crop)
    return dataset


def choose_device(study: Study, asked: str) -> str:
    """Cpu or cuda: what was asked for, else what the study says, else CUDA where there is one.

    Raises:
        RunError: CUDA was asked for and is not there.
    """
    device = study.profile.device if asked == "auto" else asked
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError("device: cuda was asked for, but torch sees no CUDA device; use cpu")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def worker_count(workers: Workers, device: str) -> int:
    """How many trials run at a time: on a CPU each has one thread, on CUDA one has the device."""
    if workers != "auto":
        return workers
    return 1 if device == "cuda" else max(1, len(os.sched_getaffinity(0)))


def fingerprint(study: Study) -> str:
    """The same for studies that ask, train, score and profile the same, whatever their comments."""
    parts = (study.questions, study.slots, study.search, study.seeds, study.evaluation)
    return hashlib.sha256(repr((*parts, study.profile)).encode()).hexdigest()[:16]


def trials_of(study: Study, points: Iterable[Point], data: str) -> list[Trial]:
    """Every mix with every seed: seed by seed, so that all mixes have one before any has two."""
    mixes = [(study.mix(point), study.label(point)) for point in points]
    return [
        Trial(trial_key(mix, seed, data, study.evaluation), mix, label, seed)
        for seed in range(study.seeds)
        for mix, label in mixes
    ]


class _Runner:
    """A run in progress: everything it learns goes into the record at once."""

    def __init__(
        self,
        study: Study,
        place: RunFolder,
        record: Record,
        device: str,
        data: str,
        plugins: Sequence[str],
        listener: Listener,
    ) -> None:
        self.study, self.place, self.record, self.device = study, place, record, device
        self.data, self.plugins, self.listener = data, tuple(plugins), listener
        self.mixes: dict[str, Mix] = {}

    def search(self, workers: int) -> None:
        """Train batch after batch of mixes until the strategy proposes no more."""
        seen: list[Seen] = []
        search = self.study.search
        while points := propose(self.study, seen, search):
            trials = trials_of(self.study, points, self.data)
            self.mixes |= {trial.mix.key: trial.mix for trial in trials}
            self._enter(points)
            self._train(trials, workers)
            seen += _seen(self.study, points, self.record)

    def time(self) -> None:
        """Time all networks side by side, now that nothing trains on the device any more."""
        networks = {mix.network.key: mix for mix in self.mixes.values()}
        sitting = self._sitting(networks)
        known = self.record.measurements()
        for size in self.study.profile.size:
            mode = costs.mode_name(size, self.study.profile)
            timed = known[(known["sitting"] == sitting) & (known["mode"] == mode)]["subject"]
            if not set(self.mixes) <= set(timed):
                self._time(list(networks.values()), size, sitting)

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
        measurements, notes = costs.count_mix(mix, self.study.profile, self.device)
        self.record.add_sitting(measurements, (), notes)

    def _train(self, trials: Sequence[Trial], workers: int) -> None:
        table = self.record.trials()
        settled = set(table[table["status"] != "failed"]["key"])
        todo = [trial for trial in trials if trial.key not in settled]
        done = len(trials) - len(todo)
        began = Began(
            self.study.name, self.place.path, len(self.mixes), len(todo), done, workers, self.device
        )
        self.listener(began)
        by_key = {trial.key: trial for trial in todo}
        for event in run_jobs([self._job(trial) for trial in todo], workers):
            trial = by_key[event.job.name]
            if isinstance(event, Message):
                assert isinstance(event.content, Progress)
                self._progress(trial, event.content)
            else:
                self._settle(trial, event)

    def _job(self, trial: Trial) -> Job:
        payload = TrialJob(
            key=trial.key,
            mix=trial.mix.to_json(),
            seed=trial.seed,
            evaluation=self.study.evaluation,
            data=str(self.place.data.resolve()),
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

    def _time(self, networks: Sequence[Mix], size: tuple[int, int], sitting: str) -> None:
        """One sitting at one size: several fresh processes, one after the other."""
        profile = self.study.profile
        total = profile.processes * profile.rounds
        self.listener(PhaseBegan("latency", total))
        samples: list[LatencySample] = []
        for process in range(profile.processes):
            job = self._latency_job(networks, size, process)
            for event in run_jobs([job], workers=1):
                if isinstance(event, Message):
                    done = process * profile.rounds + int(str(event.content))
                    self.listener(PhaseStep("latency", done, total))
                elif isinstance(event, Failed):
                    self.listener(Warned(f"latency was not measured: {event.reason}"))
                    self.record.note("", "latency", event.reason)
                    return
                else:
                    assert isinstance(event.result, list)
                    samples += event.result
        mixes = list(self.mixes.values())
        rows = costs.latency_rows(mixes, samples, size, profile, self.device, sitting)
        self.record.add_sitting(*rows)

    def _latency_job(self, networks: Sequence[Mix], size: tuple[int, int], process: int) -> Job:
        payload = costs.LatencyJob(
            mixes=tuple(mix.to_json() for mix in networks),
            size=size,
            profile=self.study.profile,
            process=process,
            device=self.device,
        )
        return Job(
            name=f"latency {process}",
            function="ablate.costs:time_networks",
            payload=payload,
            threads=self.study.profile.threads,
            plugins=self.plugins,
        )

    def _sitting(self, networks: Iterable[str]) -> str:
        """A name for timing these networks in this way: an interrupted sitting starts again."""
        text = repr((sorted(networks), self.study.profile, self.device))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


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


def _record(study: Study, place: RunFolder, data: str) -> Record:
    """The record of this run: a new one, or the one that this study began.

    Raises:
        RunError: The record was made by another study, or on other images.
    """
    place.path.mkdir(parents=True, exist_ok=True)
    marks = {"study_fingerprint": fingerprint(study), "data_digest": data}
    if place.record.exists():
        record = Record.open(place.record, writable=True)
        _require_same(record.facts(), marks, place)
        record.set_fact("report_objectives", ", ".join(study.report.objectives))
        return record
    now = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {**describe(), **marks, "started": now, **_words(study)}
    record = Record.create(
        place.record, study.name, study.text, study.question, facts, study.report.objectives
    )
    record.define([*metric_definitions(study.evaluation), *costs.COST_METRICS])
    return record


def _require_same(facts: dict[str, str], marks: dict[str, str], place: RunFolder) -> None:
    what = {"study_fingerprint": "another version of the study", "data_digest": "other images"}
    for name, mark in marks.items():
        if facts.get(name) != mark:
            raise RunError(
                f"{place.path}: this run was made with {what[name]}, and its numbers do not mix "
                f"with new ones; keep it and start beside it: ablate run ... --out {place.path}-2"
            )


def _words(study: Study) -> dict[str, str]:
    """How the study trains and profiles, for the report's account of methods."""
    first = _first_mix(study)
    return {
        "training": json.dumps(asdict(first.training)),
        "evaluation": json.dumps(asdict(study.evaluation)),
        "profile": json.dumps(asdict(study.profile)),
        "search": study.search.name,
        "seeds": str(study.seeds),
    }


def _first_mix(study: Study) -> Mix:
    return study.mix(study.at(0))


def _largest_crop(study: Study) -> int:
    """The largest training crop that a mix of the study asks for."""
    answers = [q.answers for q in study.questions if q.place == ("training", "crop")]
    return max(answers[0]) if answers else _first_mix(study).training.crop
