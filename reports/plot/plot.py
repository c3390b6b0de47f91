"""Everything that the plot can show of a run, whichever axes are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.pareto import Mask
from reports.answering.answer import Answer
from reports.answering.colours import telling_slot
from reports.graphics.axes import Axis
from reports.graphics.families import Look, by_slot, look
from reports.numbers.found import Found
from reports.numbers.goals import cost_metric, quality_metric
from reports.plot.crowd import MOST, Crowd, crowds, offered, singles
from reports.plot.evidence import Evidence, evidence
from reports.plot.facets import Facet, Slot, facets, slots
from reports.plot.measures import Measure, home, measures

FEW = 200  # mixes without a result that can be compared, in a study of very many


@dataclass(frozen=True)
class Plot:
    """Mixes, their numbers, and what they can be told apart by.

    Args:
        mixes: Keys: those that compete first, then baselines and mixes without a result, which
            can be compared but are not drawn.
        competing: How many compete, of those that are drawn one by one.
        total: How many mixes the study has, baselines left out.
        measures: What can be drawn along an axis, with a value for each of the mixes.
        homes: Measure -> the axis it is first drawn along.
        x: The measure across at first; "" if no mix has both.
        y: The measure up at first.
        facets: What the mixes can be filtered by.
        slots: What fills their stages.
        colours: Slot -> how each mix is drawn where that slot colours it.
        slot: The slot that colours them at first.
        evidence: What it takes to tell two of them apart.
        pinned: Keys of the mixes that are compared at first.
        crowds: For each cost across and accuracy up, the mixes that are counted in squares.
    """

    mixes: tuple[str, ...]
    competing: int
    total: int
    measures: tuple[Measure, ...]
    homes: Mapping[str, Axis]
    x: str
    y: str
    facets: tuple[Facet, ...]
    slots: tuple[Slot, ...]
    colours: Mapping[str, tuple[Look, ...]]
    slot: str
    evidence: Evidence
    pinned: tuple[str, ...]
    crowds: Mapping[tuple[str, str], Crowd]

    def measure(self, name: str) -> Measure:
        """The measure of this name."""
        return next(each for each in self.measures if each.name == name)


def plot(found: Found, said: Answer, most: int = MOST) -> Plot:
    """Gather what the plot can show.

    Args:
        found: What was found.
        said: The answer; the mixes that it names are compared at first.
        most: How many mixes are drawn one by one before those off the fronts are counted.
    """
    ranked = found.ranked.index
    known = measures(found, ranked)
    if len(ranked) > most:  # a grid for each pair of them
        known = offered(known)
    homes = {each.name: home(each) for each in known}
    pinned = pins(found, said)
    drawn: Mask = np.ones(len(ranked), dtype=bool)
    counted: dict[tuple[str, str], Crowd] = {}
    if len(ranked) > most:
        drawn = singles(found, ranked, known, [*found.letters, *pinned])
        counted = crowds(known, homes, ~drawn)
    mixes = ranked[drawn].append(_others(found, most))
    x, y = _axes(found, known)
    colours = _colours(found, mixes)
    return Plot(
        mixes=tuple(map(str, mixes)),
        competing=int(drawn.sum()),
        total=int((~found.table["baseline"]).sum()),
        measures=tuple(m for m in measures(found, mixes) if m.name in homes),
        homes=homes,
        x=x,
        y=y,
        facets=facets(found, mixes),
        slots=slots(found, mixes),
        colours=colours,
        slot=_slot(found, colours),
        evidence=evidence(found, mixes),
        pinned=pinned,
        crowds=counted,
    )


def pins(found: Found, said: Answer) -> tuple[str, ...]:
    """The mixes that are compared at first: the best, and what would be taken in its stead.

    That is the cheaper mix that the answer names; if it names none, the next best on the front.
    """
    letters = list(found.letters)
    if not said.best:
        return tuple(letters[:1])
    beside = [said.cheaper] if said.cheaper else []
    if not beside and said.best in letters:
        at = letters.index(said.best)
        beside = letters[at - 1 : at] or letters[at + 1 : at + 2]
    return (said.best, *beside)


def _axes(found: Found, known: Sequence[Measure]) -> tuple[str, str]:
    """The cost across and the accuracy up that are shown first; "" if no mix has both."""
    by_name = {each.name: each for each in known}
    x, y = by_name.get(cost_metric(found)), by_name.get(quality_metric(found))
    if x is None or y is None or not (~np.isnan(x.value) & ~np.isnan(y.value)).any():
        return "", ""
    return x.name, y.name


def _others(found: Found, most: int) -> pd.Index[str]:
    """Baselines, and as many of the mixes without a result as can be listed."""
    rest = found.table.index.difference(found.ranked.index, sort=False)
    first = rest[found.table.loc[rest, "baseline"].to_numpy(dtype=bool)]
    room = most if len(found.table) <= most else FEW
    others: pd.Index[str] = first.append(rest.difference(first, sort=False)[:room])
    return others


def _colours(found: Found, mixes: pd.Index[str]) -> dict[str, tuple[Look, ...]]:
    baselines = found.table.index[found.table["baseline"]]
    stages = found.stages[found.stages["mix"].isin(mixes.difference(baselines))]
    families = by_slot(stages)
    return {
        name: tuple(look(of.get(str(mix), "")) for mix in mixes) for name, of in families.items()
    }


def _slot(found: Found, colours: Mapping[str, object]) -> str:
    """The slot that the choice which matters most fills, or else the first that varies."""
    slot = telling_slot(found)
    return slot if slot in colours else next(iter(colours))
