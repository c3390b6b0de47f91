"""Which of two mixes is better, and which of such verdicts another training turned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reports.analysis.seeds import most_seeds, scatter
from reports.analysis.statistics import FEWEST_SEEDS, Numbers, holm, t_probability


@dataclass(frozen=True)
class Turned:
    """What became of the verdicts on pairs of mixes from one training to another.

    Args:
        pairs: Pairs in all.
        before: Pairs that were told apart at first.
        kept: Of these, those that are told apart in the same way.
        faded: Of these, those that can no longer be told apart.
        new: Pairs that are told apart only now.
        reversed: Pairs (better at first, better now) that changed sides, as positions.
    """

    pairs: int
    before: int
    kept: int
    faded: int
    new: int
    reversed: tuple[tuple[int, int], ...]


def verdicts(values: Numbers, level: float = 0.95) -> dict[tuple[int, int], int]:
    """For each pair of mixes 1 if the first is better, -1 if the second is, 0 if nobody can tell.

    A difference of means over common seeds is held against the scatter of all mixes together
    (`seeds.scatter`, with its degrees of freedom), by Student's t; over all pairs the claims hold
    together with the level's probability (Holm). With fewer seeds than any claim needs nobody can
    tell.

    Args:
        values: (mixes, seeds), higher is better; NaN where a mix lacks a seed.
        level: Of all claims together.
    """
    sd, degrees = scatter(values) if most_seeds(values) >= FEWEST_SEEDS else (math.nan, 0)
    pairs = list(itertools.combinations(range(len(values)), 2))
    found = [_difference(values[one] - values[other], sd, degrees) for one, other in pairs]
    claimed = holm([p_value for _, p_value in found], level)
    return {
        pair: int(np.sign(gap)) if claim else 0
        for pair, (gap, _), claim in zip(pairs, found, claimed, strict=True)
    }


def _difference(gaps: Numbers, sd: float, degrees: int) -> tuple[float, float]:
    """Mean difference over common seeds and its two-sided p-value; 1 where nothing is known."""
    n = int((~np.isnan(gaps)).sum())
    if not n or degrees < 1:
        return 0.0, 1.0
    gap = float(np.nansum(gaps)) / n
    error = sd * math.sqrt(2.0 / n)
    if error == 0.0:
        return gap, float(gap == 0.0)
    return gap, 2.0 * (1.0 - t_probability(abs(gap) / error, degrees))


def turned(before: Numbers, after: Numbers) -> Turned:
    """What became of the verdicts.

    Args:
        before: (mixes, seeds) of one training.
        after: (mixes, seeds) of another, of the same mixes.
    """
    first, then = verdicts(before), verdicts(after)
    told = [pair for pair, side in first.items() if side]
    return Turned(
        pairs=len(first),
        before=len(told),
        kept=sum(then[pair] == first[pair] for pair in told),
        faded=sum(then[pair] == 0 for pair in told),
        new=sum(bool(side) and not first[pair] for pair, side in then.items()),
        reversed=tuple(_reversed(first, then)),
    )


def _reversed(
    first: dict[tuple[int, int], int], then: dict[tuple[int, int], int]
) -> Iterator[tuple[int, int]]:
    for pair, side in first.items():
        if side * then[pair] < 0:
            yield pair if side > 0 else pair[::-1]
