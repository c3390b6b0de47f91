"""Why to be careful with an answer: what the study could not see, and what its means leave out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.analysis.effects import Effects
from reports.analysis.interactions import interactions
from reports.analysis.power import smallest_difference
from reports.analysis.seeds import scatter
from reports.analysis.statistics import FEWEST_SEEDS
from reports.analysis.swaps import swaps
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.goals import plain_place, quality_metric, scale
from reports.numbers.measured import quality_values
from reports.numbers.units import count, percent, share, spoken

ADDITIVE = 0.8  # share of the variance that effects explain, from which on choices just add up


@dataclass(frozen=True)
class Sight:
    """How small a difference between two mixes a study could have seen.

    Args:
        sd: Standard deviation of one seed's value, beside what its mix and its seed add.
        seeds: To a mix, in the middle.
        smallest: The smallest true difference that would probably have been claimed (80 %).
        unseen: Share of the pairs of mixes that differ by less.
    """

    sd: float
    seeds: int
    smallest: float
    unseen: float


def sight(found: Found) -> Sight | None:
    """What could have been seen; None where seeds can't tell, or there are fewer than two mixes."""
    quality = quality_metric(found)
    if quality not in found.per_seed or quality not in found.ranked:
        return None
    known = found.ranked[quality].notna().to_numpy()
    values = found.seeds(quality)[known].to_numpy(dtype=float)
    if len(values) < 2:
        return None
    sd, degrees = scatter(values)
    counts = (~np.isnan(values)).sum(axis=1)
    seeds = int(np.median(counts[counts > 0])) if counts.any() else 0
    if not degrees or seeds < FEWEST_SEEDS:
        return None
    smallest = smallest_difference(sd * math.sqrt(2.0), seeds, degrees=degrees)
    means = np.sort(found.ranked[quality].to_numpy(dtype=float)[known])
    reach = np.searchsorted(means, means + smallest, side="left") - np.arange(len(means)) - 1
    pairs = len(means) * (len(means) - 1) / 2
    return Sight(sd, seeds, smallest, float(reach.clip(0).sum()) / pairs)


def sight_words(found: Found, seen: Sight) -> str:
    """How small a difference could have been seen, in a sentence."""
    shown = scale(found, quality_metric(found))
    return (
        f"{count(seen.seeds, 'seed')} that scatter by {shown.text(seen.sd)}: two mixes that differ "
        f"by less than {shown.text(seen.smallest)} could easily be taken for alike."
    )


def together_words(found: Found, effects: Effects) -> str:
    """Whether choices depend on each other, in a sentence; "" where they just add up."""
    if len({effect.axis for effect in effects.effects}) < 2:
        return ""
    pairs = [pair for pair in interactions(quality_values(found)).pairs if pair.interacts]
    if pairs:
        one, other = (plain_place(axis) for axis in pairs[0].axes)
        more = f", and {count(len(pairs) - 1, 'more pair')}" if len(pairs) > 1 else ""
        return f"What fits {one} depends on {other}{more}: read mixes and interactions, not means."
    if not effects.explained < ADDITIVE:
        return ""
    return (
        f"Adding up the mean effects explains only {share(effects.explained)} of the variance "
        "between mixes (adjusted R²); whether choices interact or seeds scatter can't be told."
    )


def doubts(found: Found, effects: Effects) -> tuple[str, ...]:
    """Everything that is to be kept in mind, a sentence each."""
    said = []
    together = together_words(found, effects)
    said += [together] if together else []
    if effects.effects and not effects.complete:
        said.append(
            "Not every combination was tried; mean effects are fitted as a sum over the choices."
        )
    seen = sight(found)
    if seen is not None:
        said.append(sight_words(found, seen))
    if seed_counts(found).most >= FEWEST_SEEDS and len(found.ranked) > 2:
        quality = spoken(scale(found, quality_metric(found)).title)
        each = f"intervals of {quality} are {percent(0.95)}, each by itself."
        claims = any(swap.claimed for swap in swaps(quality_values(found)))
        together = f"Of the choices, all claims hold together at {percent(0.95)}; "
        said.append(f"{together}{each}" if claims else each[:1].upper() + each[1:])
    return tuple(said)
