"""Where there are too many mixes to draw each: which are drawn, and the rest counted in squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.pareto import Mask
from reports.analysis.statistics import Numbers
from reports.graphics.axes import Axis
from reports.numbers.fillings import Codes
from reports.numbers.found import Found
from reports.plot.facets import facets
from reports.plot.measures import Measure

MOST = 2000  # mixes that are drawn one by one
SINGLES = 600  # mixes that are, where there are more than that
COLUMNS, ROWS = 60, 30  # squares of about 15 pixels on a wide screen
MOST_ACCURACIES, MOST_COSTS = 3, 6  # that can be chosen where mixes are counted


@dataclass(frozen=True)
class Crowd:
    """Mixes counted in the squares of a grid.

    Args:
        cells: Column from the left, row from the bottom and number of mixes of each square that
            is not empty.
        total: How many mixes they count.
        most: How many the fullest square counts.
        beyond: Mixes outside the grid.
    """

    cells: tuple[tuple[int, int, int], ...]
    total: int
    most: int
    beyond: int


def crowd(x: Numbers, y: Numbers) -> Crowd:
    """Count points in squares.

    Args:
        x: (points,) positions across, 0 to 1 inside the plot; NaN is left out.
        y: (points,) positions upwards.
    """
    known = ~(np.isnan(x) | np.isnan(y))
    inside = known & (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    columns = np.minimum((x[inside] * COLUMNS).astype(int), COLUMNS - 1)
    rows = np.minimum((y[inside] * ROWS).astype(int), ROWS - 1)
    counts = np.bincount(rows * COLUMNS + columns, minlength=COLUMNS * ROWS)
    full = np.flatnonzero(counts)
    return Crowd(
        cells=tuple((int(at % COLUMNS), int(at // COLUMNS), int(counts[at])) for at in full),
        total=int(inside.sum()),
        most=int(counts.max()),
        beyond=int((known & ~inside).sum()),
    )


def crowds(
    known: Sequence[Measure], homes: dict[str, Axis], rest: Mask
) -> dict[tuple[str, str], Crowd]:
    """A grid for each cost across and accuracy up.

    Args:
        known: What can be drawn along an axis.
        homes: Measure -> its axis.
        rest: (mixes,) those that are not drawn one by one.
    """
    places = {each.name: homes[each.name].shares(each.value[rest]) for each in known}
    return {
        (x.name, y.name): crowd(places[x.name], places[y.name])
        for x in known
        for y in known
        if not x.accuracy and y.accuracy
    }


def singles(
    found: Found, mixes: pd.Index[str], known: Sequence[Measure], always: Sequence[str]
) -> Mask:
    """Which mixes are drawn one by one: those on a front, of all or of one answer to a question.

    The fronts of all mixes come first, over every cost and accuracy; then those of the mixes with
    one level of a choice, until there are SINGLES.

    Args:
        found: What was found.
        mixes: All that compete.
        known: Their measures.
        always: Keys of mixes that are drawn in any case.

    Returns:
        (mixes,)
    """
    chosen: Mask = np.asarray(mixes.isin(list(always)))
    for members in _fronts(found, mixes, known):
        more = chosen | members
        if more.sum() > SINGLES:
            break
        chosen = more
    return chosen


def _fronts(found: Found, mixes: pd.Index[str], known: Sequence[Measure]) -> Iterator[Mask]:
    pairs = [(x, y) for y in known if y.accuracy for x in known if not x.accuracy]
    sorted_pairs = [sorted_pair(x, y) for x, y in pairs]
    everyone = np.ones(len(mixes), dtype=bool)
    for each in sorted_pairs:
        yield edge_of(each, everyone)
    questions = facets(found, mixes)
    for each in sorted_pairs:
        for facet in questions:
            for code in range(len(facet.options)):
                yield edge_of(each, facet.codes == code)


@dataclass(frozen=True)
class SortedPair:
    """Two measures of all mixes, sorted once so that the front of any part of them is one pass.

    Args:
        order: Mixes that have both, the best across first, and the best up among equal ones.
        across: (mixes,) lower is better.
        up: (mixes,) lower is better.
    """

    order: Codes
    across: Numbers
    up: Numbers


def sorted_pair(x: Measure, y: Measure) -> SortedPair:
    """Sort mixes by two measures."""
    across, up = (each.value * (-1.0 if each.better == "higher" else 1.0) for each in (x, y))
    order = np.lexsort((up, across))
    return SortedPair(order[~np.isnan(across[order] + up[order])], across, up)


def edge_of(pair: SortedPair, among: Mask) -> Mask:
    """The front of some of the mixes; equal mixes stay both.

    Args:
        pair: Two measures of all mixes.
        among: (mixes,) whose front it is.

    Returns:
        (mixes,)
    """
    at = pair.order[among[pair.order]]
    mask: Mask = np.zeros(len(among), dtype=bool)
    if len(at):
        up, across = pair.up[at], pair.across[at]
        better = np.append(True, up[1:] < np.minimum.accumulate(up)[:-1])
        last = np.flatnonzero(better)[np.cumsum(better) - 1]  # the front's mix before each
        mask[at] = better | ((up == up[last]) & (across == across[last]))
    return mask


def offered(known: Sequence[Measure]) -> tuple[Measure, ...]:
    """The first few accuracies and costs: each pair of them takes room in the page."""
    accuracies = [each for each in known if each.accuracy]
    costs = [each for each in known if not each.accuracy]
    return (*accuracies[:MOST_ACCURACIES], *costs[:MOST_COSTS])
