"""What networks take, as a latency model predicts it; nothing outside its range has a price."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.footing.asked import Filling, network_of
from ablate.footing.outline import Outline
from ablate.footing.prices import Widths
from ablate.footing.sums import Depths, Sums
from ablate.latency_model.model import LatencyModel, OutsideRange


class TimedSums(Sums):
    """The predicted latency of networks that differ in widths and depths alone.

    Args:
        outline: The topology.
        fillings: What fills its places.
        model: Predicts.
    """

    def __init__(self, outline: Outline, fillings: Sequence[Filling], model: LatencyModel) -> None:
        super().__init__(outline, fillings)
        self.model = model

    def cost(self, widths: Widths, depths: Depths) -> float:
        """Seconds of one call.

        Raises:
            OutsideRange: The network holds something that was never measured.
        """
        fillings = tuple(self.fillings.values())
        network = network_of(self.outline.at(widths), fillings, dict(depths))
        return self.model.predict(network)

    def quick(self, widths: Sequence[Widths], depths: Depths) -> list[float]:
        """The same of many widths; infinite outside the range of the model."""
        return [self._or_infinite(each, depths) for each in widths]

    def _or_infinite(self, widths: Widths, depths: Depths) -> float:
        try:
            return self.cost(widths, depths)
        except OutsideRange:
            return math.inf
