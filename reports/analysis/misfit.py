"""What mixes that were not tried may add: choices that interact do not simply add up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reports.analysis.errors import Noise
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
        return self.noise.rest.variance * float(self.model.freedom @ self.noise.scale)

    @cached_property
    def trace(self) -> float:
        """What is left over for each unit of variance of the cells."""
        design, inverse = self.model.design, self.model.inverse
        total = 0.0
        for first, second in design.pairs:
            cells = design.cells[first, second]
            number = design.sizes[first] * design.sizes[second]
            sums = np.stack(
                [np.bincount(cells, column, minlength=number) for column in design.columns.T]
            )
            counts = np.bincount(cells, minlength=number)
            total += float(counts.sum() - (sums * (inverse @ sums)).sum())
        return total

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

    def exposure(self, axis: int, contrasts: Numbers, weights: Numbers) -> Numbers:
        """How much of the variance of the cells is in estimates, (estimates,).

        Sum of squares, over the cells of all two-way tables, of what a cell weighs in the estimate
        less what it weighs where every combination is there.

        Args:
            axis: Number of the axis that the estimates are about.
            contrasts: (estimates, levels), the weights of its levels.
            weights: (estimates, mixes).
        """
        design = self.model.design
        if design.complete and np.allclose((weights**2).sum(axis=1), self._least(axis, contrasts)):
            return np.zeros(len(weights))
        total, sizes = np.zeros(len(weights)), design.sizes
        weighing = [np.flatnonzero(row) for row in weights]  # of pairs of mixes, few
        for first, second in design.pairs:
            cells, size = design.cells[first, second], (sizes[first], sizes[second])
            number = size[0] * size[1]
            sums = np.stack(
                [
                    np.bincount(cells[at], row[at], minlength=number)
                    for at, row in zip(weighing, weights, strict=True)
                ]
            )
            table: Numbers = sums.reshape(len(weights), *size).astype(float)
            if axis == first:
                table = table - contrasts[:, :, None] / size[1]
            elif axis == second:
                table = table - contrasts[:, None, :] / size[0]
            total += (table**2).sum(axis=(1, 2))
        return total

    def _least(self, axis: int, contrasts: Numbers) -> Numbers:
        """Sum of squared weights where every combination is there once."""
        share = self.model.design.combinations / self.model.design.sizes[axis]
        least: Numbers = (contrasts**2).sum(axis=1) / share
        return least
