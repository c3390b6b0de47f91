"""A network as a small picture: a box for each stage, along the way that an image takes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache

from reports.graphics.families import look
from reports.networks.filling import Filled
from reports.networks.layout import Join, Layout, Network, Place, layout, network
from reports.networks.picture import (
    CELLS,
    FOOT,
    LETTER,
    LINE,
    PAD,
    SWATCH,
    Box,
    Drawing,
    Line,
    Note,
)
from reports.numbers.units import TIE, percent, plain

WIDTH = 340.0  # of a picture, in its own units: pixels where it is not scaled
BOX, NARROW, BOTTOM = 150.0, 96.0, 200.0  # widths: beside another, between two, below three
WIDE, CLOSE = 432.0, 136.0  # of a picture and of its outer boxes, where some stand between two
GAP = 20.0  # between rows
INSET, DEEPEST = 4.0, 8.0  # how much further in each row lies, and the lowest one at most
MOST_LINES = 2


def drawing(
    spec: str | Network,
    filled: Sequence[Filled],
    shares: Mapping[str, float] | None = None,
    *,
    lines: int = 0,
    of: str = "cost",
) -> Drawing:
    """Draw a network.

    Args:
        spec: A mix's specification as JSON, or what `network` read of it. Where its topology is
            unknown, the stages are drawn one after the other.
        filled: What is in each slot.
        shares: Each slot's share of what the network costs, as far as known.
        lines: Lines of words that boxes have room for; as many as needed if 0.
        of: What the shares are shares of, in words.
    """
    known = network(spec) if isinstance(spec, str) else spec
    plan = layout(known.topology, known.options, [each.slot for each in filled])
    by_slot = {each.slot: each for each in filled}
    rows = lines or needed_lines(plan, by_slot)
    told, boxes = dict(shares or {}), []
    for place in plan.places:
        share = told.pop(place.slot, math.nan)  # a slot that fills several places has one share
        boxes.append(_box(plan, place, by_slot[place.slot], rows, share, of))
    return Drawing(
        width=_field(plan),
        height=max((box.y + box.height for box in boxes), default=0.0) + 0.5,
        boxes=tuple(boxes),
        lines=tuple(_line(plan, boxes, join) for join in plan.joins),
        notes=tuple(_notes(plan, boxes)),
    )


def needed_lines(plan: Layout, filled: Mapping[str, Filled]) -> int:
    """How many lines of words the boxes need room for, at most MOST_LINES."""
    needed = (len(_lines(plan, place, filled[place.slot], MOST_LINES)) for place in plan.places)
    return max(needed, default=1)


def _box(plan: Layout, place: Place, filled: Filled, lines: int, share: float, of: str) -> Box:
    width, height = _width(plan, place), CELLS + LINE * lines + FOOT
    looks = tuple(look(family) for family in filled.families)
    return Box(
        slot=place.slot,
        x=round(_left(plan, place, width), 1),
        y=0.5 + place.row * (height + GAP),
        width=width,
        height=height,
        name=_name(place),
        words=filled.words,
        lines=_lines(plan, place, filled, lines),
        kinds=tuple(dict.fromkeys(looks)),
        cells=looks,
        share=share,
        says=_says(place, filled, share, of),
    )


def _name(place: Place) -> str:
    parts = [plain(place.slot) + (f"{TIE}×{place.times}" if place.times > 1 else "")]
    if place.channels and place.side != "between":
        parts.append(f"{place.channels}{TIE}ch")
    if place.divisor and place.side == "whole":
        parts.append(f"1/{place.divisor}")
    return " · ".join(parts)


def _says(place: Place, filled: Filled, share: float, of: str) -> str:
    words = [f"{plain(place.slot)}: {filled.words}"]
    words += [f"{place.times} times"] if place.times > 1 else []
    words += [f"{place.channels} channels"] if place.channels else []
    words += [f"1/{place.divisor} of the resolution"] if place.divisor > 1 else []
    words += ["full resolution"] if place.divisor == 1 else []
    words += [] if math.isnan(share) else [f"{percent(share)} of the {of}"]
    return ", ".join(words)


def _lines(plan: Layout, place: Place, filled: Filled, most: int) -> tuple[str, ...]:
    """What fills a place in at most so many lines that fit; what is too long ends in dots."""
    kinds = len(dict.fromkeys(filled.families))
    letters = max(int((_width(plan, place) - 2 * PAD - SWATCH * kinds) / LETTER), 4)
    words = filled.words
    if max(map(len, words.split(" "))) > letters:  # what is tied to its neighbour must part
        words = words.replace(TIE, " ")
    return _wrapped(words, letters, most)


@cache
def _wrapped(words: str, letters: int, most: int) -> tuple[str, ...]:
    return tuple(textwrap.wrap(words, letters, max_lines=most, placeholder="…"))


def _width(plan: Layout, place: Place) -> float:
    if place.side == "whole":
        return WIDTH - 1.0
    if place.side == "between":
        return NARROW
    if not _has_between(plan):
        return BOX
    return BOTTOM if place.side == "bottom" else CLOSE


def _field(plan: Layout) -> float:
    """How wide the whole picture is."""
    return WIDE if _has_between(plan) else WIDTH


def _has_between(plan: Layout) -> bool:
    return any(place.side == "between" for place in plan.places)


def _left(plan: Layout, place: Place, width: float) -> float:
    """Lower rows lie further in, where there is room for it."""
    rows = max(other.row for other in plan.places)
    step = 0.0 if _has_between(plan) else min(INSET, DEEPEST / max(rows, 1))
    if place.side == "down":
        return 0.5 + step * place.row
    if place.side == "up":
        return _field(plan) - 0.5 - width - step * place.row
    return (_field(plan) - width) / 2


def _line(plan: Layout, boxes: Sequence[Box], join: Join) -> Line:
    start, end = boxes[join.start], boxes[join.end]
    one, two = plan.places[join.start], plan.places[join.end]
    skip = join.kind == "skip"
    if one.row == two.row:
        y = start.middle[1]
        return Line(((start.x + start.width, y), (end.x, y)), skip)
    if two.side == "between":  # what was kept one resolution below, from where it passes
        x = end.middle[0]
        below = [
            box.y
            for place, box in zip(plan.places, boxes, strict=True)
            if place.side == "between" and place.row == one.row
        ]
        return Line(((x, below[0] if below else start.middle[1]), (x, end.y + end.height)), skip)
    x = (max(start.x, end.x) + min(start.x + start.width, end.x + end.width)) / 2
    if one.row < two.row:
        return Line(((x, start.y + start.height), (x, end.y)), skip)
    return Line(((x, start.y), (x, end.y + end.height)), skip)


def _notes(plan: Layout, boxes: Sequence[Box]) -> list[Note]:
    """The resolution of each row: over its skip, or beside the box below both sides."""
    notes = []
    for place, box in zip(plan.places, boxes, strict=True):
        right, y = box.x + box.width, box.middle[1]
        text = f"1/{place.divisor}"
        if place.side == "down" and place.divisor:
            gap = (WIDE - NARROW) / 2 - right if _has_between(plan) else WIDTH - 2 * right
            notes.append(Note(round(right + gap / 2, 1), y - 5.0, text))
        elif place.side == "bottom" and place.divisor:
            notes.append(Note(right + 16.0, y + 4.0, text))
    return notes
