"""From sums of parts to whole networks: a correction that is fitted to a few measured ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONSTANT, SUM, RELAID, REST = "constant", "sum", "relaid", "rest"
BOUNDARY: tuple[str, ...] = (RELAID, REST)  # taken only where they help
GAIN = 0.9  # a further term must bring the error of what was left out below this much of it
EXACT = 1e-6  # a relative error that no measurement can see
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a network's time is made of, before it is corrected.

    Args:
        total: Seconds: what is around the stages plus the stages, each by itself.
        rest: Seconds of what is around the stages alone.
        relaid: Elements that stages hand on in another memory layout than the base's do.
    """

    total: float
    rest: float
    relaid: float = 0.0

    def column(self, name: str) -> float:
        """The value that a coefficient of this name is multiplied by."""
        return {CONSTANT: 1.0, SUM: self.total, RELAID: self.relaid, REST: self.rest}[name]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Seconds of a network = sum of coefficients times terms.

    Args:
        coefficients: By term: constant (s), sum, and rest and relaid (s per element) where they
            lower the error of networks left out.
        left_out: Mean relative error of each network under the fit to the others.
    """

    coefficients: Mapping[str, float]
    left_out: float

    def seconds(self, terms: Terms) -> float:
        """What a network with these terms takes."""
        return sum(value * terms.column(name) for name, value in self.coefficients.items())


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How predicted values compare with measured ones.

    Args:
        n: Networks.
        mape: Mean of the relative errors.
        worst: The largest of them.
        tau: Kendall's rank correlation, ties as ties; NaN for fewer than two networks.
        r2: Share of the variance that is explained; NaN where nothing varies.
    """

    n: int
    mape: Interval
    worst: float
    tau: Interval
    r2: float


def fit(terms: Sequence[Terms], seconds: Sequence[float]) -> Fit:
    """Fit the correction to measured networks, in relative terms.

    An affine function of the sum, or a multiple of it where that predicts what is left out
    better; then the boundary terms that lower this error, the best first. A law by which more
    work takes less time, or half the work of the smallest network none, is not considered.

    Raises:
        ValueError: There are fewer than two networks.
    """
    if len(terms) < 2:
        raise ValueError(f"a correction needs at least 2 measured networks; got {len(terms)}")
    measured = np.asarray(seconds, dtype=np.float64)

    def left_out(names: Sequence[str]) -> float:
        matrix = _matrix(terms, names)
        law = dict(zip(names, map(float, _solved(matrix, measured)), strict=True))
        return _left_out(matrix, measured) if _sensible(law, terms) else math.inf

    forms: list[list[str]] = [[SUM]] + ([[CONSTANT, SUM]] if len(terms) > 2 else [])
    chosen = min(forms, key=left_out)
    for _ in BOUNDARY:
        further = [[*chosen, name] for name in BOUNDARY if name not in chosen]
        further = [names for names in further if _tells(_matrix(terms, names))]
        best = min(further, key=left_out, default=chosen)
        if left_out(best) >= GAIN * left_out(chosen) or left_out(chosen) < EXACT:
            break
        chosen = best
    values = _solved(_matrix(terms, chosen), measured)
    named = dict(zip(chosen, map(float, values), strict=True))
    return Fit(coefficients=named, left_out=left_out(chosen))


def _sensible(law: Mapping[str, float], terms: Sequence[Terms]) -> bool:
    """Whether time grows with the sum, and is positive also for half the smallest network."""
    least = min(terms, key=lambda row: row.total)
    half = replace(least, total=least.total / 2, rest=least.rest / 2)
    fitted = Fit(coefficients=law, left_out=0.0)
    return law[SUM] > 0 and all(fitted.seconds(row) > 0 for row in [half, *terms])


def agreement(predicted: Sequence[float], measured: Sequence[float], seed: int = 0) -> Agreement:
    """Compare predictions with measurements; intervals by drawing networks with replacement.

    Raises:
        ValueError: There is nothing to compare, or not as much of one as of the other.
    """
    if len(predicted) != len(measured) or not len(measured):
        raise ValueError(f"{len(predicted)} predictions for {len(measured)} measurements")
    p, m = (np.asarray(values, dtype=np.float64) for values in (predicted, measured))
    errors = np.abs(p / m - 1)
    variance = float(((m - m.mean()) ** 2).sum())
    return Agreement(
        n=len(m),
        mape=_interval(lambda chosen: float(errors[chosen].mean()), len(m), seed),
        worst=float(errors.max()),
        tau=_interval(lambda chosen: kendall(p[chosen], m[chosen]), len(m), seed),
        r2=1 - float(((p - m) ** 2).sum()) / variance if variance else float("nan"),
    )


def kendall(first: Array, second: Array) -> float:
    """Kendall's tau-b of two rankings; NaN where one of them ranks nothing."""
    rows, columns = np.triu_indices(len(first), 1)
    x, y = (np.sign(values[rows] - values[columns]) for values in (first, second))
    scale = float(np.sqrt((x != 0).sum() * (y != 0).sum()))
    return float((x * y).sum()) / scale if scale else float("nan")


def _interval(estimate: Callable[[NDArray[np.int64]], float], count: int, seed: int) -> Interval:
    """An estimate with its bootstrap interval."""
    rng, value = np.random.default_rng(seed), estimate(np.arange(count))
    drawn = [estimate(rng.integers(count, size=count)) for _ in range(RESAMPLES)]
    known = np.asarray([number for number in drawn if np.isfinite(number)])
    if not len(known):
        return Interval(value=value, low=value, high=value)
    low, high = np.quantile(known, (0.025, 0.975))
    return Interval(value=value, low=float(low), high=float(high))


def _matrix(terms: Sequence[Terms], names: Sequence[str]) -> Array:
    return np.array([[row.column(name) for name in names] for row in terms])


def _tells(matrix: Array) -> bool:
    """Whether there are enough networks for so many terms, and no term follows from the others."""
    rows, columns = matrix.shape
    scaled = matrix / np.maximum(np.abs(matrix).max(axis=0), 1e-300)
    rank = int(np.linalg.matrix_rank(scaled, tol=1e-6))
    return bool(columns + 2 <= rows and rank == columns)


def _solved(matrix: Array, measured: Array) -> Array:
    """Least squares of the relative errors; columns are brought to one scale first."""
    relative = matrix / measured[:, None]
    scale = np.abs(relative).max(axis=0)
    scale[scale == 0] = 1
    solution: Array = np.linalg.lstsq(relative / scale, np.ones(len(measured)), rcond=1e-9)[0]
    unscaled: Array = solution / scale
    return unscaled


def _left_out(matrix: Array, measured: Array) -> float:
    """Mean relative error of each network under the fit to the others."""
    errors = []
    for number in range(len(measured)):
        others = np.arange(len(measured)) != number
        solution = _solved(matrix[others], measured[others])
        errors.append(abs(float(matrix[number] @ solution) / measured[number] - 1))
    return float(np.mean(errors))
