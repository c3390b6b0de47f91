"""Which level every mix has on every axis that varies, as numbers to calculate with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.statistics import Numbers

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """The mixes of a study as points of a grid.

    Args:
        axes: Names of the axes on which mixes differ.
        levels: Of each axis its levels, in order of appearance.
        codes: (mixes, axes), the number of the level.
    """

    axes: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: Codes

    @classmethod
    def of(cls, table: pd.DataFrame) -> Design:
        """The design of a table with a row per mix and a level in every cell.

        Args:
            table: Columns are axes; those with one level only are left out.
        """
        axes, levels, codes = [], [], []
        for axis in table.columns:
            of_axis, names = pd.factorize(table[axis])
            if len(names) > 1:
                axes.append(str(axis))
                levels.append(tuple(str(name) for name in names))
                codes.append(of_axis)
        stacked = np.stack(codes, axis=1) if codes else np.zeros((len(table), 0))
        return cls(tuple(axes), tuple(levels), stacked.astype(np.int64))

    @property
    def mixes(self) -> int:
        """How many mixes there are."""
        return len(self.codes)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many levels each axis has."""
        return tuple(len(names) for names in self.levels)

    @cached_property
    def combinations(self) -> int:
        """How many mixes there would be, were every level combined with every other."""
        return math.prod(self.sizes)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Numbers of two axes, every pair once."""
        return list(combinations(range(len(self.axes)), 2))

    @cached_property
    def complete(self) -> bool:
        """Whether every combination of levels is there."""
        if not self.axes or self.mixes < self.combinations:
            return False
        return len(np.unique(self.codes, axis=0)) == self.combinations

    @cached_property
    def blocks(self) -> tuple[slice, ...]:
        """Of each axis, where its terms stand; term 0 is the mean."""
        ends = np.cumsum([1, *(size - 1 for size in self.sizes)]).tolist()
        return tuple(slice(start, end) for start, end in pairwise(ends))

    @cached_property
    def columns(self) -> Numbers:
        """(mixes, terms) in sum-to-zero coding: of each axis all levels but the last."""
        parts = [np.ones((self.mixes, 1))]
        parts += [coding(size)[self.codes[:, at]] for at, size in enumerate(self.sizes)]
        return np.hstack(parts)

    @cached_property
    def cells(self) -> dict[tuple[int, int], Codes]:
        """By two axes, (mixes,) the number of the cell in their two-way table."""
        return {
            (first, second): self.codes[:, first] * self.sizes[second] + self.codes[:, second]
            for first, second in self.pairs
        }

    def only(self, rows: NDArray[np.bool_]) -> Design:
        """The same axes and levels with some of the mixes."""
        return Design(self.axes, self.levels, self.codes[rows])


@cache
def coding(size: int) -> Numbers:
    """(levels, levels - 1): what each level takes of the terms, so that levels add up to zero."""
    rows: Numbers = np.vstack([np.eye(size - 1), -np.ones((1, size - 1))])
    return rows
