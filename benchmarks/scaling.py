"""Where the process that runs a study is the limit: simulated workers, our own code for the rest.

    python -m benchmarks.scaling [--trials N] [--driven N] [--batch N] [--disk N] [--out FILE]

Trials are proposed, entered, handed out and recorded by the code of a run, into a record in
memory; only the workers are simulated, and say at once what came of a trial. What that takes for
each trial is the driver's limit, in trials a second: with an empty record, and with one that a
million trials were put into. With the times of single trials a queue of
thousands of workers is then simulated, which wait for the driver when several are done at a time:
what part of them is busy, for trials of so many seconds? Beside that: the same with a record on
this disk, what a message of a worker takes, what it takes to count a new mix, and to read back
what is known.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ablate.costs.counts import cost_metrics, count_mix
from ablate.engines.job import Done, Event, Job, Message, never
from ablate.folder import RunFolder
from ablate.mix import Choice
from ablate.profiling.machine import describe
from ablate.runs.context import Context, Trial
from ablate.runs.rows import metric_definitions, mix_row
from ablate.runs.seeing import Costs, Sight
from ablate.runs.trainer import Trainer
from ablate.searches import Point, Proposal
from ablate.study import Study, load_study
from ablate.training.progress import Progress
from ablate.trials.job import TrialResult
from reports.record import Measurement, Record
from reports.record.inserting import insert_measurements
from reports.record.tables import TABLES

RESULT = Path(__file__).parent / "results" / "scaling.json"
WORKERS = (100, 1000, 3000, 10_000, 30_000)
SECONDS = (10.0, 60.0, 600.0)  # of a trial
SPREAD = 0.25  # of the logarithm of a trial's length
STEPS = 400
COUNTED = 4  # mixes

Times = NDArray[np.float64]


def many_mixes() -> Study:
    """A study of more mixes than anybody will train: five stages, each with 16 alternatives."""
    named = ("nafblock", "rdcnn", "lama", "mwsa", "swin", "convnext", "rcab", "baseline_block")
    stages: list[dict[str, object]] = [{"block": list(named), "depth": [1, 2]} for _ in range(5)]
    return load_study(
        {
            "question": "How many workers can one driver keep busy?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 16, "stage": stages},
            "training": {"steps": STEPS, "seeds": 1},
            "report": {"objectives": ["psnr", "params"]},
        }
    )


@dataclass
class Simulated:
    """An engine whose jobs are done when they are asked for; notes what happens between them.

    Args:
        result: What every trial comes to.
        messages: Messages of a job before it is done.
        settled: Seconds that the driver took for the result of each trial.
        told: Seconds that it took for each message.
    """

    result: TrialResult
    messages: int = 0
    settled: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        """Whatever is asked for is done."""
        for job in jobs:
            for step in range(self.messages):
                began = time.perf_counter()
                yield Message(job, Progress(step + 1, STEPS, 0.01, 1e-3, 1.0))
                self.told.append(time.perf_counter() - began)
            began = time.perf_counter()
            yield Done(job, self.result)
            self.settled.append(time.perf_counter() - began)


@dataclass(frozen=True)
class Driven:
    """What a driver took for its trials.

    Args:
        proposing: Seconds for each trial to name its mix and key, and to enter it.
        preparing: Seconds for each trial before the first of its batch is handed out.
        settling: Seconds for the result of each trial, one by one.
    """

    proposing: float
    preparing: float
    settling: Times

    @property
    def seconds(self) -> float:
        """For each trial, all in all."""
        return self.proposing + self.preparing + float(self.settling.mean())


def in_memory() -> Record:
    """A record that no disk slows down."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(TABLES)
    return Record(Path("in memory"), connection)


def on_disk(folder: Path) -> Record:
    """A record as every run has it."""
    return Record.create(folder / "record.sqlite", "scaling", "", "?", {}, ("psnr", "params"))


def drive(
    study: Study, record: Record, trials: int, batch: int, messages: int = 0, first: int = 0
) -> Driven:
    """Have our code run a study of so many trials, with simulated workers."""
    runs = Simulated(_result(), messages)
    context = Context(
        study=study,
        place=RunFolder(Path("nowhere")),
        record=record,
        device="cpu",
        data={study.mix(study.at(0)).task.data: "0" * 64},
        engine=runs,
    )
    record.define([*metric_definitions(study.evaluation), *cost_metrics(study.profile, "cpu")])
    trainer = Trainer(context)
    trainer._forecast = lambda todo, workers: None  # type: ignore[method-assign]  # trains a few
    points, proposing = spread_out(study, trials, first), 0.0
    began = time.perf_counter()
    for chunk in iter(lambda: list(islice(points, batch)), []):
        start = time.perf_counter()
        todo = _entered(context, chunk)
        proposing += time.perf_counter() - start
        trainer.train(todo, batch, len(todo))
        print(f"{len(runs.settled)} trials", file=sys.stderr)
    whole = time.perf_counter() - began
    settling, told = np.array(runs.settled), float(np.sum(runs.told))
    preparing = whole - proposing - float(settling.sum()) - told
    return Driven(proposing / trials, preparing / trials, settling)


def spread_out(study: Study, trials: int, first: int = 0) -> Iterator[Point]:
    """So many different points, evenly over the whole space; other ones from another first on."""
    step = study.size // trials
    return (study.at(index * step + first) for index in range(trials))


def fill(record: Record, trials: int) -> None:
    """Put rows of so many trials into a record, as our code would have one by one."""
    result, put = _result(), record._connection.executemany
    keys = [f"f{number:015x}" for number in range(trials)]
    put(
        "INSERT INTO mixes (key, label, spec, baseline) VALUES (?, ?, '{}', 0)",
        zip(keys, keys, strict=True),
    )
    whole = "INSERT INTO trials (key, mix, seed, status, reason, seconds) VALUES "
    whole += "(?, ?, 0, 'done', '', 60)"
    put(whole, (("t" + key, key) for key in keys))
    put(
        "INSERT INTO trial_facts VALUES (?, ?, ?)",
        (("t" + k, n, v) for k in keys for n, v in result.facts.items()),
    )
    for at in range(0, trials, 1000):  # all at once would be counted as memory of ours
        part = keys[at : at + 1000]
        scores = [Measurement("t" + k, n, v) for k in part for n, v in result.values.items()]
        insert_measurements(record._connection, scores)
    put(
        "INSERT INTO curve VALUES (?, ?, ?, ?)",
        (("t" + k, *point) for k in keys for point in result.curve),
    )


def _entered(context: Context, points: Sequence[Point]) -> list[Trial]:
    """A batch as the runner enters it, but for what is counted of each mix."""
    study = context.study
    trials = [context.trial(point, 0) for point in points]
    rows = [mix_row(t.mix, t.label, study.levels(p)) for t, p in zip(trials, points, strict=True)]
    context.record.add_mixes(rows)
    costs = [Measurement(row.key, "params", 1e5) for row in rows]
    for row in costs:
        context.record.add_sitting([row], (), ())
    return trials


def _result() -> TrialResult:
    """As a short trial leaves it: four scores, five points of a curve, no pictures."""
    names = ("psnr", "ssim", "input_psnr", "input_ssim")
    return TrialResult(
        status="done",
        reason="",
        seconds=60.0,
        values=dict.fromkeys(names, 28.0),
        curve=tuple(("loss", step * 80, 0.01) for step in range(1, 6)),
        pictures=(),
        facts={"weights_sha256": "0" * 64},
    )


def busy(settling: Times, workers: int, seconds: float, before: float, trials: int) -> float:
    """What part of simulated workers is busy, in a queue for one driver.

    A worker whose trial is done waits until the driver has taken its result, and all that came
    before it, and has handed it another trial.

    Args:
        settling: Seconds that the driver takes for a result; drawn from at random.
        workers: How many.
        seconds: Of a trial, the median.
        before: Seconds that the driver takes for a trial before it is handed out.
        trials: In all; from the second one of each worker on they count.
    """
    rng = np.random.default_rng(0)
    takes = rng.choice(settling, trials) + before
    lasts = seconds * np.exp(SPREAD * rng.standard_normal(trials + workers))
    waiting = [(float(lasts[number]), number) for number in range(workers)]
    heapq.heapify(waiting)
    driver = first = 0.0
    for number in range(trials):
        ended, worker = heapq.heappop(waiting)
        driver = max(driver, ended) + float(takes[number])
        first = driver if number + 1 == workers else first
        heapq.heappush(waiting, (driver + float(lasts[workers + number]), worker))
    counted = trials - workers
    work = float(lasts[workers : workers + counted].sum())
    return min(1.0, work / ((driver - first) * workers))


def count_mixes(study: Study) -> float:
    """Seconds to count a mix that is new: parameters, MACs, memory."""
    points = list(spread_out(study, COUNTED))
    count_mix(study.mix(points[0]), study.profile, "cpu")
    began = time.perf_counter()
    for point in points[1:]:
        count_mix(study.mix(point), study.profile, "cpu")
    return (time.perf_counter() - began) / (COUNTED - 1)


def read_back(study: Study, record: Record, batch: int) -> float:
    """Seconds until a search has seen what became of a batch, in a record of this size."""
    data: dict[Choice, str] = {study.mix(study.at(0)).task.data: "0" * 64}
    place = RunFolder(Path("nowhere"))
    context = Context(study=study, place=place, record=record, device="cpu", data=data)
    proposals = [Proposal(point) for point in spread_out(study, batch)]
    trials = [context.trial(proposal.point, 0) for proposal in proposals]
    began = time.perf_counter()
    Sight(study, record, Costs(study, record)).of(proposals, trials)
    return time.perf_counter() - began


def tell(study: Study) -> float:
    """Seconds that the driver takes for a message of a worker, with a silent listener."""
    record, runs = in_memory(), 20
    began = time.perf_counter()
    plain = drive(study, record, 200, 200)
    between = time.perf_counter()
    drive(study, in_memory(), 200, 200, messages=runs)
    del plain
    return max(0.0, (time.perf_counter() - between) - (between - began)) / (200 * runs)


def main() -> None:
    """Drive, simulate, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1_000_000, help="in the record in memory")
    parser.add_argument("--driven", type=int, default=5000, help="trials that our code drives")
    parser.add_argument("--batch", type=int, default=1000, help="trials of a batch")
    parser.add_argument("--disk", type=int, default=2000, help="trials in the record on disk")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the result is written")
    chosen = parser.parse_args()
    study, record = many_mixes(), in_memory()
    driven = drive(study, record, chosen.driven, chosen.batch)
    fill(record, chosen.trials)
    full = drive(study, record, chosen.batch, chosen.batch, first=1)
    back = read_back(study, record, chosen.batch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with tempfile.TemporaryDirectory() as folder, on_disk(Path(folder)) as kept:
        disk = drive(study, kept, chosen.disk, chosen.disk)
    before = driven.proposing + driven.preparing
    slots = [
        {
            "workers": w,
            "seconds": s,
            "busy": busy(disk.settling, w, s, before, max(8 * w, chosen.trials)),
        }
        for s in SECONDS
        for w in WORKERS
    ]
    result = {
        "machine": describe(),
        "trials": chosen.trials,
        "batch": chosen.batch,
        "memory": {"trials": chosen.driven, **_words(driven)},
        "full": {"trials": chosen.trials, **_words(full)},
        "disk": {"trials": chosen.disk, **_words(disk)},
        "message": tell(study),
        "count": count_mixes(study),
        "read back": {"trials": chosen.trials, "batch": chosen.batch, "seconds": back},
        "peak memory": peak,
        "busy": slots,
    }
    show(result)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {chosen.out}")


def _words(driven: Driven) -> dict[str, float]:
    kept = dataclasses.asdict(driven)
    return {
        "proposing": kept["proposing"],
        "preparing": kept["preparing"],
        "settling": float(driven.settling.mean()),
        "settling, slowest of 100": float(np.quantile(driven.settling, 0.99)),
        "trials a second": 1 / driven.seconds,
    }


def show(result: dict[str, object]) -> None:
    """The figures in a few lines."""
    for place in ("memory", "full", "disk"):
        found = result[place]
        assert isinstance(found, dict)
        parts = (f"{name} {1e3 * found[name]:.2f} ms" for name in ("proposing", "preparing"))
        settling = f"settling {1e3 * found['settling']:.2f} ms"
        print(f"{place}: {', '.join(parts)}, {settling}: {found['trials a second']:.0f} trials/s")
    print(f"a message: {1e6 * float(str(result['message'])):.0f} us")
    print(f"a new mix is counted in {float(str(result['count'])):.2f} s")
    slots = result["busy"]
    assert isinstance(slots, list)
    for slot in slots:
        print(
            f"{slot['workers']:6d} workers, {slot['seconds']:4.0f} s: {100 * slot['busy']:5.1f} %"
        )


if __name__ == "__main__":
    main()
