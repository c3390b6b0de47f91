"""Measurements drawn again: what they could have been, had seeds and timings fallen otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from reports.analysis.contenders import contenders
from reports.analysis.pareto import Mask, fronts
from reports.analysis.seeds import errors
from reports.analysis.statistics import NORMAL_95, Numbers

DRAWS = 1000
SEED = 20240229  # of the draws, so that a report can be written twice
Places = NDArray[np.int64]

CLIP = 4.0  # standard deviations that anything errs by at most: one in 16,000 would be beyond
MOST = 500_000  # values of an objective that are drawn; of very many mixes there are fewer draws
FEWEST = 100  # draws even so


class Objective(Protocol):
    """What mixes are weighed by, as measured."""

    @property
    def middle(self) -> Numbers:
        """(mixes,) as measured; NaN where it was not."""

    def some(self, rows: Mask | Places) -> Self:
        """Of some of the mixes."""

    def reach(self) -> tuple[Numbers, Numbers]:
        """(mixes,) and (mixes,): between what all draws lie."""

    def redrawn(self, draws: int, rng: np.random.Generator) -> Numbers:
        """(draws, mixes)."""


@dataclass(frozen=True)
class Scores:
    """Means over seeds, such as PSNR.

    What chance does to one seed's value is known from all mixes together (see `seeds.errors`),
    because three seeds of one mix say next to nothing; a mean over n seeds is drawn by drawing n
    of these errors. What a seed does to all mixes alike is left out, as it changes no order.

    Args:
        middle: (mixes,), NaN where there is no seed.
        n: (mixes,) seeds.
        errors: (errors,) what single values err by.
    """

    middle: Numbers
    n: Numbers
    errors: Numbers

    @classmethod
    def of(cls, values: Numbers, middle: Numbers | None = None) -> Self:
        """From (mixes, seeds), NaN where a mix was not trained with a seed; and means if known."""
        present = ~np.isnan(values)
        n = present.sum(axis=1)
        if middle is None:
            sums = np.where(present, values, 0.0).sum(axis=1)
            middle = np.where(n > 0, sums / np.maximum(n, 1), np.nan)
        return cls(middle, n, errors(values))

    def some(self, rows: Mask | Places) -> Self:
        """Of some of the mixes, with the errors of all."""
        return replace(self, middle=self.middle[rows], n=self.n[rows])

    def reach(self) -> tuple[Numbers, Numbers]:
        """Between what all draws lie."""
        low, high = self._ends
        return self.middle + low, self.middle + high

    def redrawn(self, draws: int, rng: np.random.Generator) -> Numbers:
        """Means over seeds that were drawn again: (draws, mixes)."""
        total = np.zeros((draws, len(self.middle)))
        if len(self.errors):
            for seed in range(int(self.n.max(initial=0))):
                drawn = self.errors[rng.integers(len(self.errors), size=total.shape)]
                total += np.where(seed < self.n, drawn, 0.0)
        means: Numbers = self.middle + np.clip(total / np.maximum(self.n, 1), *self._ends)
        return means

    @property
    def _ends(self) -> tuple[Numbers, Numbers]:
        """(mixes,) what a mean over seeds errs by at most, below and above."""
        if not len(self.errors):
            return np.zeros(len(self.middle)), np.zeros(len(self.middle))
        most = CLIP * float(self.errors.std()) / np.sqrt(np.maximum(self.n, 1))
        return np.maximum(-most, self.errors.min()), np.minimum(most, self.errors.max())


@dataclass(frozen=True)
class Costs:
    """What is measured once for each mix, such as latency, with a 95 % interval or without.

    Mixes with the same number and interval are the same network: they share a timing and its
    error.

    Args:
        middle: (mixes,).
        low: (mixes,), NaN where there is no interval.
        high: (mixes,).
    """

    middle: Numbers
    low: Numbers
    high: Numbers

    def some(self, rows: Mask | Places) -> Self:
        """Of some of the mixes."""
        return replace(self, middle=self.middle[rows], low=self.low[rows], high=self.high[rows])

    def reach(self) -> tuple[Numbers, Numbers]:
        """Between what all draws lie."""
        return self.middle - CLIP * self._sigma, self.middle + CLIP * self._sigma

    def redrawn(self, draws: int, rng: np.random.Generator) -> Numbers:
        """Normal errors within the intervals: (draws, mixes)."""
        ends = np.stack([self.middle, self.low, self.high], axis=1)
        timings, same = np.unique(ends, axis=0, return_inverse=True)
        drawn = np.clip(rng.standard_normal((draws, len(timings))), -CLIP, CLIP)[:, same.ravel()]
        values: Numbers = self.middle + drawn * self._sigma
        return values

    @property
    def _sigma(self) -> Numbers:
        return np.nan_to_num((self.high - self.low) / (2.0 * NORMAL_95), nan=0.0)


@dataclass(frozen=True)
class Redrawn:
    """Draws of the mixes that could be on the front.

    Args:
        at: (some,) where these stand among all mixes; the others are on no draw's front.
        values: (draws, some, objectives).
        directions: higher or lower, one for each objective.
    """

    at: Places
    values: Numbers
    directions: tuple[str, ...]

    @cached_property
    def on_front(self) -> Mask:
        """(draws, some) whether they are on the front of a draw."""
        return fronts(self.values, self.directions)

    @cached_property
    def members(self) -> Redrawn:
        """Only those that are on the front of a draw."""
        ever = self.on_front.any(axis=0)
        return Redrawn(self.at[ever], self.values[:, ever], self.directions)

    @property
    def probability(self) -> Numbers:
        """(some,) how often each is on the front."""
        share: Numbers = self.on_front.mean(axis=0)
        return share


def redraw(
    objectives: Sequence[Objective], directions: Sequence[str], draws: int = DRAWS
) -> Redrawn:
    """Draw all objectives again, many times.

    A mix that another one beats even if all errors fell in its favour is not drawn, which changes
    no front. What comes of one training has its errors from the same seeds of the same draws in
    all such objectives.

    Args:
        objectives: Of the same mixes; one that lacks a value is left out.
        directions: higher or lower, one for each objective.
        draws: How many, where not very many mixes are drawn.
    """
    mask = possible(objectives, directions)
    draws = min(draws, max(FEWEST, MOST // max(int(mask.sum()), 1)))
    values = np.stack(
        [
            objective.some(mask).redrawn(draws, np.random.default_rng(_stream(objective, number)))
            for number, objective in enumerate(objectives)
        ],
        axis=2,
    )
    return Redrawn(np.flatnonzero(mask), values, tuple(directions))


def possible(objectives: Sequence[Objective], directions: Sequence[str]) -> Mask:
    """Which mixes could be on the front: no other beats their best draw by its worst one.

    Args:
        objectives: Of the same mixes.
        directions: higher or lower, one for each objective.
    """
    ends = [objective.reach() for objective in objectives]
    low, high = (np.stack(end, axis=1) for end in zip(*ends, strict=True))
    higher = np.asarray(directions) == "higher"
    return contenders(np.where(higher, high, low), np.where(higher, low, high), directions)


def _stream(objective: Objective, number: int) -> tuple[int, int]:
    """Seeds of the random numbers: the same for all scores, another for each cost."""
    return SEED, 0 if isinstance(objective, Scores) else number + 1
