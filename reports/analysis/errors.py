"""How far chance moves what is estimated: from seed to seed, or from timing to timing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.regression import Sum
from reports.analysis.seeds import scatter
from reports.analysis.statistics import NORMAL_95, Numbers, incomplete_beta

SINGLED_OUT = 0.01  # an axis so unlikely to be as steady as the others keeps its own error


@dataclass(frozen=True)
class Spread:
    """A variance, and how well it is known.

    Args:
        variance: Of the value of one trial (or one cost).
        degrees: Degrees of freedom; infinite where it was given.
    """

    variance: float
    degrees: float


@dataclass(frozen=True)
class Noise:
    """What chance adds to the value of each mix.

    Args:
        of_axes: By axis, as far as it shows in the effects of that axis.
        rest: As far as it shows in nothing that is estimated.
        scale: (mixes,) what the variance of the mean of each mix is of that of a trial.
    """

    of_axes: tuple[Spread, ...]
    rest: Spread
    scale: Numbers


def seed_noise(model: Sum, values: Numbers) -> Noise | None:
    """What chance adds from seed to seed.

    A seed's effects are estimated from its trials alone; what they vary by from seed to seed is
    their error (a blocked design: the error of a main effect is its interaction with the blocks,
    Montgomery 2017, section 4.1). So a seed that favours a block counts as chance, as it must where
    the claim is about other seeds as well. It is pooled over the axes, but for those that are far
    less steady than the others (F test).

    Args:
        model: Of the mixes.
        values: (mixes, seeds), NaN where a mix was not trained with a seed.

    Returns:
        None where no mix has two seeds.
    """
    present: NDArray[np.bool_] = ~np.isnan(values)
    scale = 1.0 / np.maximum(present.sum(axis=1), 1)
    whole: NDArray[np.bool_] = np.all(present, axis=1)
    if values.shape[1] > 1 and whole.any():
        part = model if whole.all() else Sum(model.design.only(whole))
        if part.rank == model.rank and part.rank > 1:
            return _by_axis(part, values[whole], scale)
    sd, degrees = scatter(values)
    if degrees < 1:
        return None
    alike = Spread(sd**2, degrees)
    return Noise((alike,) * len(model.design.axes), alike, scale)


def given_noise(model: Sum, low: Numbers, high: Numbers) -> Noise:
    """What chance adds where every value came with its own 95 % interval.

    Args:
        model: Of the mixes.
        low: (mixes,) lower ends.
        high: (mixes,) upper ends.
    """
    one = Spread(1.0, math.inf)
    scale = ((high - low) / (2.0 * NORMAL_95)) ** 2
    return Noise((one,) * len(model.design.axes), one, scale)


def _by_axis(model: Sum, values: Numbers, scale: Numbers) -> Noise:
    design, steps = model.design, values.shape[1] - 1
    shifts = values - values.mean(axis=1, keepdims=True)
    changes = model.coefficients(shifts)  # (terms, seeds)
    known = [at for at in range(len(design.axes)) if model.told_apart[at]]
    sums = np.zeros(len(design.axes))
    degrees = np.array([(size - 1) * steps for size in design.sizes], dtype=float)
    for axis in known:
        block = design.blocks[axis]
        sums[axis] = squares(changes[block], model.inverse[block, block])
    left = shifts - model.fitted(changes)
    spare = model.spare * steps
    unsteady = [at for at in known if _singled_out(at, known, sums, degrees)]
    calm = [at for at in known if at not in unsteady]
    pooled = _spread(sums[calm].sum(), degrees[calm].sum())
    of_axes = tuple(
        _spread(sums[at], degrees[at]) if at in unsteady else pooled for at in range(len(sums))
    )
    rest = _spread(float((left**2).sum()), spare) if spare else pooled
    return Noise(of_axes, rest, scale)


def squares(coefficients: Numbers, inverse: Numbers) -> float:
    """Sum of squares that belongs to some coefficients, adjusted for all others (type II).

    Args:
        coefficients: (terms,) or (terms, seeds).
        inverse: (terms, terms), their part of the inverse of X'X.
    """
    return float((coefficients * np.linalg.solve(inverse, coefficients)).sum())


def f_probability(f: float, degrees: float, of_error: float) -> float:
    """Probability that a ratio of two estimates of one variance is at least f.

    Source: DLMF 8.17: I_x(d2/2, d1/2) with x = d2 / (d2 + d1 f).
    """
    if math.isinf(of_error):
        of_error = 1e6
    return incomplete_beta(of_error / 2.0, degrees / 2.0, of_error / (of_error + degrees * f))


def _singled_out(at: int, known: list[int], sums: Numbers, degrees: Numbers) -> bool:
    others = [other for other in known if other != at]
    rest, steps = sums[others].sum(), degrees[others].sum()
    if not others or rest <= 0.0:
        return False
    ratio = (sums[at] / degrees[at]) / (rest / steps)
    return f_probability(float(ratio), float(degrees[at]), float(steps)) < SINGLED_OUT


def _spread(total: float, degrees: float) -> Spread:
    return Spread(float(total) / float(degrees), float(degrees)) if degrees else Spread(0.0, 0.0)
