"""Fronts: how fast they are found, and whether what is said of them under chance is true.

    python -m benchmarks.fronts [--studies N] [--out FILE]

Made-up studies with a known truth: mixes whose accuracy and latency are drawn, seeds that scatter,
timings that err. Each study is measured once, and then it is asked who is on the front, who wins
under a budget and how much the front covers. Chances are worth something if of all mixes that were
given 70 % about 70 % really are on the front; intervals of 95 % should hold the truth in 95 % of
the studies. Beside ours stands the paired bootstrap of seeds, the rule that is usual. No training:
about a minute.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.profiling.machine import describe
from reports.analysis.budgets import win_shares, winner
from reports.analysis.knee import knee, knee_shares
from reports.analysis.pareto import Mask, front, fronts
from reports.analysis.redrawing import Costs, Redrawn, Scores, redraw
from reports.analysis.statistics import Numbers, resampled_means
from reports.analysis.volume import covered, hypervolume

RESULT = Path(__file__).parent / "results" / "fronts.json"
POINTS = 100_000
GOALS = ("higher", "lower")
MIXES = 24
SPREAD = 0.3  # dB, standard deviation of the mixes' true means
SCATTER = 0.1  # dB, of one seed beside what mix and seed add
TIMING = 0.01  # relative error of a latency
DRAWS = 400
BINS = 10


@dataclass(frozen=True)
class Study:
    """One made-up study.

    Args:
        truth: (mixes, 2) accuracy and latency.
        seeds: (mixes, seeds) as measured.
        latency: (mixes,) as measured.
    """

    truth: Numbers
    seeds: Numbers
    latency: Numbers

    @property
    def measured(self) -> Numbers:
        """(mixes, 2)."""
        return np.stack([self.seeds.mean(axis=1), self.latency], axis=1)

    @property
    def ends(self) -> tuple[Numbers, Numbers]:
        """The 95 % interval of each latency."""
        half = 1.96 * TIMING * self.latency
        return self.latency - half, self.latency + half


def study(seeds: int, rng: np.random.Generator) -> Study:
    """Dearer mixes are better on average; the seeds shift all mixes alike, too."""
    latency = 5e-3 * np.exp(rng.normal(0, 0.5, MIXES))
    accuracy = 30 + SPREAD * (rng.normal(0, 1, MIXES) + np.log(latency / 5e-3))
    scatter = rng.normal(0, SCATTER, (MIXES, seeds)) + rng.normal(0, 0.2, seeds)
    timed = latency * (1 + TIMING * rng.normal(0, 1, MIXES))
    return Study(np.stack([accuracy, latency], axis=1), accuracy[:, None] + scatter, timed)


def ours(made: Study) -> Redrawn:
    """Draws of the errors of all mixes together."""
    return redraw([Scores.of(made.seeds), Costs(made.latency, *made.ends)], GOALS, DRAWS)


def usual(made: Study) -> Redrawn:
    """The paired bootstrap: the same seeds drawn with replacement for every mix."""
    accuracy = resampled_means(made.seeds, DRAWS, np.random.default_rng(0))
    latency = Costs(made.latency, *made.ends).redrawn(DRAWS, np.random.default_rng(1))
    values = np.stack([accuracy, latency], axis=2)
    return Redrawn(np.arange(MIXES), values, GOALS)


@dataclass(frozen=True)
class Told:
    """What was said of mixes, and whether it was so.

    Args:
        chances: (claims,) between 0 and 1.
        true: (claims,) whether it was so.
    """

    chances: Numbers
    true: Numbers

    def words(self) -> dict[str, object]:
        """Brier score, and what became of claims of about the same chance."""
        at = np.minimum((self.chances * BINS).astype(int), BINS - 1)
        some = [k for k in range(BINS) if (at == k).any()]
        said = [round(float(self.chances[at == k].mean()), 3) for k in some]
        came = [round(float(self.true[at == k].mean()), 3) for k in some]
        off = sum(
            abs(s - c) * float((at == k).mean()) for k, s, c in zip(some, said, came, strict=True)
        )
        return {
            "brier": round(float(((self.chances - self.true) ** 2).mean()), 4),
            "mean distance of what was said from what came true": round(off, 4),
            "said": said,
            "came true": came,
            "claims": np.bincount(at, minlength=BINS)[some].tolist(),
        }


def judge(rule: Callable[[Study], Redrawn], made: Sequence[Study]) -> dict[str, object]:
    """What a rule says of studies, held against the truth."""
    on, wins, knees, inside = [], [], [], []
    for each in made:
        drawn = rule(each)
        on.append(_whole(drawn, drawn.probability, front(each.truth, GOALS)))
        limit = float(np.median(each.truth[:, 1]))
        best = winner(each.truth[:, 0], each.truth[:, 1], limit)
        shares = win_shares(drawn.values[..., 0], drawn.values[..., 1], limit)
        wins.append(_whole(drawn, shares, np.arange(MIXES) == best))
        bends = knee(each.truth, GOALS)
        shares = knee_shares(drawn.values, GOALS, drawn.on_front)
        knees.append(_whole(drawn, shares, np.arange(MIXES) == (-1 if bends is None else bends)))
        inside.append(_inside(each, drawn))
    shares_inside = np.array(inside)
    return {
        "on the front": _all(on).words(),
        "wins under a budget": _all(wins).words(),
        "is the knee": _all(knees).words(),
        "intervals of what the front covers that hold the truth": round(
            float(shares_inside.mean()), 3
        ),
    }


def _whole(drawn: Redrawn, shares: Numbers, true: Mask) -> Told:
    chances = np.zeros(MIXES)
    chances[drawn.at] = shares
    return Told(chances, np.asarray(true, dtype=float))


def _all(told: Sequence[Told]) -> Told:
    chances = np.concatenate([each.chances for each in told])
    return Told(chances, np.concatenate([each.true for each in told]))


def _inside(made: Study, drawn: Redrawn) -> bool:
    """Whether the truth, in the box that was measured, is in the interval."""
    costs = made.measured * np.array([-1.0, 1.0])
    corner, box = costs.max(axis=0), float(np.ptp(costs, axis=0).prod())
    truth = made.truth * np.array([-1.0, 1.0])
    truth = truth + (costs - truth).mean(axis=0) * np.array([1.0, 0.0])  # what seeds add to all
    true = hypervolume(truth, ["lower"] * 2, corner.tolist()) / box
    said = covered(made.measured, GOALS, drawn.values)
    return said.low <= true <= said.high


def seconds(objectives: int, shape: str) -> float:
    """Process time of one front of 100,000 points."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(POINTS, objectives))
    if shape == "all on the front":
        points = np.abs(points) / np.linalg.norm(points, axis=1, keepdims=True)
    start = time.process_time()
    front(points, ["higher"] * objectives)
    return time.process_time() - start


def speed() -> dict[str, float]:
    """How long fronts take."""
    took = {
        f"{objectives} objectives, {shape}": round(seconds(objectives, shape), 3)
        for objectives in (2, 3)
        for shape in ("normal", "all on the front")
    }
    draws = np.random.default_rng(0).normal(size=(1000, 200, 2))
    start = time.process_time()
    fronts(draws, GOALS)
    return took | {"1000 draws of 200 mixes": round(time.process_time() - start, 3)}


def main(words: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--out", type=Path, default=RESULT)
    chosen = parser.parse_args(words)
    result: dict[str, object] = {"machine": describe(), f"{POINTS} points, s": speed()}
    for seeds in (3, 5):
        rng = np.random.default_rng(seeds)
        made = [study(seeds, rng) for _ in range(chosen.studies)]
        for name, rule in (("ours", ours), ("paired bootstrap", usual)):
            result[f"{seeds} seeds, {name}"] = judge(rule, made)
    result["studies"] = chosen.studies
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "machine"}, indent=1))
    print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
