"""Where the stages of a network lie: at which resolution, how wide, and what is joined to what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Side = Literal["down", "between", "up", "bottom", "whole"]
Options = Mapping[str, object]


@dataclass(frozen=True)
class Place:
    """One place that a slot fills.

    Args:
        slot: As the study calls it.
        row: From the top; one resolution to a row in networks that change it.
        side: On the way down, on the way up, between the two, below both, or the whole row.
        channels: How wide its features are; 0 if unknown.
        divisor: Its resolution is the image's over this; 0 if unknown.
        times: How often the slot is filled there.
    """

    slot: str
    row: int
    side: Side
    channels: int = 0
    divisor: int = 0
    times: int = 1


@dataclass(frozen=True)
class Join:
    """What one place hands to another, both by number: along the way, or past what lies between."""

    start: int
    end: int
    kind: Literal["flow", "skip"] = "flow"


@dataclass(frozen=True)
class Layout:
    """A whole network: its places as an image passes them, fusions last, and what joins them."""

    places: tuple[Place, ...]
    joins: tuple[Join, ...]


@dataclass(frozen=True)
class Network:
    """What a mix's specification says of its network.

    Args:
        topology: Name of the way of joining stages; "" if unknown.
        options: Its knobs.
        blocks: Slot -> names of the blocks in it, one for each position.
    """

    topology: str
    options: Options
    blocks: Mapping[str, tuple[str, ...]]


def network(spec: str) -> Network:
    """Read a mix's specification; what cannot be read is empty, for records may be of any age."""
    try:
        raw = json.loads(spec)["network"]
        stages = {
            str(stage["slot"]): tuple(str(block["name"]) for block in stage["blocks"])
            for stage in raw["stages"]
        }
        topology = raw["topology"]
        options = {str(name): value for name, value in topology["knobs"]}
        return Network(str(topology["name"]), options, stages)
    except (ValueError, KeyError, TypeError):
        return Network("", {}, {})


def layout(topology: str, options: Options, slots: Sequence[str]) -> Layout:
    """Where the slots of a network lie.

    Args:
        topology: Name of the way of joining stages.
        options: Its knobs.
        slots: What is filled.

    Returns:
        Stages as the topology joins them; one after the other where it is not known here, or
        where the slots are not those that it has.
    """
    made = KNOWN[topology](options, slots) if topology in KNOWN else None
    return made or _sequence(slots)


def _sequence(slots: Sequence[str], channels: int = 0, divisor: int = 0) -> Layout:
    """One stage after the other."""
    places = (Place(slot, at, "whole", channels, divisor) for at, slot in enumerate(slots))
    return Layout(tuple(places), tuple(Join(at - 1, at) for at in range(1, len(slots))))


def _groups(options: Options, slots: Sequence[str]) -> Layout:
    """Groups at full resolution, each with a skip of its own."""
    return _sequence(slots, _number(options, "width"), 1)


def _unet(options: Options, slots: Sequence[str]) -> Layout | None:
    """Encoder and decoder with a skip at each resolution."""
    count = _levels(slots)
    if not count:
        return None
    widths = _widths(options, count + ("middle" in slots))
    return _valley(slots, count, widths, widths[0])


def _restormer(options: Options, slots: Sequence[str]) -> Layout | None:
    """A U-shape whose uppermost decoder keeps the skip beside what comes up."""
    count = _levels(slots)
    if not count:
        return None
    widths = _widths(options, count + ("middle" in slots))
    whole = options.get("top_skip", "concat") == "concat" and len(widths) > 1
    return _valley(slots, count, widths, widths[0] * (2 if whole else 1))


def _mountain(options: Options, slots: Sequence[str]) -> Layout | None:
    """A U-shape with fusions between the encoder and the decoder of each resolution but the last.

    Pass p fuses the resolutions that lie more than p above the last stage's.
    """
    valley = _unet(options, slots)
    if valley is None or "fusion" not in slots:
        return valley
    count, passes = _levels(slots), _number(options, "passes", 2)
    places, joins = list(valley.places), list(valley.joins)
    by_slot = {place.slot: at for at, place in enumerate(places)}
    for level in range(count - 1):
        times = sum(level < count - 1 - earlier for earlier in range(passes))
        if not times:
            continue
        stage, decoder = by_slot[f"stage{level + 1}"], by_slot[f"decoder{level + 1}"]
        below = by_slot[f"stage{level + 2}"]
        at = len(places)
        wide = places[stage]
        places.append(Place("fusion", wide.row, "between", wide.channels, wide.divisor, times))
        joins.remove(Join(stage, decoder, "skip"))
        joins += [Join(stage, at, "skip"), Join(at, decoder, "skip"), Join(below, at, "skip")]
    return Layout(tuple(places), tuple(joins))


KNOWN: dict[str, Callable[[Options, Sequence[str]], Layout | None]] = {
    "unet": _unet,
    "restormer": _restormer,
    "mountain": _mountain,
    "residual_groups": _groups,
}


def _valley(slots: Sequence[str], count: int, widths: Sequence[int], top: int) -> Layout:
    """Down the encoder, through the middle if there is one, and up the decoder.

    Args:
        slots: What is filled.
        count: Stages of the encoder.
        widths: Channels at each resolution.
        top: Channels of the uppermost decoder stage and of the refinement.
    """
    first = int("refinement" in slots)  # it lies above the uppermost decoder stage
    levels = range(count)
    places = [Place(f"stage{k + 1}", first + k, "down", widths[k], 2**k) for k in levels]
    if "middle" in slots:
        places.append(Place("middle", first + count, "bottom", widths[count], 2**count))
    for k in reversed(levels):
        channels = widths[k] if k else top
        places.append(Place(f"decoder{k + 1}", first + k, "up", channels, 2**k))
    if "refinement" in slots:
        places.append(Place("refinement", 0, "up", top, 1))
    joins = [Join(at - 1, at) for at in range(1, len(places))]
    last = 2 * count - 1 + ("middle" in slots)  # decoder1
    skips = (Join(k, last - k, "skip") for k in levels)
    return Layout(tuple(places), (*joins, *(each for each in skips if each.end > each.start + 1)))


def _levels(slots: Sequence[str]) -> int:
    """How many stages the encoder has; 0 if the slots are not those of an encoder and decoder."""
    count = sum(re.fullmatch(r"stage\d+", slot) is not None for slot in slots)
    wanted = {f"{side}{k}" for k in range(1, count + 1) for side in ("stage", "decoder")}
    rest = set(slots) - wanted
    return count if wanted <= set(slots) and rest <= {"middle", "refinement", "fusion"} else 0


def _widths(options: Options, levels: int) -> list[int]:
    """Channels at each resolution, doubled from one to the next where they are not given."""
    given = options.get("widths")
    if isinstance(given, (list, tuple)) and len(given) == levels:
        return [value if isinstance(value, int) else 0 for value in given]
    return [_number(options, "width") * 2**level for level in range(levels)]


def _number(options: Options, name: str, default: int = 0) -> int:
    value = options.get(name, default)
    return value if isinstance(value, int) else default
