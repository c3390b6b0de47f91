"""Which slot of a network the colours of a figure tell of."""

from __future__ import annotations

from reports.answer import quality_effects, strongest
from reports.families import by_slot
from reports.found import Found


def telling_slot(found: Found) -> str:
    """The slot that the choice which matters most fills; "" if it fills none."""
    axis = strongest(quality_effects(found))
    if axis not in found.levels:
        return ""
    levels = found.levels[axis].dropna()
    answers = list(zip(levels.index.tolist(), levels.tolist(), strict=True))
    for slot, families in by_slot(found.stages).items():
        pairs = {(level, families.get(mix)) for mix, level in answers}
        if len(pairs) == len({level for level, _ in pairs}) > 1 < len({f for _, f in pairs}):
            return slot
    return ""
