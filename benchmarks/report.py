"""How long a report takes, and how large its page is, of 200 mixes and of 100,000 trials.

    python -m benchmarks.report [--only small large] [--repeats 5] [--profile]

Records are made up; every file of the report is written, pictures of its figures included. Each
time is that of a fresh process, without starting Python and importing; a second process that the
report starts counts whole. Times are medians of the repetitions, with the least and the most.
Writes benchmarks/results/report.json and prints it.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ablate.profiling.machine import describe
from tests.simulated_large import Large, simulate_large
from tests.simulated_run import simulate

RESULT = Path(__file__).parent / "results" / "report.json"
LARGE = {
    "100,000 trials: 33,334 mixes, 3 seeds": Large(33_334, 3, losses=20, samples=True),
    "100,000 trials: 20,000 mixes, 5 seeds": Large(20_000, 5, losses=20, samples=True),
}
SMALL = "200 mixes, 3 seeds, no pictures"
TIMES = ("seconds", "CPU seconds", "of these, analysis")
COUNTS = {"stage1": 5, "stage2": 8, "stage3": 5}

Json = dict[str, Any]


def main() -> None:
    """Measure each record in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=["small", "large"], default=["small", "large"])
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="fresh processes")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        print(json.dumps(measured(options.record, profile=options.profile)))
        return
    found: Json = {"machine": describe(), "reports": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in records(Path(folder), options.only):
            times = 1 if options.profile else options.repeats
            found["reports"][name] = repeated(path, times, profile=options.profile)
            print(name, json.dumps(found["reports"][name], indent=1), flush=True)
    if options.only == ["small", "large"] and not options.profile:
        RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def records(folder: Path, only: list[str]) -> list[tuple[str, Path]]:
    """The records to write reports of."""
    found = []
    if "small" in only:
        found.append((SMALL, simulate(folder / "small", COUNTS, seeds=3, pictures=False)))
    if "large" in only:
        for number, (name, large) in enumerate(LARGE.items()):
            found.append((name, simulate_large(folder / f"large{number}", large)))
    return found


def measured(record: Path, *, profile: bool = False) -> Json:
    """Write the report of a record once, and say what that took."""
    from reports.build import sections, write_report

    watch = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        began, worked = time.perf_counter(), _processor_time()
        if profile:
            watch.enable()
        files = write_report(record, folder)
        watch.disable()
        seconds, worked = time.perf_counter() - began, _processor_time() - worked
        sizes = {name: path.stat().st_size for name, path in files.items()}
    if profile:
        pstats.Stats(watch, stream=sys.stderr).sort_stats("cumulative").print_stats(60)
    began = time.perf_counter()
    sections(record)
    return {
        "seconds": round(seconds, 2),
        "CPU seconds": round(worked, 2),
        "of these, analysis": round(time.perf_counter() - began, 2),
        "page, bytes": sizes["report.html"],
        "bytes": sizes,
        "record, bytes": record.stat().st_size,
        "memory, MiB": round(_memory(resource.RUSAGE_SELF)),
        "memory of the second process, MiB": round(_memory(resource.RUSAGE_CHILDREN)),
    }


def _processor_time() -> float:
    """Of this process and those that it saw end."""
    times = os.times()
    return sum(times[:4])


def _memory(of: int) -> float:
    """The most that was resident, in MiB."""
    return resource.getrusage(of).ru_maxrss / 1024


def repeated(record: Path, times: int, *, profile: bool = False) -> Json:
    """What fresh processes say of one record: medians of their times, the last of all else."""
    said = [_apart(record, profile=profile) for _ in range(times)]
    found = dict(said[-1])
    for name in TIMES:
        found[name] = round(statistics.median(each[name] for each in said), 2)
    seconds = [each["seconds"] for each in said]
    return {"repetitions": times, "least and most seconds": [min(seconds), max(seconds)], **found}


def _apart(path: Path, *, profile: bool) -> Json:
    command = [sys.executable, "-m", "benchmarks.report", "--record", str(path)]
    done = subprocess.run(
        [*command, *["--profile"] * profile], check=True, stdout=subprocess.PIPE, text=True
    )
    found: Json = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
