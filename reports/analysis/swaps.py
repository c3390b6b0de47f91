"""What it does to replace one level of an axis by another, with everything else left as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from reports.analysis.design import Codes, Design
from reports.analysis.estimates import Estimate, Values
from reports.analysis.misfit import Misfit
from reports.analysis.once import once
from reports.analysis.power import smallest_difference
from reports.analysis.regression import Sum
from reports.analysis.statistics import Numbers, holm


@dataclass(frozen=True)
class Swap:
    """One level replaced by another.

    Args:
        axis: Name of the axis.
        before: The level that is replaced.
        after: The level that comes in its place.
        value: Mean difference, after less before, in the metric's unit.
        low: Lower end of its 95 % interval, of this comparison alone; NaN without one.
        high: Upper end.
        pairs: How many pairs of mixes differ in nothing else.
        contexts: How many there would be, were every combination tried.
        paired: Whether it is the mean over these pairs; otherwise it is read off a sum over the
            choices that was fitted to all mixes, as there are too few pairs or none.
        claimed: Whether the data support a difference, so that with 95 % probability all claims of
            a table hold (Holm).
        error: Standard error of the value; NaN where nothing tells.
        degrees: Degrees of freedom of the error.
        seeds: How many seeds most mixes have; 0 for costs.
    """

    axis: str
    before: str
    after: str
    value: float
    low: float
    high: float
    pairs: int
    contexts: int
    paired: bool
    claimed: bool
    error: float
    degrees: int
    seeds: int

    @property
    def smallest(self) -> float:
        """The smallest difference that these data would probably have shown.

        With 80 % power, this comparison alone; NaN where nothing tells.
        """
        if not self.seeds or not self.degrees:
            return math.nan
        sd = self.error * math.sqrt(self.seeds)
        return smallest_difference(sd, self.seeds, degrees=self.degrees)

    @property
    def reversed(self) -> Swap:
        """The same, the other way round."""
        return replace(
            self,
            before=self.after,
            after=self.before,
            value=-self.value,
            low=-self.high,
            high=-self.low,
        )


@dataclass(frozen=True)
class _Judged:
    """A swap before the table as a whole decides what is claimed."""

    axis: str
    before: str
    after: str
    estimate: Estimate
    pairs: int
    contexts: int
    paired: bool


@once
def swaps(measured: Values) -> tuple[Swap, ...]:
    """Every two levels of every axis, as far as the mixes can tell them apart.

    A difference over pairs of mixes that are alike in all else needs no model; where few of the
    possible pairs were tried, a sum fitted to all mixes says more. The one with the smaller
    standard error is taken.

    Args:
        measured: What was measured.
    """
    found = [
        swap for axis in range(len(measured.model.design.axes)) for swap in _of_axis(measured, axis)
    ]
    kept = holm([swap.estimate.p_value for swap in found])
    return tuple(
        _swap(swap, claim and measured.claims, measured.seeds)
        for swap, claim in zip(found, kept, strict=True)
    )


def _swap(judged: _Judged, claimed: bool, seeds: int) -> Swap:
    estimate = judged.estimate
    return Swap(
        judged.axis,
        judged.before,
        judged.after,
        estimate.value,
        estimate.low,
        estimate.high,
        judged.pairs,
        judged.contexts,
        judged.paired,
        claimed,
        estimate.error,
        estimate.degrees,
        seeds,
    )


def _of_axis(measured: Values, axis: int) -> list[_Judged]:
    model, design = measured.model, measured.model.design
    size, levels = design.sizes[axis], design.levels[axis]
    ends = _ends(size)
    contrasts = _contrasts(ends, size)
    weights, pairs, spill = _paired(model, axis)
    by_pairs = _judged(measured, axis, contrasts, (weights, spill), pairs > 0)
    fits = np.full(len(ends), model.told_apart[axis])
    by_fit = _judged(measured, axis, contrasts, None, fits)
    contexts = design.combinations // size
    found = []
    for at, (first, second) in enumerate(ends):
        estimate, paired = _better(by_pairs[at], by_fit[at], int(pairs[at]) == contexts)
        if estimate is not None:
            names = (design.axes[axis], levels[first], levels[second])
            found.append(_Judged(*names, estimate, int(pairs[at]), contexts, paired))
    return found


def _judged(
    measured: Values,
    axis: int,
    contrasts: Numbers,
    weighing: tuple[Numbers, Numbers] | None,
    known: NDArray[np.bool_],
) -> list[Estimate | None]:
    """None where it is not known."""
    found: list[Estimate | None] = [None] * len(contrasts)
    rows = np.flatnonzero(known)
    if len(rows):
        of_rows = () if weighing is None else (each[rows] for each in weighing)
        judged = measured.judge(axis, contrasts[rows], *of_rows)
        for row, estimate in zip(rows.tolist(), judged, strict=True):
            found[row] = estimate
    return found


def _better(
    by_pairs: Estimate | None, by_fit: Estimate | None, all_pairs: bool
) -> tuple[Estimate | None, bool]:
    if by_pairs is None or by_fit is None:
        return by_pairs or by_fit, by_pairs is not None
    closer = math.isnan(by_fit.error) or by_pairs.error <= by_fit.error * (1.0 + 1e-9)
    return (by_pairs, True) if all_pairs or closer else (by_fit, False)


def _ends(size: int) -> Codes:
    """(swaps, 2), the levels before and after."""
    return np.array(list(combinations(range(size), 2)))


def _contrasts(ends: Codes, size: int) -> Numbers:
    """(swaps, levels)."""
    contrasts: Numbers = np.eye(size)[ends[:, 1]] - np.eye(size)[ends[:, 0]]
    return contrasts


@once
def _paired(model: Sum, axis: int) -> tuple[Numbers, Codes, Numbers]:
    """Weights of the mixes (swaps, mixes), the number of pairs and the exposure, (swaps,) each.

    A pair are two mixes that differ on this axis alone.
    """
    design, size = model.design, model.design.sizes[axis]
    weights, pairs = _weights(design, axis, _ends(size))
    norms = 2.0 / np.maximum(pairs, 1)
    misfit = Misfit(model, np.zeros(design.mixes), None)
    return weights, pairs, misfit.exposure(axis, _contrasts(_ends(size), size), norms, weights)


def _weights(design: Design, axis: int, ends: Codes) -> tuple[Numbers, Codes]:
    context = _contexts(design, axis)
    of_mix = np.full((int(context.max(initial=-1)) + 1, design.sizes[axis]), -1)
    of_mix[context, design.codes[:, axis]] = np.arange(design.mixes)
    weights, pairs = np.zeros((len(ends), design.mixes)), np.zeros(len(ends), dtype=np.int64)
    for row, (first, second) in enumerate(ends):
        both = (of_mix[:, first] >= 0) & (of_mix[:, second] >= 0)
        pairs[row] = both.sum()
        if pairs[row]:
            weights[row, of_mix[both, second]] = 1.0 / pairs[row]
            weights[row, of_mix[both, first]] = -1.0 / pairs[row]
    return weights, pairs


def _contexts(design: Design, axis: int) -> Codes:
    """(mixes,) the number of the combination of all other levels."""
    others = np.delete(design.codes, axis, axis=1)
    if not others.shape[1]:
        return np.zeros(design.mixes, dtype=np.int64)
    sizes = np.delete(np.array(design.sizes, dtype=object), axis)
    if math.prod(sizes) < 2**62:  # sorting numbers is far faster than sorting rows
        numbers = others @ np.cumprod(np.append(1, sizes[:-1])).astype(np.int64)
        if math.prod(sizes) <= 4 * design.mixes + 1024:  # few enough to count
            there = np.bincount(numbers, minlength=1) > 0
            counted: Codes = (np.cumsum(there) - 1)[numbers]
            return counted
        others = numbers[:, None]
    inverse: Codes = np.unique(others, axis=0, return_inverse=True)[1].ravel()
    return inverse
