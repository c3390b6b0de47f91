"""Each checkpoint of the training as a judge of the mixes, held against the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.analysis.fidelity import (
    DRAWS,
    FEWEST,
    MOST_PAIRED,
    Agreement,
    Overlap,
    agreement,
    bands,
    between_seeds,
    lost,
    overlap,
    some,
)
from reports.analysis.settling import settled, settling
from reports.analysis.statistics import Numbers
from reports.fidelity.checkpoints import Course, mean_over_seeds

BEST = 3  # the best few that are followed; fewer than the mixes of whom anything is said


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as a judge.

    Args:
        part: How much of the training mixes had behind them.
        step: The step; 0 where mixes differ in their steps.
        bands: How its order agrees with the result's, by band of accuracy.
        other_seed: The same with the result of another seed, the mean; NaN with one seed.
        best: How many of its best few are among the result's.
        lost: What was missed, in the result, by taking its best mix; in the metric's unit.
        settled: How often the best few are those of the end from here on, when seeds are drawn
            again; NaN with one seed.
    """

    part: float
    step: int
    bands: dict[str, Agreement]
    other_seed: float
    best: Overlap
    lost: float
    settled: float


@dataclass(frozen=True)
class Judged:
    """All checkpoints as judges.

    Args:
        mixes: How many were judged.
        paired: How many of them agreements are counted with: all, or as many as were drawn.
        checkpoints: In the order of training; the last is the end, scored as checkpoints are.
        seeds_agree: Tau between the results of two seeds, the mean; NaN with one seed.
        settled: Position of the checkpoint from which on the best few are those of the end.
    """

    mixes: int
    paired: int
    checkpoints: tuple[Checkpoint, ...]
    seeds_agree: float
    settled: int

    @property
    def half(self) -> Checkpoint:
        """The checkpoint nearest to half of the training, not the end."""
        return min(self.checkpoints[:-1], key=lambda one: abs(one.part - 0.5))

    @property
    def bands(self) -> dict[str, int]:
        """Bands of accuracy, with the mixes in each."""
        return {name: found.n for name, found in self.checkpoints[-1].bands.items()}


def judged(course: Course) -> Judged | None:
    """Every checkpoint held against the end; None where there are too few mixes for an order."""
    number = len(course.mixes)
    if number < FEWEST:
        return None
    final, means = mean_over_seeds(course.final), course.means
    often, drawn = settling(course.values, BEST), some(number)
    return Judged(
        mixes=number,
        paired=min(number, MOST_PAIRED),
        checkpoints=tuple(
            Checkpoint(
                part=part,
                step=course.steps[at],
                bands=_by_band(means[at], final),
                other_seed=between_seeds(course.values[at][drawn], course.final[drawn]),
                best=_overlap(means[at], final),
                lost=lost(means[at], final),
                settled=float(often[at]),
            )
            for at, part in enumerate(course.parts)
        ),
        seeds_agree=between_seeds(course.final[drawn], course.final[drawn]),
        settled=settled(means, BEST),
    )


def _overlap(means: Numbers, final: Numbers) -> Overlap:
    """How many of the best few are the result's; with many mixes it is not drawn again."""
    return overlap(means, final, BEST, draws=DRAWS if len(means) <= MOST_PAIRED else 0)


def _by_band(means: Numbers, final: Numbers) -> dict[str, Agreement]:
    """How two orders agree, of all mixes and of those that come out best."""
    found = {}
    for name, members in bands(final).items():
        members = members[some(len(members))]
        found[name] = agreement(means[members], final[members])
    return {name: one for name, one in found.items() if not math.isnan(one.tau)}
