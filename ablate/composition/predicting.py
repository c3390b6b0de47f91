"""The latency of every mix of a study at once, by its model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ablate.composition.skeletons import Fillings, Skeleton
from ablate.composition.tables import Quantity, Table, table
from ablate.latency_model.fitting import CONSTANT, RELAID, REST, SUM
from ablate.latency_model.model import LatencyModel, OutsideRange
from ablate.latency_model.parts import stage_parts
from ablate.study import Study


def latency_quantity(study: Study, found: Sequence[Skeleton], model: LatencyModel) -> Quantity:
    """Seconds of every mix; NaN where one of its parts could not be measured.

    Args:
        study: What is asked.
        found: Its frames.
        model: Measured on them.
    """
    return Quantity(tables=tuple(_table(study, skeleton, model) for skeleton in found))


def uncovered(found: Sequence[Skeleton], model: LatencyModel) -> Iterator[str]:
    """What mixes hold that was never tried to be measured, in words."""
    for skeleton in found:
        if why := model.outside_frame(skeleton.frame):
            yield why
            continue
        for part in skeleton.parts(model.by):
            if part not in model.dropped:
                try:
                    model.part(part)
                except OutsideRange as error:
                    yield str(error)


def _table(study: Study, skeleton: Skeleton, model: LatencyModel) -> Table:
    """The correction is a sum over parts too, so its coefficients go into the table."""
    weigh = {name: model.fit.coefficients.get(name, 0.0) for name in (CONSTANT, SUM, RELAID, REST)}

    def number(slot: str, option: int, fillings: Fillings) -> float:
        parts = stage_parts(skeleton.frame, slot, fillings.options[option], model.by)
        try:
            costs = [model.part(part) for part in parts]
        except OutsideRange:
            return math.nan
        return sum(weigh[SUM] * seconds + weigh[RELAID] * moved for seconds, moved in costs)

    own = math.nan
    if not model.outside_frame(skeleton.frame):
        own = weigh[CONSTANT] + (weigh[SUM] + weigh[REST]) * model.rest(skeleton.frame)
    return table(study, skeleton, own, number)
