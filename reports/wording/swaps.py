"""The words around the table of swaps: what it shows, how to read it, what it could not see."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.analysis.estimates import Values
from reports.analysis.statistics import FEWEST_SEEDS
from reports.analysis.swaps import Swap
from reports.numbers.units import Scale, count, percent, plain, spoken


def basis(swap: Swap, measured: Values) -> str:
    """What a swap is a mean of."""
    if swap.paired:
        whole = "" if swap.pairs == swap.contexts else f" of {swap.contexts}"
        return f"{swap.pairs}{whole} {'pair' if swap.pairs == swap.contexts == 1 else 'pairs'}"
    return f"a fit to {count(measured.model.design.mixes, 'mix')}"


def remark(claimed: bool, cheaper: str) -> str:
    """What follows from a row: whether it is claimed, and whether it costs more or less."""
    if not claimed:
        return f"no difference claimed, {cheaper}" if cheaper else "no difference claimed"
    return {"cheaper": "better and cheaper", "dearer": "better, but dearer"}.get(cheaper, "better")


def title(swap: Swap, shown: Scale) -> str:
    """The heading of the table.

    Args:
        swap: The first of the table.
        shown: How the quality is shown.
    """
    if not swap.claimed:
        return "What one swap changes"
    return (
        f"The swap that changes most: {swap.after} for {swap.before} at {plain(swap.axis)}, "
        f"{shown.signed(swap.value)}"
    )


def reading(made: Sequence[Swap], measured: Values) -> list[str]:
    """How to read the table, a sentence each."""
    design = measured.model.design
    said = [
        "Each row replaces one level by a better one and leaves everything else as it is: the mean "
        "difference between mixes that differ in nothing else, seed by seed, each with its "
        f"{percent(0.95)} interval."
    ]
    if any(not swap.paired for swap in made):
        said.append(
            "Where too few such pairs were tried, it is read off a fit of a sum over the choices "
            f"to all {count(design.mixes, 'mix')}."
        )
    if not design.complete and measured.misfit.known:
        said.append(
            f"{design.mixes} of {design.combinations:,} combinations were tried; intervals allow "
            "for what choices may do together in the others."
        )
    elif not design.complete:
        said.append(
            "Too few combinations were tried to tell whether a difference holds beside other "
            "choices; the intervals are about those that were tried."
        )
    if measured.claims:
        number = f"all {len(made)} comparisons" if len(made) > 1 else "the one comparison"
        said.append(
            f"Differences in bold hold together, {percent(0.95)} over {number} (Holm); for the "
            "others no difference is claimed. A cost is bold where its interval leaves out 0, or "
            "where it is a count."
        )
    else:
        said.append(f"No difference is claimed with fewer than {FEWEST_SEEDS} seeds to a mix.")
    return said


def unseen(made: Sequence[Swap], measured: Values, shown: Scale) -> str:
    """The smallest differences that could have been seen, in words."""
    sizes = sorted(swap.smallest for swap in made if math.isfinite(swap.smallest))
    if not sizes:
        return ""
    low, high = shown.text(sizes[0]), shown.text(sizes[-1])
    size = low if low == high else f"{shown.number(sizes[0])} to {high}, depending on the choice,"
    return (
        f"With {count(measured.seeds, 'seed')}, a true difference in {spoken(shown.title)} under "
        f"{size} could easily have been missed: at that size a study like this one claims it with "
        f"a probability of {percent(0.8)}, below with less (one comparison alone)."
    )
