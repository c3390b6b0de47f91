"""Round numbers along an axis, and where a value lies on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reports.analysis.statistics import Numbers


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers to draw along.

    Args:
        low: Value at the start.
        high: Value at the end.
        log: Equal ratios, not differences, are equally far apart.
        ticks: Round values between the two.
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Position of a value: 0 at the start, 1 at the end."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def clipped(self, value: float) -> float:
        """Position, held between 0 and 1."""
        return min(max(self.at(value), 0.0), 1.0)

    def shares(self, values: Numbers) -> Numbers:
        """Positions of many values; NaN stays NaN, as does what has no logarithm."""
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        known = np.where(values > 0, values, np.nan)
        return np.log(known / self.low) / math.log(self.high / self.low)

    def label(self, tick: float) -> str:
        """A tick as text, with as many decimals as the ticks need."""
        if tick == 0:
            return "0"
        if self.log:
            return f"{tick:g}"
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(tick)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if round(step, decimals) != round(step, decimals + 2):  # steps of 2.5
            decimals += 1
        return f"{tick:.{decimals}f}".replace("-", "−")


def axis(values: Sequence[float], *, ticks: int = 5, log: bool = False, pad: float = 0.06) -> Axis:
    """An axis that holds all values with a little room at both ends.

    Args:
        values: At least one finite number; positive if log.
        ticks: About how many ticks.
        log: Whether the axis is logarithmic.
        pad: Room at each end, as a share of the stretch.
    """
    low, high = min(values), max(values)
    if log:
        room = (high / low) ** pad if high > low else 1.25
        return between(low / room, high * room, ticks=ticks, log=True)
    room = (high - low) * pad or abs(high) * 0.05 or 0.5
    return between(low - room, high + room, ticks=ticks)


def between(low: float, high: float, *, ticks: int = 5, log: bool = False) -> Axis:
    """An axis from one value to another, with round numbers along it."""
    found = _log_ticks(low, high, ticks) if log else _linear_ticks(low, high, ticks)
    return Axis(low, high, log, found)


def wants_log(values: Sequence[float]) -> bool:
    """Whether positive values stretch over more than a factor of eight."""
    return min(values) > 0 and max(values) / min(values) > 8


def _linear_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(n * step for n in range(first, last + 1))


def _log_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = tuple(m * 10.0**e for e in exponents for m in steps if low <= m * 10.0**e <= high)
        if len(ticks) >= min(wanted, 4):
            return ticks
    return _linear_ticks(low, high, wanted) if len(ticks) < 3 else ticks


def svg_path(points: Iterable[tuple[float, float]]) -> str:
    """Points as a path in a field of 1000 by 1000."""
    return "M" + "L".join(f"{1000 * x:.0f} {1000 * y:.0f}" for x, y in points)
