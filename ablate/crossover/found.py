"""What is found of blocks as they grow: courses, duels, crossings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ablate.crossover.grid import Axis
from ablate.profiling.scaling import Growth

Quantity = Literal["latency", "memory"]


@dataclass(frozen=True, kw_only=True)
class Course:
    """One contestant along one axis.

    Args:
        name: Of the contestant.
        quantity: latency in seconds, or memory in bytes.
        axis: What varies.
        x: Its values, ascending; those at which the contestant runs.
        values: What it takes there.
        low: Lower ends of the 95 % intervals.
        high: Upper ends.
        growth: The fitted law; over pixels (the square of the size) where the size varies.
        reason: Why there is no law; empty where there is one.
    """

    name: str
    quantity: Quantity
    axis: Axis
    x: tuple[int, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    growth: Growth | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Where one contestant overtakes another.

    Args:
        below: Who takes less at smaller values.
        above: Who takes less at larger ones.
        at: The value of the axis at which both take the same, interpolated.
        low: Lower end of its 95 % interval.
        high: Upper end.
        between: The nearest values that were measured and at which the two can be told apart.
    """

    below: str
    above: str
    at: float
    low: float
    high: float
    between: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Two contestants along one axis.

    Args:
        first: One.
        second: The other.
        quantity: latency or memory.
        axis: What varies.
        x: The values at which both run.
        ratios: What the first takes over what the second takes, there.
        better: Who takes less there; empty where the two are not separable.
        crossings: Where one overtakes the other, ascending; none where neither does.
    """

    first: str
    second: str
    quantity: Quantity
    axis: Axis
    x: tuple[int, ...]
    ratios: tuple[float, ...]
    better: tuple[str, ...]
    crossings: tuple[Crossing, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All contestants along all axes.

    Args:
        courses: How each grows.
        duels: Each against each.
        dropped: Cases that cannot be run, with the reason.
        note: What to know before believing the latencies; empty when all went well.
    """

    courses: tuple[Course, ...]
    duels: tuple[Duel, ...]
    dropped: Mapping[str, str]
    note: str
