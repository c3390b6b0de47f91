"""What networks cost that differ in widths and depths alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence

from ablate.footing.asked import Filling
from ablate.footing.outline import Call, Outline, Sizes
from ablate.footing.prices import Counted, Widths
from ablate.mix import Choice

Depths = Mapping[str, int]  # by tie


class Sums(ABC):
    """The cost of networks of one topology and one filling.

    Args:
        outline: The topology.
        fillings: What fills its places.
    """

    def __init__(self, outline: Outline, fillings: Sequence[Filling]) -> None:
        self.outline = outline
        self.fillings = {filling.slot: filling for filling in fillings}

    @abstractmethod
    def cost(self, widths: Widths, depths: Depths) -> float:
        """What the network of these sizes costs.

        Raises:
            ValueError: It cannot be built so, or cannot be priced.
        """

    @abstractmethod
    def quick(self, widths: Sequence[Widths], depths: Depths) -> list[float]:
        """The same of many widths; it may be off by a little, and infinite what has no price.

        Raises:
            ValueError: They cannot be priced.
        """

    def blocks(self, call: Call, depths: Depths) -> list[tuple[Choice, int]]:
        """What fills a place: each block with how many of its name come before it."""
        filling = self.fillings[call.slot]
        return numbered(filling.blocks(depths.get(filling.tie, filling.depth)))

    def wrong(self, level: int, width: int, depths: Depths) -> str:
        """Why frame or blocks cannot be built at one resolution so wide; empty where they can."""
        widths = tuple(width if at == level else w for at, w in enumerate(self.outline.plain))
        if wrong := self.outline.wrong(widths):
            return wrong
        for call in self.outline.calls:
            if call.channels[0] == level:
                for choice, index in self.blocks(call, depths):
                    if wrong := self.outline.block_wrong(choice, index, call.sizes(widths)):
                        return wrong
        return ""


class CountedSums(Sums):
    """Costs that are counted: they add up exactly from frame and blocks.

    Args:
        outline: The topology.
        fillings: What fills its places.
        prices: Of the frame and of each block.
    """

    def __init__(self, outline: Outline, fillings: Sequence[Filling], prices: Counted) -> None:
        super().__init__(outline, fillings)
        self.prices = prices

    def cost(self, widths: Widths, depths: Depths) -> float:
        """What the network of these sizes costs, exactly."""
        inside = math.fsum(
            self.prices.block(call, choice, index, call.sizes(widths))
            for call in self.outline.calls
            for choice, index in self.blocks(call, depths)
        )
        return self.prices.rest(widths) + inside

    def quick(self, widths: Sequence[Widths], depths: Depths) -> list[float]:
        """The same of many widths, by laws."""
        stages: dict[tuple[int, Sizes], float] = {}
        costs = []
        for each, rest in zip(widths, self.prices.rests(widths), strict=True):
            keys = [(at, call.sizes(each)) for at, call in enumerate(self.outline.calls)]
            for at, sizes in keys:
                if (at, sizes) not in stages:
                    stages[at, sizes] = self._about(self.outline.calls[at], sizes, depths)
            costs.append(rest + math.fsum(stages[key] for key in keys))
        return costs

    def _about(self, call: Call, sizes: Sizes, depths: Depths) -> float:
        found = self.blocks(call, depths)
        return math.fsum(self.prices.about(call, choice, index, sizes) for choice, index in found)


def numbered(choices: Sequence[Choice]) -> list[tuple[Choice, int]]:
    """Each block with how many of its name come before it."""
    earlier: Counter[str] = Counter()
    found = []
    for choice in choices:
        found.append((choice, earlier[choice.name]))
        earlier[choice.name] += 1
    return found
