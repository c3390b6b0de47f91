"""What it takes to run a trial that takes no time itself, in processes of its own.

    python -m benchmarks.engine [--trials 300] [--workers 2] [--fresh 6] [--out FILE]

Trials that do nothing go through the engine with a warm server, each in a fork that could train,
and come back as rows of a record, one transaction each; then a few in new interpreters, which load
PyTorch and all that a trial needs each time. Printed and written: seconds until the first trial is
back (the server loads what trials need), and for those after it the trials per second and the time
from one to the next, with and without the record. A quiet machine is assumed; half a minute.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ablate.engines.job import Done, Job
from ablate.engines.local import LocalEngine
from ablate.engines.starting import WARM
from ablate.profiling.machine import describe
from reports.record import MixRow, Record, StageRow, TrialRow

RESULT = Path(__file__).parent / "results" / "engine-cpu.json"
MIX = "0" * 16


@dataclass(frozen=True)
class Row:
    """What was found of one way of running trials.

    Args:
        way: How they ran.
        trials: How many, after the first.
        first: Seconds until the first was back.
        rate: Trials per second, of those after it.
        median: Seconds from one to the next, times workers: what a trial takes of a worker.
        worst: The longest such time.
    """

    way: str
    trials: int
    first: float
    rate: float
    median: float
    worst: float


def measure(
    way: str, trials: int, workers: int, *, fresh: bool, keep: Callable[[str], object]
) -> Row:
    """Run trials that do nothing.

    Args:
        way: Names the row.
        trials: How many are timed; as many more as there are workers go first.
        workers: Processes at a time.
        fresh: In new interpreters.
        keep: Called with the name of each trial that is back.
    """
    module = "benchmarks.free_trial"
    jobs = [
        Job(name=f"{number:016x}", function=f"{module}:free", payload=not fresh, fresh=fresh)
        for number in range(trials + workers)
    ]
    began, back = time.perf_counter(), list[float]()
    with closing(LocalEngine(modules=(*WARM, module))) as engine:
        for event in engine(jobs, workers):
            if not isinstance(event, Done):
                raise SystemExit(f"a trial that does nothing failed: {event}")
            keep(event.job.name)
            back.append(time.perf_counter())
    timed = back[workers - 1 :]
    steps = [later - before for before, later in itertools.pairwise(timed)]
    return Row(
        way,
        trials,
        back[0] - began,
        len(steps) / (timed[-1] - timed[0]),
        statistics.median(steps) * workers,
        max(steps) * workers,
    )


@contextmanager
def recording() -> Iterator[Callable[[str], object]]:
    """Enter trials into a record of its own, as a run does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.sqlite"
        with closing(Record.create(path, "free", "", "What does a trial take?", {}, ())) as record:
            stage = StageRow("stage1", "nothing", "none", 0)
            record.add_mixes([MixRow(MIX, "nothing", "{}", {}, (stage,))])
            yield lambda key: record.add_trial(TrialRow(key, MIX, int(key, 16), "done"))


def rows(trials: int, workers: int, fresh: int) -> Iterator[Row]:
    """Each way in turn."""
    forks = "forks of a warm server"
    yield measure(forks, trials, workers, fresh=False, keep=lambda key: None)
    with recording() as keep:
        yield measure(f"{forks}, recorded", trials, workers, fresh=False, keep=keep)
    if fresh:
        yield measure("new interpreters", fresh, workers, fresh=True, keep=lambda key: None)


def line(row: Row) -> str:
    """A row as text."""
    return (
        f"{row.way:<34} first after {row.first:5.2f} s, then {row.rate:7.1f} trials/s; "
        f"a worker's {1e3 * row.median:.1f} ms each (worst {1e3 * row.worst:.1f} ms)"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=300, help="that are timed")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--fresh", type=int, default=6, help="in new interpreters; 0 for none")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the result is written")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    chosen = _arguments()
    found = []
    for row in rows(chosen.trials, chosen.workers, chosen.fresh):
        print(line(row), flush=True)
        found.append(row)
    result = {
        "machine": describe(),
        "workers": chosen.workers,
        "rows": [asdict(row) for row in found],
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
