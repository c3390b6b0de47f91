"""Least squares of a sum over the choices, for any set of mixes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.design import Design, coding
from reports.analysis.statistics import Numbers

TINY = 1e-9  # of the largest eigenvalue: what a float cannot tell from nothing


@dataclass(frozen=True)
class Sum:
    """The model: a mean, and a number for every level of every axis, which add up.

    What the mixes cannot tell apart (an axis that only ever varies along with another) is not
    estimated, and takes nothing away from what they can.

    Args:
        design: The mixes.
    """

    design: Design

    @cached_property
    def gram(self) -> Numbers:
        """(terms, terms), X'X, from how often every two levels are together."""
        return self.crossed(np.ones(self.design.mixes))

    def crossed(self, scale: Numbers) -> Numbers:
        """(terms, terms), X'SX: sums over levels and their pairs, which are fewer than mixes.

        Args:
            scale: (mixes,), what each counts for.
        """
        design = self.design
        found = np.zeros((1 + sum(size - 1 for size in design.sizes),) * 2)
        found[0, 0] = scale.sum()
        for at, (size, block) in enumerate(zip(design.sizes, design.blocks, strict=True)):
            sums, coded = np.bincount(design.codes[:, at], scale, size), coding(size)
            found[0, block] = found[block, 0] = sums @ coded
            found[block, block] = (coded.T * sums) @ coded
        for (one, other), cells in design.cells.items():
            sizes = (design.sizes[one], design.sizes[other])
            table = np.bincount(cells, scale, sizes[0] * sizes[1]).reshape(sizes)
            both = coding(sizes[0]).T @ table @ coding(sizes[1])
            found[design.blocks[one], design.blocks[other]] = both
            found[design.blocks[other], design.blocks[one]] = both.T
        return found

    @cached_property
    def _solved(self) -> tuple[Numbers, int]:
        return _inverse(self.gram)

    @property
    def inverse(self) -> Numbers:
        """(terms, terms), the pseudo-inverse of X'X."""
        return self._solved[0]

    @property
    def rank(self) -> int:
        """How many terms the mixes can tell apart."""
        return self._solved[1]

    @property
    def spare(self) -> int:
        """Degrees of freedom that the terms leave to the mixes."""
        return self.design.mixes - self.rank

    @cached_property
    def told_apart(self) -> NDArray[np.bool_]:
        """(axes,) whether the effects of an axis can be estimated."""
        known = self.inverse @ self.gram  # the identity, where nothing is confounded
        exact = np.abs(known - np.eye(len(self.gram))).max(axis=1) < 1e-6
        return np.array([exact[block].all() for block in self.design.blocks], dtype=bool)

    def coefficients(self, values: Numbers) -> Numbers:
        """Least squares for values of (mixes,) or (mixes, several); (terms,) or (terms, several).

        Source: the normal equations, b = (X'X)^-1 X'y.
        """
        found: Numbers = self.inverse @ self.summed(values)
        return found

    def summed(self, values: Numbers) -> Numbers:
        """X'y, in the shape of `coefficients`: sums over the mixes of every level."""
        several = values.reshape(len(values), -1).T
        found = np.stack([self._summed(each) for each in several], axis=1)
        return found.reshape(-1, *values.shape[1:])

    def _summed(self, values: Numbers) -> Numbers:
        parts = [np.array([values.sum()])]
        for at, size in enumerate(self.design.sizes):
            parts.append(coding(size).T @ np.bincount(self.design.codes[:, at], values, size))
        return np.concatenate(parts)

    def fitted(self, coefficients: Numbers) -> Numbers:
        """Xb, (mixes,) or (mixes, several): what the sum says of every mix."""
        found = np.broadcast_to(coefficients[0], (self.design.mixes, *coefficients.shape[1:]))
        for at, size in enumerate(self.design.sizes):
            of_levels = coding(size) @ coefficients[self.design.blocks[at]]
            found = found + of_levels[self.design.codes[:, at]]
        return found

    def left(self, values: Numbers) -> Numbers:
        """What the sum does not explain, in the shape of the values."""
        residuals: Numbers = values - self.fitted(self.coefficients(values))
        return residuals

    @cached_property
    def freedom(self) -> Numbers:
        """(mixes,) the share of its own noise that each residual keeps, 1 minus the leverage."""
        leverage = np.zeros(self.design.mixes)
        shares = self.fitted(self.inverse)  # (mixes, terms)
        leverage += shares[:, 0]
        for at, size in enumerate(self.design.sizes):
            of_levels = shares[:, self.design.blocks[at]]
            leverage += (of_levels * coding(size)[self.design.codes[:, at]]).sum(axis=1)
        kept: Numbers = 1.0 - leverage
        return kept

    def shares(self, axis: int, contrasts: Numbers) -> Numbers:
        """What each column counts for in an estimate, (estimates, terms).

        Args:
            axis: Number of the axis.
            contrasts: (estimates, levels), weights of the levels that add up to zero.
        """
        coded = contrasts @ coding(self.design.sizes[axis])
        shares: Numbers = coded @ self.inverse[self.design.blocks[axis]]
        return shares

    def weights(self, axis: int, contrasts: Numbers) -> Numbers:
        """What each mix counts for in an estimate, (estimates, mixes); see `shares`."""
        weights: Numbers = self.shares(axis, contrasts) @ self.design.columns.T
        return weights


def additive(levels: pd.DataFrame) -> Sum:
    """The model of a table with a row per mix and a level in every cell."""
    return Sum(Design.of(levels))


def weighed_squares(shares: Numbers, gram: Numbers) -> Numbers:
    """(estimates,), sums of squared weights of mixes.

    Args:
        shares: (estimates, terms), what each column counts for.
        gram: (terms, terms), X'X or X'SX.
    """
    found: Numbers = ((shares @ gram) * shares).sum(axis=1)
    return found


def deviations(size: int) -> Numbers:
    """(levels, levels): each level against the mean over all levels of its axis."""
    contrasts: Numbers = np.eye(size) - 1.0 / size
    return contrasts


def _inverse(gram: Numbers) -> tuple[Numbers, int]:
    """Pseudo-inverse of a symmetric matrix, and its rank."""
    values, vectors = np.linalg.eigh(gram)
    real = values > TINY * max(float(values[-1]), 1.0)
    inverse: Numbers = (vectors[:, real] / values[real]) @ vectors[:, real].T
    return inverse, int(real.sum())
