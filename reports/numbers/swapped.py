"""The swaps of a run: each towards the better quality, and what it does to each cost."""

from __future__ import annotations

from reports.analysis.swaps import Swap, swaps
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric
from reports.numbers.measured import cost_values, quality_values

Named = tuple[str, str, str]  # axis, level before, level after


def quality_swaps(found: Found) -> list[Swap]:
    """Every swap, the largest difference first; none where no two levels can be compared."""
    if quality_metric(found) not in found.table:
        return []
    lower = found.metrics[quality_metric(found)].better == "lower"
    made = [_towards(swap, lower) for swap in swaps(quality_values(found))]
    return sorted(made, key=lambda swap: (-abs(swap.value), *named(swap)))


def cost_swaps(found: Found, metric: str) -> dict[Named, Swap]:
    """Of one cost: by axis, level before and level after, both ways round."""
    made = swaps(cost_values(found, metric))
    return {named(swap): swap for swap in (*made, *(swap.reversed for swap in made))}


def named(swap: Swap) -> Named:
    """What a swap is known by."""
    return swap.axis, swap.before, swap.after


def _towards(swap: Swap, lower: bool) -> Swap:
    """So that the quality gets better, whichever direction that is."""
    return swap.reversed if (swap.value > 0.0) == lower else swap
