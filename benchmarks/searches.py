"""Searches on tables: how many different mixes they try, and how soon they have found the front.

    python -m benchmarks.searches [--asked N] [--repeats N] [--study FILE --record FILE]
                                  [--out FILE]

Three questions. How many different mixes are among 200 that are asked of a space of 256, ours
beside Optuna as it comes? What part of the whole front's hypervolume is found after so many
trials, each search over the same table, with other seeds? How long does it take to read and check
a study of more than 10^9 mixes, and to count the different ones? The table is a model of 4 stages
with 4 blocks each, or the mixes of a grid that was run: its study and its record. Some minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from ablate.mix import Choice
from ablate.profiling.machine import describe
from ablate.searches import Point, Seen, Space, propose
from ablate.searches.bare import Bare
from ablate.searches.counting import different_mixes
from ablate.study import Study, load_study
from reports.analysis.statistics import t_quantile
from reports.analysis.volume import hypervolume
from reports.record import Record

RESULT = Path(__file__).parent / "results" / "searches.json"
GOALS = ("psnr", "macs")
DIRECTIONS = ("higher", "lower")
LEVELS = (4, 4, 4, 4)
MARKS = (20, 40, 80, 120, 160, 200)
READINGS = 5

Values = Mapping[Point, tuple[float, float]]  # PSNR in dB, MACs
Search = Callable[["Table", int, int], list[Point]]  # (table, trials, seed) -> in their order


@dataclass(frozen=True, kw_only=True)
class Table:
    """A space of which everything is known.

    Args:
        words: Where it comes from.
        space: What may be proposed.
        values: What would be measured at each point.
    """

    words: str
    space: Space
    values: Values


def modelled(seed: int = 0) -> Table:
    """A made-up space: what a block brings adds up over the stages, pairs of stages interact.

    Blocks that bring more cost more, with exceptions; 0.05 dB are luck. A stage costs half of what
    the one before it does, as blocks do that are linear in pixels and channels.
    """
    draw = np.random.default_rng(seed)
    cost = np.sort(draw.uniform(0.2, 2.0, (4, 4)), axis=1) * 1e9 / 2.0 ** np.arange(4)[:, None]
    own = np.sort(draw.uniform(0, 1.0, (4, 4)), axis=1) + draw.normal(0, 0.15, (4, 4))
    pairs = draw.normal(0, 0.15, (4, 4, 4, 4))
    values = {}
    for point in Bare(LEVELS).points():
        psnr = 26 + sum(own[stage, block] for stage, block in enumerate(point))
        psnr += sum(pairs[a, b, point[a], point[b]] for a in range(4) for b in range(a))
        macs = sum(cost[stage, block] for stage, block in enumerate(point))
        values[point] = (float(psnr + draw.normal(0, 0.05)), float(macs))
    return Table(words="additive effects with interactions", space=Bare(LEVELS), values=values)


def recorded(study: str, record: Path) -> Table:
    """The mixes of a grid that was run, with the means over their seeds."""
    asked = load_study(study)
    with Record.open(record) as opened:
        measured, trials = opened.measurements(), opened.trials()
    owner = dict(zip(trials["key"], trials["mix"], strict=True))
    measured["mix"] = measured["subject"].map(lambda subject: owner.get(subject, subject))
    means = measured.groupby(["mix", "metric"])["value"].mean()
    values = {}
    for point in asked.points():
        key = asked.mix(point).key
        if (key, GOALS[0]) in means and (key, GOALS[1]) in means:
            values[point] = (float(means[key, GOALS[0]]), float(means[key, GOALS[1]]))
    if len(values) < asked.size:
        raise SystemExit(f"{record}: only {len(values)} of {asked.size} mixes were measured")
    return Table(words=f"{asked.name}, as it was run", space=asked, values=values)


def ours(name: str, **settings: int) -> Search:
    """One of our strategies."""

    def search(table: Table, trials: int, seed: int) -> list[Point]:
        choice = Choice.of(name, {**settings, "n": trials, "seed": seed})
        seen = list[Seen]()
        while batch := propose(table.space, seen, choice):
            for point in batch:
                values = dict(zip(GOALS, table.values[point], strict=True))
                key = table.space.mix(point).key
                seen.append(Seen(point=point, key=key, status="done", values=values))
        return [row.point for row in seen]

    return search


def bare(sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Search:
    """Optuna by itself: asked and told one after the other, whatever it repeats."""

    def search(table: Table, trials: int, seed: int) -> list[Point]:
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler(seed))
        axes = {
            f"axis {k}": optuna.distributions.CategoricalDistribution(tuple(range(len(a.labels))))
            for k, a in enumerate(table.space.axes)
        }
        asked = []
        for _ in range(trials):
            trial = study.ask(axes)
            point = tuple(trial.params[name] for name in axes)
            study.tell(trial, table.values[point])
            asked.append(point)
        return asked

    return search


SEARCHES: Mapping[str, Search] = {
    "random": ours("random"),
    "tpe": ours("tpe", batch=8),
    "nsga2": ours("nsga2", batch=16),
    "Optuna random": bare(lambda seed: optuna.samplers.RandomSampler(seed=seed)),
    "Optuna TPE": bare(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "Optuna NSGA-II": bare(lambda seed: optuna.samplers.NSGAIISampler(seed=seed)),
}


def found_by(table: Table, points: Sequence[Point]) -> list[float]:
    """The part of the whole front's hypervolume that is found after each trial."""
    everything = np.array(list(table.values.values()))
    corner = (float(everything[:, 0].min()), float(everything[:, 1].max()))
    whole = hypervolume(everything, DIRECTIONS, corner)
    parts, known = list[float](), set[Point]()
    for point in points:
        if point not in known:
            known.add(point)
            so_far = np.array([table.values[one] for one in known])
            volume = hypervolume(so_far, DIRECTIONS, corner)
        parts.append(volume / whole)
    return parts


def compare(table: Table, asked: int, repeats: int) -> dict[str, dict[str, Any]]:
    """Every search with so many seeds."""
    found = {}
    for name, search in SEARCHES.items():
        began, unique, curves = time.perf_counter(), list[int](), list[list[float]]()
        for seed in range(repeats):
            points = search(table, asked, seed)
            unique.append(len({table.space.mix(point).key for point in points}))
            parts = found_by(table, points)
            curves.append(parts + parts[-1:] * (asked - len(parts)))
        took = (time.perf_counter() - began) / repeats
        found[name] = {
            "unique": statistics.mean(unique),
            "fewest unique": min(unique),
            "mean part": _interval([statistics.mean(curve) for curve in curves]),
            **{f"after {mark}": _interval([c[mark - 1] for c in curves]) for mark in _marks(asked)},
            "seconds": took,
        }
        show(name, found[name], asked)
    return found


def _marks(asked: int) -> list[int]:
    return [mark for mark in MARKS if mark <= asked]


def _interval(values: Sequence[float]) -> dict[str, float]:
    """Mean with its 95 % interval over the repeats."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return {"mean": mean}
    half = t_quantile(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return {"mean": mean, "low": mean - half, "high": mean + half}


def huge() -> Study:
    """A study of 2.56 thousand million mixes, read and checked."""
    windows = {"name": "mwsa", "window": [2, 4, 6, 8, 10]}
    blocks = [windows, "rdcnn", "lama", "nafblock", "plain_block", "identity"]
    network = {"width": [8, 16], "stage": [{"block": blocks, "depth": [1, 2]}] * 7}
    return load_study({"question": "?", "task": {"degradation": "haze"}, "network": network})


def read_many() -> dict[str, float]:
    """How long a huge study takes to read, check and count, and how much memory."""
    huge()  # what is imported and built once
    times, counts = list[float](), list[float]()
    for _ in range(READINGS):
        began = time.perf_counter()
        study = huge()
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
        different = different_mixes(study, study.related_axes)
        counts.append(time.perf_counter() - began)
    tracemalloc.start()
    different_mixes(study := huge(), study.related_axes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "points": study.size,
        "different": different or 0,
        "seconds to read": statistics.median(times),
        "seconds to count": statistics.median(counts),
        "peak memory": peak,
    }


def show(name: str, found: Mapping[str, Any], asked: int) -> None:
    """One line of what a search came to."""
    marks = [mark for mark in _marks(asked) if mark in (20, 40, 80, 200)]
    parts = ", ".join(f"{100 * found[f'after {m}']['mean']:.1f} % after {m}" for m in marks)
    whole = 100 * found["mean part"]["mean"]
    print(
        f"{name:>15}: {found['unique']:.1f} of {asked} different; {whole:.1f} % on average; {parts}"
    )


def main() -> None:
    """Search, read, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--asked", type=int, default=200, help="trials of each search")
    parser.add_argument("--repeats", type=int, default=10, help="seeds of each search")
    parser.add_argument("--study", help="whose mixes, with --record")
    parser.add_argument("--record", type=Path, help="of a grid that was run")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the result is written")
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    table = recorded(chosen.study, chosen.record) if chosen.record else modelled()
    searches = compare(table, chosen.asked, chosen.repeats)
    many = read_many()
    print(", ".join(f"{name}: {value:,.3g}" for name, value in many.items()))
    result = {"machine": describe(), "table": table.words, "asked": chosen.asked}
    result |= {"repeats": chosen.repeats, "searches": searches, "many": many}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
