"""How well latency repeats: one network after the other, or in interleaved rounds.

    python -m benchmarks.latency_repeatability [--measurements 3] [--rounds 30] [--processes 3]
        [--size 64] [--mixes 25] [--only-ours] [--busy] [--neighbours N] [--out FILE]

The mixes of a study, four families in two stages, are measured several times over, each time in
fresh processes and in every way in turn, so that all ways meet the same machine. Every way has the
same number of timed visits to each network. Two measurements of one way are held against each
other: by how much ratios of two networks' times differ, and how alike they rank the networks
(Kendall's tau; once as the numbers stand, once with pairs that are not separable as ties).
Ten minutes on a machine that does nothing else. --only-ours leaves the other ways out, to see what
more rounds gain.

With --busy, one measurement is made first while nothing else runs, then others beside neighbours
that keep every core busy; what they say is held against the quiet one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

from ablate.mix import Mix
from ablate.profile import Profile
from ablate.profiling.machine import describe, load
from ablate.study import Study, load_study
from benchmarks.repeatability import (
    Agreement,
    Measurement,
    agreement,
    busy,
    interleaved,
    sequential,
)

BLOCKS = ["nafblock", "rdcnn", "emvm", "mwsa", "lama"]
STUDY = {
    "name": "latency_repeatability",
    "question": "Does a second measurement say the same as the first?",
    "task": {"degradation": "gaussian_noise", "sigma": 25},
    "network": {"topology": "unet", "width": 16, "stage": [{"block": BLOCKS}, {"block": BLOCKS}]},
}
SEQUENTIAL, ALLOCATOR, OURS = "sequential", "sequential, steady allocator", "interleaved (ours)"
RESULTS = Path(__file__).parent / "results"


def repeated(
    ways: dict[str, Callable[[], Measurement]], count: int
) -> dict[str, list[Measurement]]:
    """Every way in turn, so many times over."""
    found: dict[str, list[Measurement]] = {way: [] for way in ways}
    for number in range(count):
        for way, measure in ways.items():
            found[way].append(measure())
            wall, flagged = found[way][-1].wall, found[way][-1].flagged
            print(
                f"{number + 1}/{count} {way}: {wall:.0f} s, {flagged:.0%} disturbed",
                file=sys.stderr,
            )
    return found


def show(rows: dict[str, Agreement]) -> None:
    """A table, a line for each way."""
    print(f"{'':32} ratio error: median    95 %     max |   tau, ties as ties | apart  inverted")
    for way, row in rows.items():
        print(
            f"{way:32} {row.error_median:19.2%} {row.error_p95:7.2%} {row.error_max:7.2%} | "
            f"{row.tau:5.3f} {row.tau_ties:13.3f} | {row.apart:5.0%} {row.inverted:9.2%}"
        )


def settings_of(arguments: argparse.Namespace) -> tuple[Study, list[Mix], Profile]:
    """The study, as many of its mixes as were asked for, and how they are measured."""
    study = load_study(STUDY)
    mixes = [study.mix(point) for point in study.points()][: arguments.mixes]
    profile = Profile(rounds=arguments.rounds, processes=arguments.processes)
    return study, mixes, profile


def main(given: Sequence[str] | None = None) -> None:
    """Measure in every way, print the comparison and write it down."""
    arguments = _arguments(given)
    study, mixes, profile = settings_of(arguments)
    size, before = (arguments.size, arguments.size), load()
    ways: dict[str, Callable[[], Measurement]] = {
        SEQUENTIAL: lambda: sequential(mixes, size, profile, steady=False),
        ALLOCATOR: lambda: sequential(mixes, size, profile, steady=True),
        OURS: lambda: interleaved(mixes, size, profile),
    }
    if arguments.only_ours:
        ways = {OURS: ways[OURS]}
    if arguments.busy:
        quiet = interleaved(mixes, size, profile)
        with busy(arguments.neighbours):
            found = repeated(ways, arguments.measurements)
        rows = {
            f"{way}, against quiet": agreement([(quiet, each) for each in found[way]])
            for way in ways
        }
        found["quiet"] = [quiet]
    else:
        found, rows = repeated(ways, arguments.measurements), {}
    if arguments.measurements > 1:
        rows |= {way: agreement(list(combinations(found[way], 2))) for way in ways}
    show(rows)
    for text in dict.fromkeys(each.note for each in found[OURS] if each.note):
        print(f"ours says: {text}")
    _write(arguments, study, mixes, before, found, rows)


def _write(
    arguments: argparse.Namespace,
    study: Study,
    mixes: Sequence[Mix],
    before: str,
    found: dict[str, list[Measurement]],
    rows: dict[str, Agreement],
) -> None:
    names = ("measurements", "rounds", "processes", "size", "mixes", "busy")
    settings = {name: getattr(arguments, name) for name in names}
    if arguments.busy:
        settings["neighbours"] = arguments.neighbours
    labels = [study.label(point) for point in study.points()][: len(mixes)]
    runs = {
        way: [
            {
                "seconds": dict(zip(labels, each.seconds.round(7).tolist(), strict=True)),
                "disturbed": each.flagged,
                "note": each.note,
                "wall": round(each.wall, 1),
            }
            for each in measurements
        ]
        for way, measurements in found.items()
    }
    result = {
        "settings": settings,
        "load_before": before,
        "load_after": load(),
        "machine": describe(),
        "ways": {way: _numbers(row) for way, row in rows.items()},
        "runs": runs,
    }
    name = "latency_repeatability_busy.json" if arguments.busy else "latency_repeatability.json"
    path = arguments.out or RESULTS / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {path}")


def _numbers(row: Agreement) -> dict[str, float | None]:
    """As JSON has them: what says nothing is null."""
    return {name: value if value == value else None for name, value in asdict(row).items()}


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measurements", type=int, default=3, help="of each way")
    parser.add_argument("--rounds", type=int, default=30, help="in each process")
    parser.add_argument("--processes", type=int, default=3, help="of one interleaved measurement")
    parser.add_argument("--size", type=int, default=64, help="side of the image, in pixels")
    parser.add_argument("--mixes", type=int, default=25, help="the first so many of the study")
    parser.add_argument("--only-ours", action="store_true", help="leave the other ways out")
    parser.add_argument("--busy", action="store_true", help="beside neighbours that compute")
    parser.add_argument(
        "--neighbours", type=int, default=os.cpu_count() or 1, help="as many as cores, if not said"
    )
    parser.add_argument("--out", type=Path, help="where the result is written")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
