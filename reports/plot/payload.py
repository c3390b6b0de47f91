"""What the script of the plot gets: the same data as the drawing, in as few letters as will do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reports.analysis.paired import best_limits, quantile
from reports.graphics.axes import Axis
from reports.graphics.families import Look, in_order
from reports.numbers.found import Found
from reports.numbers.sittings import METRIC
from reports.plot.crowd import COLUMNS, ROWS, Crowd
from reports.plot.evidence import wider
from reports.plot.facets import Slot
from reports.plot.measures import COST_PAD, PAD, TICKS, Measure
from reports.plot.plot import Plot

Json = Mapping[str, object]

_LEFT = (2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000)  # mixes


def payload(found: Found, shown: Plot) -> Json:
    """The plot as plain lists, each with one entry for each mix, in the same order."""
    return {
        "mixes": shown.mixes,
        "competing": shown.competing,
        "total": shown.total,
        "chance": _percent(found.number(m, "front_probability") for m in shown.mixes),
        "measures": [_measure(each, shown) for each in shown.measures],
        "facets": [
            {"name": facet.name, "options": facet.options, "codes": facet.codes.tolist()}
            for facet in shown.facets
        ],
        "slots": [_slot(slot) for slot in shown.slots],
        "colours": [_colour(name, looks) for name, looks in shown.colours.items()],
        "slot": shown.slot,
        "x": shown.x,
        "y": shown.y,
        "pinned": [shown.mixes.index(key) for key in shown.pinned],
        "ties": _ties(shown),
        "left": _LEFT,
        "axis": {"ticks": TICKS, "pads": [PAD, COST_PAD]},
        "grid": [COLUMNS, ROWS],
        "crowds": [[x, y, *_crowd(each)] for (x, y), each in shown.crowds.items()],
    }


def _measure(measure: Measure, shown: Plot) -> Json:
    data: dict[str, object] = {
        "name": measure.name,
        "title": measure.title,
        "unit": measure.unit,
        "decimals": measure.decimals,
        "better": measure.better,
        "spread": measure.spread,
        "home": _axis(shown.homes[measure.name]),
        "values": _numbers(measure.value.tolist()),
    }
    if measure.spread:
        data["low"] = _numbers(measure.low.tolist())
        data["high"] = _numbers(measure.high.tolist())
    if more := wider(measure):
        data["wider"] = round(more, 6)
    if measure.exact:
        data["exact"] = True
    if measure.accuracy:
        seeds = shown.evidence.seeds[measure.name]
        data["seeds"] = [_numbers(row) for row in seeds.tolist()]
        data["scatter"] = _scatter(*shown.evidence.scatters[measure.name])
    return data


def _axis(home: Axis) -> list[object]:
    """Where it starts and ends; and whether it is logarithmic. Exact, so that ticks are alike."""
    return [home.low, home.high, home.log]


def _slot(slot: Slot) -> Json:
    options = [[text, look.slug] for text, look in slot.options]
    return {"name": slot.name, "options": options, "codes": slot.codes.tolist()}


def _colour(name: str, looks: Sequence[Look]) -> Json:
    """The families, with their names for the legend, and which of them each mix has."""
    kinds = in_order(looks)
    places = {look.slug: at for at, look in enumerate(kinds)}
    codes = [places[look.slug] for look in looks]
    return {"name": name, "looks": [[look.slug, look.name] for look in kinds], "codes": codes}


def _ties(shown: Plot) -> Json:
    """Who is not separable from whom by latency: mixes by latency, and runs of places among them.

    Ties are mostly neighbours, so of each mix the runs of those that it is not separable from, the
    mix itself included, are a few numbers: first and last place of each run.
    """
    ties = shown.evidence.ties
    timed = [each.value for each in shown.measures if each.name == METRIC]
    if not ties or not timed:
        return {"order": [], "runs": []}
    order = sorted(ties, key=lambda at: float(timed[0][at]))
    places = {at: place for place, at in enumerate(order)}
    runs = [_runs(sorted(places[other] for other in {at, *ties[at]})) for at in order]
    return {"order": order, "runs": runs}


def _runs(places: Sequence[int]) -> list[int]:
    """First and last of each run of consecutive places, one after the other."""
    runs: list[int] = []
    for place in places:
        if runs and place == runs[-1] + 1:
            runs[-1] = place
        else:
            runs += [place, place]
    return runs


def _scatter(sd: float, degrees: int) -> Json | None:
    """How far seeds scatter, and how many standard errors a difference takes; None if unknown.

    `apart` is for two mixes by themselves, `best` for the best of many against the others, by how
    many of them are left.
    """
    if not degrees:
        return None
    limits = [round(limit, 4) for limit in best_limits(_LEFT, degrees)]
    return {"sd": float(f"{sd:.7g}"), "apart": round(quantile(degrees), 6), "best": limits}


def _crowd(crowd: Crowd) -> list[object]:
    """How many are counted, the most in a square, how many lie beyond, and square by square."""
    flat = np.array(crowd.cells, dtype=int).reshape(-1).tolist()
    return [crowd.total, crowd.most, crowd.beyond, flat]


def _numbers(values: Iterable[float]) -> list[float | int | None]:
    """None where there is no value."""
    return [None if math.isnan(value) else _whole(value) for value in values]


def _percent(shares: Iterable[float]) -> list[int | None]:
    """Whole percentages, rounded here so that no browser rounds otherwise."""
    return [None if math.isnan(share) else int(f"{100 * share:.0f}") for share in shares]


def _whole(value: float) -> float | int:
    """12 instead of 12.0."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
