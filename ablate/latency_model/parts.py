"""What a network is composed of: a frame that joins stages, and what fills each of them."""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ablate.mix import Choice, Network, Stage
from ablate.widths import with_widths
from blocks import blocks

By = Literal["stage", "block"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A topology with its options and the names of its places: a network without its blocks."""

    topology: Choice
    slots: tuple[str, ...]

    @property
    def plain(self) -> Frame:
        """The same without a word on its widths."""
        left = {k: v for k, v in self.topology.settings.items() if k not in ("width", "widths")}
        return replace(self, topology=Choice.of(self.topology.name, left))

    def with_width(self, width: int) -> Frame:
        """The same with so many channels in the first stage, doubling from there."""
        return replace(self, topology=with_widths(self.topology, [width]))

    def width_at(self, slot: str = "") -> float | None:
        """How wide the first stage would be, if widths doubled from there to this place.

        Of what is filled at several resolutions, and without a place of all of them, it is the
        geometric mean; None where there is no width.
        """
        settings = self.topology.settings
        widths = settings.get("widths", ())
        if not isinstance(widths, tuple) or not widths:
            width = settings.get("width")
            return float(width) if isinstance(width, int) else None
        scales = [float(str(width)) / 2.0**level for level, width in enumerate(widths)]
        filled = [scales[level] for level in _levels(slot, len(scales))]
        return round(math.prod(filled) ** (1 / len(filled)), 9)  # of one place it is its own


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that takes its share of a network's time.

    Args:
        frame: The network around it.
        slot: The place in it, such as stage1.
        blocks: What fills the place.
        last: Only the last of these blocks is meant: a block can depend on how many of its name
            come before it.
    """

    frame: Frame
    slot: str
    blocks: tuple[Choice, ...]
    last: bool = False

    @property
    def words(self) -> str:
        """Such as "stage2: mwsa x 3", or "stage2: mwsa, the third"."""
        if self.last:
            number = f", number {len(self.blocks)}" if len(self.blocks) > 1 else ""
            return f"{self.slot}: {self.blocks[0].name}{number}"
        counts = Counter(choice.name for choice in self.blocks)
        named = ", ".join(f"{name} x {n}" if n > 1 else name for name, n in counts.items())
        return f"{self.slot}: {named or 'nothing'}"


def _levels(slot: str, levels: int) -> range:
    """The resolutions of a place: stage2 and decoder2 are at the second, the middle at the last.

    A fusion is made at each but the last; no place means all.
    """
    if not slot:
        return range(levels)
    if slot == "fusion":
        return range(max(levels - 1, 1))
    if slot == "middle":
        return range(levels - 1, levels)
    number = slot.lstrip(string.ascii_letters + "_")
    level = min(int(number) - 1, levels - 1) if number.isdigit() else 0
    return range(level, level + 1)


def frame_of(network: Network) -> Frame:
    """What a network is without its blocks."""
    return Frame(topology=network.topology, slots=tuple(stage.slot for stage in network.stages))


def parts_of(network: Network, by: By) -> Iterator[Part]:
    """The parts of a network, in the order of its places; a stage without blocks has none."""
    frame = frame_of(network)
    for stage in network.stages:
        yield from stage_parts(frame, stage.slot, stage.blocks, by)


def stage_parts(frame: Frame, slot: str, choices: tuple[Choice, ...], by: By) -> Iterator[Part]:
    """The parts of one stage: itself, or each of its blocks."""
    if by == "stage":
        if choices:
            yield Part(frame=frame, slot=slot, blocks=choices)
        return
    earlier: Counter[str] = Counter()
    for choice in choices:
        before = earlier[choice.name] if "index" in blocks[choice.name].supplied else 0
        yield Part(frame=frame, slot=slot, blocks=(choice,) * (before + 1), last=True)
        earlier[choice.name] += 1


def holding(part: Part, base: Network) -> Network:
    """The base network with a part in its place."""
    filled = Stage(slot=part.slot, blocks=part.blocks)
    stages = tuple(filled if stage.slot == part.slot else stage for stage in base.stages)
    return replace(base, stages=stages)
