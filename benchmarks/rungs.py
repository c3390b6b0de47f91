"""Rungs on a made-up table: what they save, and how much of the front they leave behind.

    python -m benchmarks.rungs [--repeats N] [--out FILE]

256 mixes, each with a learning curve of its own that falls to its end at its own pace, so that the
order at a rung is not quite that of the end, and seeds that scatter. Three rules go over the same
tables: every mix to its end; halving by Pareto rank alone; and ours, which keeps what is not
beaten with confidence. No training: about a minute.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.mix import Choice
from ablate.searches import Goal, Point, Proposal, Seen
from ablate.searches.dominance import beaten_by, goals_of
from ablate.searches.proposing import proposals
from ablate.searches.rungs import at_rung
from ablate.searches.schedule import Schedule, SearchPlan, furthest
from benchmarks.searches import DIRECTIONS, GOALS, Table, modelled
from reports.analysis.pareto import front
from reports.analysis.volume import hypervolume

RESULT = Path(__file__).parent / "results" / "rungs.json"
STEPS = 400
RUNGS = (50, 100, 200)
KEEP = 0.5
SCATTER = 0.05  # dB, of a seed with one mix at the end; with all mixes alike twice that

Next = Callable[[Sequence[Seen], SearchPlan], list[Proposal]]


@dataclass(frozen=True)
class Learner:
    """Trains the mixes of a table: a curve to its end value, with seeds that scatter.

    Args:
        table: PSNR at the end and MACs.
        seed: Fixes curves and scatter.
        seeds: Trials of each mix.
    """

    table: Table
    seed: int
    seeds: int

    def train(self, proposal: Proposal) -> Seen:
        """What becomes of a proposal."""
        point, n = proposal.point, proposal.seeds or self.seeds
        psnr, macs = self.table.values[point]
        own = np.random.default_rng([self.seed, *point])
        depth, pace = own.uniform(2.0, 4.0), own.uniform(60.0, 120.0)  # dB, steps
        luck = own.normal(0.0, 1.0, 8)[:n]
        shared = np.random.default_rng(self.seed).normal(0.0, 1.0, 8)[:n]  # all mixes alike
        left = math.exp(-(proposal.until or STEPS) / pace)
        values = psnr - depth * left + SCATTER * (1.0 + left) * (luck + 2.0 * shared)
        return Seen(
            point=point,
            key=self.table.space.mix(point).key,
            status="partial" if proposal.until else "done",
            values={"psnr": float(values[: self.seeds].mean()), "macs": macs},
            rung=proposal.until,
            n=min(n, self.seeds),
            scores={"psnr": dict(enumerate(values.tolist()))},
        )


def to_the_end(seen: Sequence[Seen], plan: SearchPlan) -> list[Proposal]:
    """Every mix goes on from every rung."""
    return [
        Proposal(row.point, until=plan.schedule.after(row.rung))
        for row in furthest(seen)
        if row.rung
    ]


def halving(seen: Sequence[Seen], plan: SearchPlan) -> list[Proposal]:
    """Of the mixes at a rung the best part by Pareto rank, and no other."""
    found = []
    for rung in plan.schedule.rungs:
        rows, now = at_rung(seen, rung), {row.key: row for row in furthest(seen)}
        ranks = beaten_by(goals_of(rows, plan))
        order = sorted(range(len(rows)), key=lambda at: ranks[at])[: math.ceil(KEEP * len(rows))]
        kept = [rows[at] for at in sorted(order) if now[rows[at].key].rung == rung]
        found += [Proposal(row.point, until=plan.schedule.after(rung)) for row in kept]
    return found


def go(learner: Learner, rule: Next | None) -> list[Seen]:
    """A grid over rungs by a rule; ours where none is given."""
    goals = (Goal("psnr", "higher"), Goal("macs", "lower"))
    plan = SearchPlan(
        search=Choice.of("grid"),
        goals=goals,
        seeds=learner.seeds,
        schedule=Schedule(rungs=RUNGS, keep=KEEP),
    )
    seen = list[Seen]()
    while True:
        batch = rule(seen, plan) if rule and seen else proposals(learner.table.space, seen, plan)
        if not batch:
            return seen
        seen += [learner.train(proposal) for proposal in batch]


def judged(learner: Learner, seen: Sequence[Seen]) -> dict[str, float]:
    """Steps, what is left of the true front, and what part of its hypervolume was found."""
    points, values = list(learner.table.values), np.array(list(learner.table.values.values()))
    best = {point for point, on in zip(points, front(values, DIRECTIONS), strict=True) if on}
    ended: list[Point] = [row.point for row in seen if not row.rung]
    worst = [float(values[:, 0].min()), float(values[:, 1].max())]
    found = np.array([learner.table.values[point] for point in ended])
    volumes = [hypervolume(each, DIRECTIONS, worst) for each in (found, values)]
    return {
        "steps": _steps(seen) / (STEPS * len(points) * learner.seeds),
        "front": len(best & set(ended)) / len(best),
        "hypervolume": volumes[0] / volumes[1],
    }


def _steps(seen: Sequence[Seen]) -> int:
    """Training steps of all trials; what rested went on from where it was."""
    done: dict[tuple[str, int], int] = {}
    for row in seen:
        for seed in range(row.trials):
            done[row.key, seed] = max(done.get((row.key, seed), 0), row.rung or STEPS)
    return sum(done.values())


def measure(repeats: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Mean, least and greatest of each figure, by seeds and rule."""
    rules: dict[str, Next | None] = {"all": to_the_end, "halving": halving, "ours": None}
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for seeds in (1, 3):
        for name, rule in rules.items():
            learners = [Learner(modelled(seed), seed, seeds) for seed in range(repeats)]
            figures = [judged(learner, go(learner, rule)) for learner in learners]
            found.setdefault(f"seeds {seeds}", {})[name] = {
                what: _summary([figure[what] for figure in figures]) for what in figures[0]
            }
    return found


def _summary(values: Sequence[float]) -> list[float]:
    return [round(f(values), 4) for f in (statistics.fmean, min, max)]


def main() -> None:
    """Write and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=20, help="tables (default: 20)")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    result = {
        "goals": GOALS,
        "mixes": 256,
        "steps": STEPS,
        "rungs": RUNGS,
        "keep": KEEP,
        "scatter_dB": SCATTER,
        "repeats": options.repeats,
        "figures": "mean, least, greatest over repeats",
        "found": measure(options.repeats),
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["found"], indent=2))


if __name__ == "__main__":
    main()
