"""A space to search in that has axes and nothing behind them: no networks, no training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ablate.mix import Choice, Mix, Network, Task
from ablate.searches.space import Goal, Point


@dataclass(frozen=True)
class Alternatives:
    """An axis of a bare space."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Bare:
    """A space without networks: what a search sees of a study, and nothing else.

    Args:
        levels: How many alternatives each axis has; the last of each is called identity.
        same: The point whose mix a point describes; without it, each its own.
    """

    levels: tuple[int, ...]
    same: Callable[[Point], Point] = tuple

    @property
    def axes(self) -> tuple[Alternatives, ...]:
        """What varies."""
        return tuple(
            Alternatives(f"stage{k}", (*(f"block{i}" for i in range(n - 1)), "identity"))
            for k, n in enumerate(self.levels, 1)
        )

    @property
    def block_axes(self) -> tuple[int, ...]:
        """All of them."""
        return tuple(range(len(self.levels)))

    @property
    def goals(self) -> tuple[Goal, ...]:
        """One upwards, one downwards."""
        return (Goal("psnr", "higher"), Goal("macs", "lower"))

    @property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(self.levels)

    def points(self) -> Iterator[Point]:
        """All points, the last axis fastest."""
        return itertools.product(*(range(n) for n in self.levels))

    def at(self, index: int) -> Point:
        """The point at a position of that order."""
        point = []
        for n in reversed(self.levels):
            index, position = divmod(index, n)
            point.append(position)
        return tuple(reversed(point))

    def mix(self, point: Point) -> Mix:
        """A mix that can be told from others, and no more."""
        settings = {f"axis{axis}": position for axis, position in enumerate(self.same(point))}
        network = Network(topology=Choice.of("bare", settings), stages=())
        return Mix(task=Task(degradation=Choice(name="none")), network=network)

    def label(self, point: Point) -> str:
        """The alternatives in their order."""
        return " | ".join(axis.labels[k] for axis, k in zip(self.axes, point, strict=True))

    def point_of(self, label: str) -> Point | None:
        """The point with a label."""
        return next((point for point in self.points() if self.label(point) == label), None)

    def allows(self, point: Point) -> bool:
        """Everything may be tried."""
        return True

    def excess(self, point: Point) -> float:
        """Nothing is beyond anything."""
        return 0.0
