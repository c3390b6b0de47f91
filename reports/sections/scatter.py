"""Accuracy against cost: where each mix lies, and the staircase that no other mix beats."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.pareto import front
from reports.analysis.statistics import FEWEST_SEEDS, Numbers
from reports.answer import quality_effects, quality_metric, scale, strongest
from reports.axes import Axis, axis, wants_log
from reports.families import Look, by_slot, look, looks
from reports.found import Found
from reports.units import percent

PAD = 0.1  # room above and below, as a share of what is drawn
FEWEST_POINTS = 1 / 3  # share of the height that the points keep, however long their bars are


@dataclass(frozen=True)
class Point:
    """One mix in the plot; positions are shares of the plot's width and height, from top left.

    Args:
        mix: Its key.
        says: What a screen reader says of it.
        letter: Its letter on the front, or "".
        on_front: Whether it is on the front of the study.
        x: Across.
        y: Down.
        across: Ends of the interval of the cost; empty if there is none.
        down: Ends of the interval of the quality.
        below: It lies outside the plot and is drawn at its edge.
    """

    mix: str
    says: str
    letter: str
    on_front: bool
    x: float
    y: float
    across: tuple[float, ...]
    down: tuple[float, ...]
    below: bool


@dataclass(frozen=True)
class Panel:
    """The plot over one cost.

    Args:
        metric: The cost.
        title: Its name, for the button that shows this panel.
        heading: Its name and unit, for the axis.
        xticks: Positions and labels.
        yticks: Positions and labels.
        points: The mixes, from left to right.
        steps: Corners of the staircase, from left to right.
        log: Whether the cost is drawn on a logarithmic axis.
        below: How many mixes lie below the plot.
        missing: How many mixes have no such cost or no quality.
    """

    metric: str
    title: str
    heading: str
    xticks: tuple[tuple[float, str], ...]
    yticks: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]
    steps: tuple[tuple[float, float], ...]
    log: bool
    below: int
    missing: int


@dataclass(frozen=True)
class Scatter:
    """The whole figure.

    Args:
        panels: One for each cost, that of the study first; none before anything was measured.
        quality: Name and unit of what is up the plot.
        slots: Slots whose family may colour the points.
        slot: The slot that colours them at first.
        legends: For each slot its families.
        families: Slot -> mix -> how it is drawn.
        interval: What the vertical bars are; "" if there are none.
    """

    panels: tuple[Panel, ...]
    quality: str
    slots: tuple[str, ...]
    slot: str
    legends: dict[str, list[Look]]
    families: dict[str, dict[str, Look]]
    interval: str


def scatter(found: Found, slot: str = "", most: int = 5) -> Scatter:
    """Lay the figure out.

    Args:
        found: What was found.
        slot: The slot that colours the points; the first that varies if there is no such slot.
        most: How many costs to offer.
    """
    quality = quality_metric(found)
    baselines = found.table.index[found.table["baseline"]]
    slots = by_slot(found.stages[~found.stages["mix"].isin(baselines)])
    drawn = {name: {mix: look(f) for mix, f in of.items()} for name, of in slots.items()}
    costs = [name for name in found.cost_metrics if quality in found.table][:most]
    seeds = found.per_seed[quality].shape[1] if quality in found.per_seed else 0
    panels = (panel(found, quality, cost) for cost in costs)
    return Scatter(
        panels=tuple(each for each in panels if each is not None),
        quality=scale(found, quality).heading if quality in found.table else quality,
        slots=tuple(slots),
        slot=slot if slot in slots else next(iter(slots)),
        legends={name: looks(of.values()) for name, of in slots.items()},
        families=drawn,
        interval=f"{percent(0.95)} interval over {seeds} seeds" if seeds >= FEWEST_SEEDS else "",
    )


def panel(found: Found, quality: str, cost: str) -> Panel | None:
    """The plot over one cost, or None if no mix has both."""
    table = found.ranked.dropna(subset=[quality, cost])
    if table.empty:
        return None
    costs, values = table[cost].to_numpy(dtype=float), table[quality].to_numpy(dtype=float)
    across = scale(found, cost)
    better = found.metrics[quality].better
    x = axis(list(costs / across.factor), ticks=6, log=wants_log(list(costs)), pad=0.05)
    central = _central(values, better)
    y = axis(central + _bars(table, quality, central), ticks=6, pad=PAD)
    points = [
        _point(found, str(mix), quality, cost, x, y, across.factor, flip=better == "lower")
        for mix in table.sort_values(cost).index
    ]
    directions = [found.metrics[cost.partition("@")[0]].better, better]
    best = front(np.stack([costs, values], axis=1), directions)
    placed = {point.mix: point for point in points}
    members = [placed[str(mix)] for mix in table.index[best]]
    total = int((~found.table["baseline"]).sum())
    return Panel(
        metric=cost,
        title=across.title,
        heading=across.heading,
        xticks=tuple((x.at(tick), x.label(tick)) for tick in x.ticks),
        yticks=tuple((_down(y.at(t), better == "lower"), y.label(t)) for t in y.ticks),
        points=tuple(points),
        steps=staircase([(point.x, point.y) for point in members]),
        log=x.log,
        below=sum(point.below for point in points),
        missing=total - len(points),
    )


def staircase(corners: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The edge of what the front leaves to be beaten: up at each mix, level until the next.

    Args:
        corners: Positions of the front's mixes, across and down.
    """
    corners = sorted(corners)
    if not corners:
        return ()
    steps = [(corners[0][0], 1.0), corners[0]]
    for (_, before), (x, y) in itertools.pairwise(corners):
        steps += [(x, before), (x, y)]
    return (*steps, (1.0, corners[-1][1]))


def _central(values: Numbers, better: str) -> list[float]:
    """The values without the few that lie so far off that they would flatten the others."""
    low, high = np.quantile(values, [0.25, 0.75])
    reach = 3.0 * (high - low)
    near = values <= high + reach if better == "lower" else values >= low - reach
    return list(values[near] if near.mean() >= 0.8 else values)


def _bars(table: pd.DataFrame, quality: str, central: list[float]) -> list[float]:
    """Lowest and highest end of the points' intervals, cut where points would be squeezed.

    Args:
        table: The mixes of the plot.
        quality: What is up the plot.
        central: Their values that lie inside the plot; they keep a share of FEWEST_POINTS of it.
    """
    low, high = min(central), max(central)
    inside = table[quality].between(low, high) & (table[f"{quality}_n"] >= FEWEST_SEEDS)
    ends = table.loc[inside, [f"{quality}_low", f"{quality}_high"]].to_numpy(dtype=float)
    if not ends.size:
        return []
    below, above = max(low - ends.min(), 0.0), max(ends.max() - high, 0.0)
    room = (high - low) * (1.0 / (FEWEST_POINTS * (1.0 + 2.0 * PAD)) - 1.0)
    if high > low and below + above > room:  # the shorter side keeps what it needs, up to half
        shorter = min(below, above, room / 2)
        below, above = min(below, room - shorter), min(above, room - shorter)
    return [float(low - below), float(high + above)]


def _down(share: float, flip: bool) -> float:
    """Better is up: higher values, or lower ones where lower is better."""
    return share if flip else 1.0 - share


def _point(
    found: Found,
    mix: str,
    quality: str,
    cost: str,
    x: Axis,
    y: Axis,
    factor: float,
    *,
    flip: bool,
) -> Point:
    up, across = scale(found, quality), scale(found, cost)
    value, price = found.number(mix, quality), found.number(mix, cost)
    enough = found.number(mix, f"{quality}_n") >= FEWEST_SEEDS
    ends = [found.number(mix, f"{quality}_{end}") for end in ("low", "high")]
    prices = [found.number(mix, f"{cost}_{end}") / factor for end in ("low", "high")]
    return Point(
        mix=mix,
        says=f"{found.label(mix)}: {up.text(value)}, {across.text(price)}",
        letter=found.letters.get(mix, ""),
        on_front=mix in found.letters,
        x=x.clipped(price / factor),
        y=_down(y.clipped(value), flip),
        across=() if math.isnan(sum(prices)) else tuple(x.clipped(end) for end in prices),
        down=tuple(_down(y.clipped(end), flip) for end in ends) if enough else (),
        below=not 0.0 <= y.at(value) <= 1.0,
    )


def slot_of_strongest(found: Found) -> str:
    """The slot that the choice which matters most fills; "" if it fills none."""
    axis = strongest(quality_effects(found))
    if not axis:
        return ""
    for slot, families in by_slot(found.stages).items():
        levels = found.levels[axis].dropna()
        pairs = {(level, families.get(str(mix))) for mix, level in levels.items()}
        if len(pairs) == len({level for level, _ in pairs}) > 1 < len({f for _, f in pairs}):
            return slot
    return ""
