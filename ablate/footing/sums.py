"""What fills a network, priced at any widths and depths from the prices of its blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ablate.footing.asked import Filling
from ablate.footing.outline import Call, Outline
from ablate.footing.prices import Prices, Sizes, Widths
from ablate.mix import Choice

Depths = Mapping[str, int]  # by tie


class Sums:
    """The cost of networks that differ in widths and depths alone.

    Args:
        outline: The topology.
        fillings: What fills its places.
        prices: Of the frame and of each block.
    """

    def __init__(self, outline: Outline, fillings: Sequence[Filling], prices: Prices) -> None:
        self.outline, self.prices = outline, prices
        self.fillings = {filling.slot: filling for filling in fillings}

    def cost(self, widths: Widths, depths: Depths) -> float:
        """What the network costs.

        Raises:
            ValueError: It cannot be built so.
        """
        return self.prices.total(self.prices.rest(widths), self.inside(widths, depths))

    def inside(self, widths: Widths, depths: Depths) -> float:
        """What its blocks cost.

        Raises:
            ValueError: One of them cannot be built so.
        """
        return math.fsum(
            self.prices.block(call, choice, index, call.sizes(widths))
            for call in self.outline.calls
            for choice, index in self.blocks(call, depths)
        )

    def about(self, call: Call, sizes: Sizes, depths: Depths) -> float:
        """What the blocks of one place cost, quickly; it may be off by a little.

        Raises:
            ValueError: One of them cannot be priced.
        """
        found = self.blocks(call, depths)
        return math.fsum(self.prices.about(call, choice, index, sizes) for choice, index in found)

    def blocks(self, call: Call, depths: Depths) -> list[tuple[Choice, int]]:
        """What fills a place: each block with how many of its name come before it."""
        filling = self.fillings[call.slot]
        return numbered(filling.blocks(depths.get(filling.tie, filling.depth)))

    def fit(self, level: int, width: int, depths: Depths) -> str:
        """Why frame or blocks cannot be built at one resolution so wide; empty where they can."""
        widths = tuple(width if at == level else w for at, w in enumerate(self.outline.plain))
        if wrong := self.outline.wrong(widths):
            return wrong
        for call in self.outline.calls:
            if call.channels[0] == level:
                for choice, index in self.blocks(call, depths):
                    if wrong := self.prices.wrong(choice, index, call.sizes(widths)):
                        return wrong
        return ""


def numbered(choices: Sequence[Choice]) -> list[tuple[Choice, int]]:
    """Each block with how many of its name come before it."""
    earlier: Counter[str] = Counter()
    found = []
    for choice in choices:
        found.append((choice, earlier[choice.name]))
        earlier[choice.name] += 1
    return found
