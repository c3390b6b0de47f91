"""Which slot of a network the colours of a figure tell of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.analysis.once import once
from reports.answering.answer import quality_effects, strongest
from reports.numbers.fillings import slots_apart
from reports.numbers.found import Found


@once
def telling_slot(found: Found) -> str:
    """The slot that the choice which matters most fills; "" if it fills none."""
    axis = strongest(quality_effects(found))
    if axis not in found.levels:
        return ""
    levels, names = pd.factorize(found.levels[axis])
    known = levels >= 0
    for slot, families in slots_apart(found):
        of_family, kinds = pd.factorize(families[known])
        pairs = np.unique(levels[known] * max(len(kinds), 1) + of_family)
        if len(pairs) == len(names) > 1 < len(kinds):
            return slot
    return ""
