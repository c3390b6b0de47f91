"""What mixes that were not tried may add: choices that interact do not simply add up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reports.analysis.design import Codes, coding
from reports.analysis.errors import Noise
from reports.analysis.once import once
from reports.analysis.regression import Sum
from reports.analysis.statistics import Numbers


@dataclass(frozen=True)
class Misfit:
    """How far the mixes are from adding up, judged by what the sum leaves over.

    Every cell of the two-way table of two axes is taken to add a number of its own, drawn from one
    distribution (a random interaction; Searle, Casella & McCulloch 1992, section 5.2, by equating
    the sum of squares with its mean). Where every combination was tried they cancel in a mean
    effect; where some were not, they do not.

    Args:
        model: Of the mixes that were tried.
        means: (mixes,) their values.
        noise: What chance adds to them; None where it cannot be told from the misfit.
    """

    model: Sum
    means: Numbers
    noise: Noise | None

    @cached_property
    def left(self) -> float:
        """Sum of squares that the sum leaves over."""
        return float((self.model.left(self.means) ** 2).sum())

    @cached_property
    def by_chance(self) -> float:
        """What chance alone would have left over."""
        if self.noise is None:
            return 0.0
        return self.noise.rest.variance * float((self.model.freedom * self.noise.scale).sum())

    @property
    def tables(self) -> dict[tuple[int, int], Numbers]:
        """By two axes, (terms, cells): what every column adds up to in every cell."""
        return _tables(self.model)

    @cached_property
    def trace(self) -> float:
        """What is left over for each unit of variance of the cells."""
        inverse, mixes = self.model.inverse, self.model.design.mixes
        taken = [float((sums * (inverse @ sums)).sum()) for sums in self.tables.values()]
        return mixes * len(taken) - sum(taken)

    @property
    def known(self) -> bool:
        """Whether the mixes are enough to judge it."""
        return self.model.spare > 0 and self.trace > 1e-6

    @property
    def degrees(self) -> float:
        """No more than there are residuals, and no more than there are interactions."""
        sizes = self.model.design.sizes
        terms = sum((sizes[a] - 1) * (sizes[b] - 1) for a, b in self.model.design.pairs)
        return float(min(self.model.spare, terms))

    @cached_property
    def variance(self) -> float:
        """Of what a cell adds; 0 where chance explains all that is left over."""
        return max(0.0, self.left - self.by_chance) / self.trace if self.known else math.nan

    def exposure(
        self, axis: int, contrasts: Numbers, norms: Numbers, weights: Numbers | None = None
    ) -> Numbers:
        """How much of the variance of the cells is in estimates, (estimates,).

        Sum of squares, over the cells of all two-way tables, of what a cell weighs in the estimate
        less what it weighs where every combination is there.

        Args:
            axis: Number of the axis that the estimates are about.
            contrasts: (estimates, levels), the weights of its levels.
            norms: (estimates,), sums of the squared weights of the mixes.
            weights: (estimates, mixes); those of the model itself if left out.
        """
        design = self.model.design
        if design.complete and np.allclose(norms, self._least(axis, contrasts)):
            return np.zeros(len(contrasts))
        total, sizes = np.zeros(len(contrasts)), design.sizes
        shares = self.model.shares(axis, contrasts)
        weighing = [] if weights is None else [np.flatnonzero(row) for row in weights]
        for first, second in design.pairs:
            if weights is None:  # quick, however many mixes there are
                sums: Numbers = shares @ self.tables[first, second]
            else:
                sums = self._sums((first, second), weights, weighing)
            table = sums.reshape(len(contrasts), sizes[first], sizes[second])
            if axis == first:
                table = table - contrasts[:, :, None] / sizes[second]
            elif axis == second:
                table = table - contrasts[:, None, :] / sizes[first]
            total += (table**2).sum(axis=(1, 2))
        return total

    def _sums(
        self,
        pair: tuple[int, int],
        weights: Numbers,
        weighing: list[Codes],
    ) -> Numbers:
        """(estimates, cells): what the mixes of every cell weigh together."""
        design = self.model.design
        number = design.sizes[pair[0]] * design.sizes[pair[1]]
        cells = design.cells[pair]
        found = [
            np.bincount(cells[at], row[at], minlength=number)
            for at, row in zip(weighing, weights, strict=True)
        ]
        return np.stack(found).astype(float)

    def _least(self, axis: int, contrasts: Numbers) -> Numbers:
        """Sum of squared weights where every combination is there once."""
        share = self.model.design.combinations / self.model.design.sizes[axis]
        least: Numbers = (contrasts**2).sum(axis=1) / share
        return least


@once
def _tables(model: Sum) -> dict[tuple[int, int], Numbers]:
    design = model.design
    found: dict[tuple[int, int], Numbers] = {}
    for (first, second), cells in design.cells.items():
        number = design.sizes[first] * design.sizes[second]
        sums: list[Numbers] = [np.bincount(cells, minlength=number)[None].astype(float)]
        for at, size in enumerate(design.sizes):  # counts first: levels are fewer than mixes
            both = np.bincount(cells * size + design.codes[:, at], minlength=number * size)
            sums.append((both.reshape(number, size) @ coding(size)).T)
        found[first, second] = np.vstack(sums).astype(float)
    return found
