"""Which choices do more or less together than apart: two-way tables beside the sum of effects."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from reports.analysis.design import Codes, coding
from reports.analysis.errors import Spread, f_probability, squares
from reports.analysis.estimates import Values
from reports.analysis.once import once
from reports.analysis.regression import Sum
from reports.analysis.statistics import Numbers, holm
from reports.analysis.student import MANY, quantile, two_sided
from reports.analysis.two_way import Block, Names, block_of, chance_of, doubt_of, least, mixed

LARGEST = 20_000  # mixes; of more, evenly spaced ones are taken


@dataclass(frozen=True)
class Cell:
    """What two levels do together beyond the sum of their effects.

    Args:
        value: In the metric's unit.
        low: Lower end of its 95 % interval; NaN without one.
        high: Upper end.
        claimed: Whether the data support it: the axes interact, and this cell shows it, so that
            with 95 % probability all claims of the table hold (Holm).
        mixes: Mixes with both levels.
    """

    value: float
    low: float
    high: float
    claimed: bool
    mixes: int


@dataclass(frozen=True)
class Interaction:
    """How two axes go together.

    Args:
        axes: Names of the two.
        levels: Of the first (rows), of the second (columns).
        cells: Row by row.
        p_value: Of no interaction (F test); 1 where it can't be told.
        interacts: Whether an interaction is claimed, with 95 % probability for all pairs of axes
            together (Holm).
        share: Of the variance between mixes, as a sum of squares beside the effects.
        mixed_with: Other pairs of axes whose interaction these mixes cannot tell from this one.
    """

    axes: Names
    levels: tuple[tuple[str, ...], tuple[str, ...]]
    cells: tuple[tuple[Cell, ...], ...]
    p_value: float
    interacts: bool
    share: float
    mixed_with: tuple[Names, ...] = ()

    @property
    def largest(self) -> float:
        """The largest value of a cell, whatever its sign."""
        return max(abs(cell.value) for row in self.cells for cell in row)


@dataclass(frozen=True)
class Interactions:
    """All pairs of axes.

    Args:
        pairs: Those that can be estimated, the surest first.
        untold: Pairs of axes that these mixes say nothing of: some of their combinations of two
            levels are missing, or go along with something else.
        mixes: How many mixes they are from.
    """

    pairs: tuple[Interaction, ...]
    untold: tuple[Names, ...]
    mixes: int


@once
def interactions(measured: Values) -> Interactions:
    """The interactions of every two axes.

    Each is estimated beside the effects of all axes; in a complete design that is what a cell's
    mean has beyond the sum of its row, its column and the mean. Its error is what it varies by
    from seed to seed and, where combinations are missing, what is left over beside it.

    Args:
        measured: What was measured.
    """
    measured = _fewer(measured)
    design = measured.model.design
    blocks, untold = [], []
    for first, second in design.pairs:
        block = block_of(measured, (first, second))
        if block is None:
            untold.append((design.axes[first], design.axes[second]))
        else:
            blocks.append(block)
    chance = chance_of(measured, blocks)
    found = [_interaction(measured, block, chance) for block in blocks]
    kept = holm([each.p_value for each in found])
    alike = mixed(design, blocks)
    settled = [
        _settled(each, keep and measured.claims, alike.get(block.axes, ()))
        for each, keep, block in zip(found, kept, blocks, strict=True)
    ]
    settled.sort(key=lambda each: (not each.interacts, each.p_value, -each.share))
    return Interactions(tuple(settled), tuple(untold), design.mixes)


def _fewer(measured: Values) -> Values:
    mixes = measured.model.design.mixes
    if mixes <= LARGEST:
        return measured
    rows = np.zeros(mixes, dtype=bool)
    rows[np.linspace(0, mixes - 1, LARGEST).astype(int)] = True
    noise = measured.noise and replace(measured.noise, scale=measured.noise.scale[rows])
    model = Sum(measured.model.design.only(rows))
    return replace(measured, model=model, trials=measured.trials[rows], noise=noise)


def _interaction(measured: Values, block: Block, chance: Spread | None) -> Interaction:
    design, doubt = measured.model.design, doubt_of(measured, block, chance)
    first, second = block.axes
    sizes = (design.sizes[first], design.sizes[second])
    spread = np.kron(coding(sizes[0]), coding(sizes[1]))  # (cells, terms)
    covariance = doubt.chance * block.inverse
    covariance = covariance + doubt.extra * (block.inverse - least(design, block))
    own = np.einsum("ct,tu,cu->c", spread, covariance, spread)
    counts = np.bincount(design.cells[first, second], minlength=sizes[0] * sizes[1])
    cells = _cells(spread @ block.coefficients, own, counts, doubt.degrees)
    explained = squares(block.coefficients, block.inverse)
    total = float(((measured.means - measured.means.mean()) ** 2).sum())
    return Interaction(
        (design.axes[first], design.axes[second]),
        (design.levels[first], design.levels[second]),
        tuple(tuple(cells[at * sizes[1] : (at + 1) * sizes[1]]) for at in range(sizes[0])),
        _p_value(block, covariance, doubt.degrees),
        False,
        explained / total if total else 0.0,
    )


def _p_value(block: Block, covariance: Numbers, degrees: float) -> float:
    """Of all coefficients being 0 (Wald's test with an F distribution); 1 if it can't be told."""
    if degrees < 1.0 or not covariance.any():
        return 1.0
    weighed = block.coefficients @ np.linalg.pinv(covariance) @ block.coefficients
    return f_probability(float(weighed) / block.terms, block.terms, degrees)


def _cells(values: Numbers, variances: Numbers, counts: Codes, degrees: float) -> list[Cell]:
    """Claimed as far as the cells among themselves allow (Holm)."""
    free = int(min(degrees, MANY))
    errors = np.sqrt(np.maximum(variances, 0.0))
    if free < 1:
        errors = np.full(len(values), math.nan)
    half = quantile(max(free, 1)) * errors
    sure = [
        two_sided(float(value / error), free) if error > 0.0 else 1.0
        for value, error in zip(values, errors, strict=True)
    ]
    return [
        Cell(float(value), float(value - reach), float(value + reach), claimed, int(mixes))
        for value, reach, claimed, mixes in zip(values, half, holm(sure), counts, strict=True)
    ]


def _settled(found: Interaction, interacts: bool, mixed_with: tuple[Names, ...]) -> Interaction:
    cells = tuple(
        tuple(replace(cell, claimed=cell.claimed and interacts) for cell in row)
        for row in found.cells
    )
    return replace(found, interacts=interacts, cells=cells, mixed_with=mixed_with)
