"""How a cost grows: t = a + b x^p fitted to a few sizes, with an interval for the exponent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ablate.profiling.samples import Array, LatencySample, round_means, shares, tables

LEAST_POINTS: Final = 4  # three unknowns, and something to judge the fit by
RESAMPLES: Final = 400
_EXPONENTS: Final = np.arange(0.0, 4.001, 0.05)
_FINE: Final = np.linspace(-0.05, 0.05, 21)
_HUBER: Final = 1.5  # spreads of the residuals from which a point counts for less
_ROUNDS: Final = 4  # of reweighting
_UNKNOWNS: Final = 3
_FAR: Final = 3.0  # the logarithm of the largest misfit that is drawn: a factor of 20


class ScalingError(ValueError):
    """No law can be fitted; the message says what is lacking."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A fitted law: value = constant + factor * x ** exponent.

    Args:
        constant: What is there at any size, in the unit of the values; 0 or more.
        factor: Of the power.
        exponent: 1 grows in proportion to x, 2 with its square.
        low: Lower end of the 95 % interval of the exponent: repeated measurements and the law's
            own misfit are in it.
        high: Upper end.
        error: Largest distance of a point from the law, as a part of the point.
        n: Sizes.
    """

    constant: float
    factor: float
    exponent: float
    low: float
    high: float
    error: float
    n: int

    def __call__(self, x: float) -> float:
        """What the law says at x."""
        return float(self.constant + self.factor * x**self.exponent)


@dataclass(frozen=True)
class Draws:
    """Seconds of every subject, and the same again and again from rounds drawn anew.

    Args:
        subjects: Names.
        seconds: (subjects,).
        resampled: (resamples, subjects).
    """

    subjects: tuple[str, ...]
    seconds: Array
    resampled: Array

    def of(self, subjects: Sequence[str]) -> tuple[Array, Array]:
        """The columns of these subjects, in this order."""
        columns = [self.subjects.index(subject) for subject in subjects]
        return self.seconds[columns], self.resampled[:, columns]


def draws(samples: Sequence[LatencySample], seed: int = 0, resamples: int = RESAMPLES) -> Draws:
    """Estimate every subject as a sitting does, and resample processes and rounds together.

    A resample takes the same rounds for all subjects, so what disturbed them alike drops out of
    their ratios. Where the machine was too busy, the least CPU time stands for each process.

    Raises:
        ValueError: There are no samples, or a round lacks a subject.
    """
    found = tables(samples)
    values = found.cpu if found.by_cpu else [shares(table) for table in found.wall]
    level = (
        1.0 if found.by_cpu else float(np.median([np.median(round_means(t)) for t in found.wall]))
    )
    pick = np.min if found.by_cpu else np.median
    rng = np.random.default_rng(seed)

    def estimate(chosen: Sequence[Array]) -> Array:
        middle: Array = np.median([pick(table, axis=0) for table in chosen], axis=0)
        return level * middle

    again = np.empty((resamples, len(found.subjects)))
    for row in again:
        drawn = [values[i] for i in rng.integers(len(values), size=len(values))]
        row[:] = estimate([table[rng.integers(len(table), size=len(table))] for table in drawn])
    return Draws(tuple(found.subjects), estimate(values), again)


def fit_growth(
    x: Sequence[float], values: Array, resampled: Array | None = None, seed: int = 0
) -> Growth:
    """Fit value = a + b x^p, with a and b not below 0 and distances taken as parts of the values.

    Points far off the law count for less (Huber's weights). The interval of the exponent is over
    fits to resampled values, each moved off the law as far as the measured ones lie off it.

    Args:
        x: Sizes, above 0: (n,).
        values: What was measured there, above 0: (n,).
        resampled: The same, measured again: (resamples, n); none for values without noise.
        seed: Fixes the draws.

    Raises:
        ScalingError: There are too few different sizes, or something is not above 0.
    """
    places, measured = np.asarray(x, dtype=float), np.asarray(values, dtype=float)
    if len(np.unique(places)) < LEAST_POINTS:
        raise ScalingError(
            f"an exponent takes {LEAST_POINTS} different sizes; got {len(np.unique(places))}"
        )
    if not ((places > 0).all() and (measured > 0).all()):
        least = min(float(places.min()), float(measured.min()))
        raise ScalingError(f"an exponent takes sizes and values above 0; got {least:g}")
    scale = float(np.exp(np.log(places).mean()))
    parts = places / scale  # around 1, so that powers stay in range
    again = np.broadcast_to(measured, (RESAMPLES, len(places))) if resampled is None else resampled
    constant, factor, exponent = (float(v[0]) for v in _fits(parts, measured[None]))
    law = constant + factor * parts**exponent
    misfit = np.log(measured / law)
    moved = again * np.exp(_about(misfit, len(again), seed))
    _, _, exponents = _fits(parts, moved)
    low, high = np.quantile(exponents, (0.025, 0.975))
    return Growth(
        constant=constant,
        factor=factor / scale**exponent,
        exponent=exponent,
        low=float(min(low, exponent)),
        high=float(max(high, exponent)),
        error=float(np.abs(law / measured - 1).max()),
        n=len(places),
    )


def _about(misfit: Array, count: int, seed: int) -> Array:
    """Misfits like those that were seen, drawn anew: (count, n).

    How large misfits are is itself known from few points, so the spread is drawn as well, as it
    is behind Student's distribution.
    """
    rng, free = np.random.default_rng(seed), len(misfit) - _UNKNOWNS
    spread = np.sqrt((misfit**2).sum() / rng.chisquare(free, size=(count, 1)))
    moved: Array = np.clip(spread * rng.standard_normal((count, len(misfit))), -_FAR, _FAR)
    return moved


def _fits(x: Array, values: Array) -> tuple[Array, Array, Array]:
    """Constants, factors and exponents of many sets of values: (m, n) -> (m,) each."""
    coarse = np.broadcast_to(_EXPONENTS, (len(values), len(_EXPONENTS)))
    _, _, exponents = _best(x, values, coarse)
    return _best(x, values, np.clip(exponents[:, None] + _FINE, 0.0, _EXPONENTS[-1]))


def _best(x: Array, values: Array, exponents: Array) -> tuple[Array, Array, Array]:
    """The best of several exponents, for each set of values: exponents (m, e)."""
    powers = x[None, None] ** exponents[..., None]  # (m, e, n)
    y = values[:, None]
    weights = np.ones(powers.shape)
    for _ in range(_ROUNDS):
        constant, factor = _weighted(powers, y, weights / y**2)
        residuals = (constant[..., None] + factor[..., None] * powers) / y - 1
        spread = 1.4826 * np.median(np.abs(residuals), axis=-1, keepdims=True) + 1e-9
        weights = np.minimum(1.0, _HUBER * spread / np.maximum(np.abs(residuals), 1e-12))
    loss = np.abs(residuals).sum(axis=-1)
    rows, pick = np.arange(len(values)), loss.argmin(axis=1)
    return constant[rows, pick], factor[rows, pick], exponents[rows, pick]


def _weighted(powers: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Least squares for y = a + b powers over the last axis, neither below 0."""
    total = weights.sum(-1)
    mean_power = (weights * powers).sum(-1) / total
    mean_y = (weights * y).sum(-1) / total
    away = powers - mean_power[..., None]
    spread = (weights * away**2).sum(-1)
    slope = (weights * away * (y - mean_y[..., None])).sum(-1) / np.maximum(spread, 1e-300)
    slope = np.where(spread > 1e-18 * total, slope, 0.0)
    through_zero = (weights * powers * y).sum(-1) / (weights * powers**2).sum(-1)
    offset = mean_y - slope * mean_power
    factor = np.where(slope <= 0, 0.0, np.where(offset < 0, through_zero, slope))
    constant = np.where(slope <= 0, mean_y, np.maximum(offset, 0.0))
    return constant, factor
