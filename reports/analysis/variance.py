"""Where differences between trials come from: a choice, an interplay, the seed, or chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.analysis.errors import squares
from reports.analysis.estimates import Values
from reports.analysis.interactions import Interactions
from reports.analysis.statistics import Numbers


@dataclass(frozen=True)
class Share:
    """What one source explains.

    Args:
        name: Of the axis.
        share: Of the whole sum of squares.
        by_chance: What an axis with so many levels would explain if it did nothing; NaN where
            nothing was repeated.
    """

    name: str
    share: float
    by_chance: float


@dataclass(frozen=True)
class Shares:
    """The whole variance, taken apart.

    With every combination tried and every mix trained with every seed the parts are exact and add
    up to 1 (analysis of variance of a factorial in blocks, Montgomery 2017, chapter 5). Otherwise
    an axis has what only it can explain (type II), and what several axes would explain alike is
    shared.

    Args:
        axes: The axes that can be told from the others, the largest share first.
        shared: What axes explain together and none of them alone; 0 in a complete design.
        pairs: What two axes do together beyond the sum; NaN where that was not taken apart.
        more: What does not add up besides.
        seeds: What a seed adds for all mixes alike; NaN without several seeds for every mix.
        rest: What is left: chance. NaN likewise.
        complete: Whether every combination was tried.
        repeated: Whether shares are of the variance between trials; otherwise between mixes.
    """

    axes: tuple[Share, ...]
    shared: float
    pairs: float
    more: float
    seeds: float
    rest: float
    complete: bool
    repeated: bool


def shares(measured: Values, found: Interactions | None = None) -> Shares | None:
    """Take the variance apart; None where no axis can be told from the others or nothing varies.

    Args:
        measured: What was measured.
        found: The interactions, to name their part.
    """
    model, design, means = measured.model, measured.model.design, measured.means
    repeated = measured.trials.shape[1] > 1 and not np.isnan(measured.trials).any()
    times = measured.trials.shape[1] if repeated else 1
    between = times * float(((means - means.mean()) ** 2).sum()) if len(means) else 0.0
    seeds, rest = _within(measured.trials) if repeated else (math.nan, math.nan)
    total = between + seeds + rest if repeated else between
    known = [at for at in range(len(design.axes)) if model.told_apart[at]]
    if not known or total <= 0.0:
        return None
    coefficients = model.coefficients(means)
    own = {at: times * _own(model.inverse, coefficients, design.blocks[at]) for at in known}
    left = times * float((model.left(means) ** 2).sum())
    unit = rest / ((len(means) - 1) * (times - 1)) if repeated and len(means) > 1 else math.nan
    axes = [
        Share(design.axes[at], own[at] / total, (design.sizes[at] - 1) * unit / total)
        for at in known
    ]
    pairs = _pairs(found, len(design.pairs), between) if design.complete else math.nan
    return Shares(
        tuple(sorted(axes, key=lambda each: -each.share)),
        max(0.0, between - left - sum(own.values())) / total if not design.complete else 0.0,
        pairs / total,
        max(0.0, left - (0.0 if math.isnan(pairs) else pairs)) / total,
        seeds / total,
        rest / total,
        design.complete,
        repeated,
    )


def _own(inverse: Numbers, coefficients: Numbers, block: slice) -> float:
    return squares(coefficients[block], inverse[block, block])


def _within(trials: Numbers) -> tuple[float, float]:
    """Sums of squares of the seeds, and of what neither seed nor mix explains."""
    by_seed = trials.mean(axis=0) - trials.mean()
    rest = trials - trials.mean(axis=1, keepdims=True) - by_seed
    return float(len(trials) * (by_seed**2).sum()), float((rest**2).sum())


def _pairs(found: Interactions | None, number: int, between: float) -> float:
    if found is None or len(found.pairs) != number:
        return math.nan
    return sum(each.share for each in found.pairs) * between
