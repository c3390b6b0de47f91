"""Prices of a study whose mixes are brought to one cost: each has widths of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import torch

from ablate.composition.counting import Setting
from ablate.composition.tables import CHUNK, Array, Priced
from ablate.footing import FootingError
from ablate.latency_model.model import LatencyModel
from ablate.mix import Network
from ablate.network import build
from ablate.profiling.flops import count_macs, count_parameters
from ablate.profiling.memory import forecast_inference
from ablate.searches import Point
from ablate.study import Study

Price = Callable[[Network], float]

FEW = 1000  # points of which each can be solved for and priced while somebody waits


class Pointwise:
    """Prices networks one by one: a `Grid` for studies whose networks no table can hold.

    Args:
        study: What is asked.
        prices: What is priced, by name; NaN is outside the range.
    """

    def __init__(self, study: Study, prices: Mapping[str, Price]) -> None:
        self._study = study
        self._prices_of = {name: cache(price) for name, price in prices.items()}

    def prices(self, chunk: int = CHUNK) -> Iterator[Priced]:
        """All points, the last axis fastest, so many at a time."""
        for start in range(0, self._study.size, chunk):
            numbers = range(start, min(start + chunk, self._study.size))
            yield Priced(start=start, values=self.at([self._study.at(n) for n in numbers]))

    def at(self, points: Sequence[Point]) -> dict[str, Array]:
        """What these points cost, by quantity; NaN also where a mix cannot be brought there."""
        networks = [self._network(point) for point in points]
        return {
            name: np.array([math.nan if one is None else price(one) for one in networks])
            for name, price in self._prices_of.items()
        }

    def _network(self, point: Point) -> Network | None:
        try:
            return self._study.mix(point).network
        except FootingError:
            return None


def predicted(model: LatencyModel) -> Price:
    """Seconds by a model, NaN outside its range."""
    return lambda network: math.nan if model.outside(network) else model.predict(network)


def counter(name: str, setting: Setting) -> Price:
    """Counts params, macs or peak_memory of a whole network, on tensors without memory."""

    def count(network: Network) -> float:
        with torch.device("meta"):
            model = build(network)
        if name == "params":
            return float(count_parameters(model))
        if name == "macs":
            return float(count_macs(model, setting.size, channels=setting.channels).total)
        profile = setting.profile
        memory = forecast_inference(
            model,
            setting.shape,
            precision=profile.precision[0],
            channels_last=profile.channels_last,
        )
        return float(memory.peak)

    return count
