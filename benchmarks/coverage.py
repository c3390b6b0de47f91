"""How often the report's 95 % intervals hold the truth, in simulated studies whose truth is known.

    python -m benchmarks.coverage [--studies 1000] [--workers 2] [--out FILE]

A simulated study has choices with effects of their own, on request choices that do something else
together, a shift of each seed that all mixes share, and noise of each trial. All combinations are
tried, or half of them drawn at random, or those that a search by mutation came to: it starts with
mixes drawn at random and goes on with changed copies of the best, judged by their noisy values.

Counted is how many intervals hold the truth, which is the mean over every combination of levels,
tried or not: the effect of each level, the difference of each two levels (swap), and what each two
levels do together (interaction). And how often a study without any effect claims one. Two minutes
on two cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import product, repeat
from pathlib import Path

import numpy as np

from reports.analysis.design import Design
from reports.analysis.effects import effects_of
from reports.analysis.estimates import Values, of_trials
from reports.analysis.interactions import interactions
from reports.analysis.statistics import Numbers
from reports.analysis.swaps import swaps

RESULTS = Path(__file__).parent / "results" / "coverage.json"
EFFECT = 0.10  # dB, standard deviation of what a level does
TOGETHER = 0.06  # dB, of what two levels do together
NOISE = 0.05  # dB, of one trial
SHIFT = 0.10  # dB, of what a seed adds for all mixes alike
FAVOUR = 0.03  # dB, of what a seed adds for one level
TRIED = 48  # mixes of a search
FIRST = 16  # of them drawn at random
BATCH = 8


@dataclass(frozen=True)
class Scenario:
    """A sort of study.

    Args:
        name: full, half or searched: which combinations are tried.
        sizes: Levels of each axis.
        seeds: How many each mix is trained with.
        interacting: Whether two levels do something else together.
        favouring: Whether seeds favour levels.
        uneven: Whether trials with the first level of the first axis are twice as noisy.
        effects: Whether choices do anything.
    """

    name: str
    sizes: tuple[int, ...]
    seeds: int
    interacting: bool
    favouring: bool = False
    uneven: bool = False
    effects: bool = True


@dataclass
class Count:
    """Intervals that hold the truth, and how many there are."""

    hits: int = 0
    of: int = 0

    def add(self, hit: bool) -> None:
        """Count one more."""
        self.hits += hit
        self.of += 1

    @property
    def share(self) -> float | None:
        """Of those that hold; None without any."""
        return round(self.hits / self.of, 4) if self.of else None


@dataclass
class Coverage:
    """What one scenario came to."""

    effects: Count = field(default_factory=Count)
    swaps: Count = field(default_factory=Count)
    interactions: Count = field(default_factory=Count)
    claims: Count = field(default_factory=Count)  # studies that claim a swap
    interplay: Count = field(default_factory=Count)  # studies that claim an interaction


SIZES = {"full": (3, 3, 2), "half": (3, 3, 2, 2), "searched": (4, 4, 4, 3)}
SCENARIOS = (
    *(
        Scenario(name, SIZES[name], seeds, interacting)
        for name, seeds, interacting in product(SIZES, (3, 5), (False, True))
    ),
    Scenario("full", SIZES["full"], 3, True, favouring=True),
    Scenario("full", SIZES["full"], 3, True, uneven=True),
    *(Scenario(name, SIZES[name], 3, False, effects=False) for name in ("full", "searched")),
)


@dataclass(frozen=True)
class Truth:
    """What every combination is worth, tried or not.

    Args:
        grid: (combinations, axes) levels.
        values: (combinations,).
        mains: Of each axis (levels,), adding up to zero.
        pairs: Of each two axes (levels, levels), rows and columns adding up to zero.
    """

    grid: np.ndarray
    values: Numbers
    mains: tuple[Numbers, ...]
    pairs: dict[tuple[int, int], Numbers]


def truth(scenario: Scenario, rng: np.random.Generator) -> Truth:
    """Draw what choices do."""
    sizes = scenario.sizes
    grid = np.array(list(product(*map(range, sizes))))
    mains = tuple(_centred(rng.normal(0.0, EFFECT * scenario.effects, size)) for size in sizes)
    pairs = {}
    for first in range(len(sizes)):
        for second in range(first + 1, len(sizes)):
            table = rng.normal(0.0, TOGETHER * scenario.interacting, (sizes[first], sizes[second]))
            pairs[first, second] = _centred(_centred(table).T).T
    values = 28.0 + sum(main[grid[:, axis]] for axis, main in enumerate(mains))
    values = values + sum(pairs[a, b][grid[:, a], grid[:, b]] for a, b in pairs)
    return Truth(grid, values, mains, pairs)


def trained(
    scenario: Scenario, values: Numbers, grid: np.ndarray, rng: np.random.Generator
) -> Numbers:
    """(combinations, seeds): what training would come to."""
    noise = np.full(len(values), NOISE)
    if scenario.uneven:
        noise[grid[:, 0] == 0] *= 2.0
    trials = values[:, None] + rng.normal(0.0, 1.0, (len(values), scenario.seeds)) * noise[:, None]
    trials = trials + rng.normal(0.0, SHIFT, scenario.seeds)
    if scenario.favouring:
        for axis, size in enumerate(scenario.sizes):
            trials = trials + rng.normal(0.0, FAVOUR, (size, scenario.seeds))[grid[:, axis]]
    return trials


def tried(
    scenario: Scenario, grid: np.ndarray, trials: Numbers, rng: np.random.Generator
) -> np.ndarray:
    """Which combinations are tried, as rows of the grid."""
    if scenario.name == "full":
        return np.arange(len(grid))
    if scenario.name == "half":
        return np.sort(rng.permutation(len(grid))[: len(grid) // 2])
    return _searched(scenario, grid, trials.mean(axis=1), rng)


def _searched(
    scenario: Scenario, grid: np.ndarray, seen: Numbers, rng: np.random.Generator
) -> np.ndarray:
    """A search by mutation: changed copies of the best, judged by their noisy values."""
    number = {tuple(point): row for row, point in enumerate(grid.tolist())}
    found = rng.permutation(len(grid))[:FIRST].tolist()
    while len(found) < TRIED:
        best = sorted(found, key=lambda row: -seen[row])[:BATCH]
        for _ in range(BATCH):
            point = grid[best[rng.integers(len(best))]].copy()
            for _ in range(1 + rng.integers(2)):
                axis = rng.integers(len(point))
                point[axis] = rng.integers(scenario.sizes[axis])
            row = number[tuple(point.tolist())]
            if row not in found and len(found) < TRIED:
                found.append(row)
    return np.array(found)


def study(scenario: Scenario, rng: np.random.Generator) -> tuple[Truth, Values]:
    """One simulated study."""
    drawn = truth(scenario, rng)
    trials = trained(scenario, drawn.values, drawn.grid, rng)
    rows = tried(scenario, drawn.grid, trials, rng)
    axes = tuple(f"axis{at}" for at in range(len(scenario.sizes)))
    levels = tuple(tuple(map(str, range(size))) for size in scenario.sizes)
    return drawn, of_trials(Design(axes, levels, drawn.grid[rows]), trials[rows])


def coverage(scenario: Scenario, studies: int, seed: int = 0) -> Coverage:
    """Simulate so many studies and hold their intervals against the truth."""
    found = Coverage()
    for number in range(studies):
        drawn, measured = study(scenario, np.random.default_rng([seed, number]))
        _count(drawn, measured, found)
    return found


def _count(drawn: Truth, measured: Values, found: Coverage) -> None:
    for effect in effects_of("", measured).effects:
        true = drawn.mains[_axis(effect.axis)][int(effect.level)]
        found.effects.add(effect.low <= true <= effect.high)
    table = swaps(measured)
    for swap in table:
        main = drawn.mains[_axis(swap.axis)]
        true = main[int(swap.after)] - main[int(swap.before)]
        found.swaps.add(swap.low <= true <= swap.high)
    judged = interactions(measured)
    for pair in judged.pairs:
        cells = drawn.pairs[_axis(pair.axes[0]), _axis(pair.axes[1])]
        for row, truths in zip(pair.cells, cells, strict=True):
            for cell, true in zip(row, truths, strict=True):
                found.interactions.add(cell.low <= true <= cell.high)
    found.claims.add(any(swap.claimed for swap in table))
    found.interplay.add(any(pair.interacts for pair in judged.pairs))


def _axis(name: str) -> int:
    return int(name.removeprefix("axis"))


def _centred(table: Numbers) -> Numbers:
    """Less the mean over the first axis."""
    centred: Numbers = table - table.mean(axis=0)
    return centred


def _row(scenario: Scenario, studies: int) -> dict[str, object]:
    found = coverage(scenario, studies)
    covered = {name: getattr(found, name).share for name in ("effects", "swaps", "interactions")}
    said = {"a_swap": found.claims.share, "an_interaction": found.interplay.share}
    return {**asdict(scenario), "covered": covered, "studies_that_claim": said}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate every scenario and write what came of it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="of each scenario")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    rows = []
    with ProcessPoolExecutor(options.workers) as workers:
        for row in workers.map(_row, SCENARIOS, repeat(options.studies)):
            rows.append(row)
            sys.stderr.write(f"{json.dumps(row)}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    facts = {"studies": options.studies, "level": 0.95, "numpy": np.__version__}
    facts |= {"python": platform.python_version()}
    options.out.write_text(json.dumps({**facts, "scenarios": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
