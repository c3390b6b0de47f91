"""What a topology asks to be filled, and how that follows from its widths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ablate.footing.asked import FootingError
from ablate.mix import Choice
from ablate.topologies import Blocks, topologies
from ablate.widths import widths_of, with_widths
from blocks import blocks, make

MOST_LEVELS = 8
UNIT = 8  # widths that any way of resizing takes are multiples of it

Sizes = tuple[int, int]  # channels, and length of the embedding
Fill = Callable[[str, int, int, int], nn.Module]  # slot, its how manieth, channels, context


@dataclass(frozen=True)
class Call:
    """One filling of one place; a place may be filled several times, at several resolutions.

    Args:
        slot: The place.
        number: How many times it was filled before.
        channels: Which width its channels follow, and how many times that they are; -1 and the
            number itself where it is always the same.
        context: The same of the embedding's length.
    """

    slot: str
    number: int
    channels: tuple[int, float]
    context: tuple[int, float]

    def sizes(self, widths: Sequence[int]) -> tuple[int, int]:
        """Channels and length of the embedding at these widths."""
        followed = (*widths, 1)  # the last of them for what is always the same
        (level, times), (other, longer) = self.channels, self.context
        return round(followed[level] * times), round(followed[other] * longer)


class Outline:
    """A topology without its blocks.

    Args:
        topology: With its settings; its widths may be written out or follow from width.
        slots: The places that are filled.

    Raises:
        FootingError: It has no width, or cannot be built at any.
    """

    def __init__(self, topology: Choice, slots: tuple[str, ...]) -> None:
        if "width" not in topology.settings:
            raise FootingError(f"{topology.name} has no width that could be solved for")
        self.topology, self.slots = topology, slots
        self._wrong: dict[tuple[int, ...], str] = {}
        self._blocks_wrong: dict[tuple[Choice, int, Sizes], str] = {}
        self.levels = self._count_levels()
        self.written = widths_of(topology, self.levels)
        self.plain = tuple(UNIT * 2**level for level in range(self.levels))
        self.calls = self._find_calls()

    def build(self, widths: Sequence[int], fill: Fill | None = None) -> nn.Module:
        """The network on the meta device, its places empty where no fill is given.

        Raises:
            ValueError: It cannot be built so.
        """
        seen: Counter[str] = Counter()

        def one(slot: str, channels: int, context: int = 0) -> nn.Module:
            number = seen[slot]
            seen[slot] += 1
            return fill(slot, number, channels, context) if fill else Blocks(slot=slot)

        topology = self.at(widths)
        fills = {slot: partial(one, slot) for slot in self.slots}
        with torch.device("meta"):
            return topologies[topology.name].make(fills, **topology.settings)

    def wrong(self, widths: Sequence[int]) -> str:
        """Why it cannot be built so; empty where it can."""
        key = tuple(widths)
        if key not in self._wrong:
            try:
                self.build(widths)
            except ValueError as error:
                self._wrong[key] = str(error).partition("\n")[0]
            else:
                self._wrong[key] = ""
        return self._wrong[key]

    def block_wrong(self, choice: Choice, index: int, sizes: Sizes) -> str:
        """Why a block cannot be built with these sizes; empty where it can."""
        key = (choice, index_of(choice, index), sizes)
        if key not in self._blocks_wrong:
            try:
                made(*key)
            except ValueError as error:
                self._blocks_wrong[key] = str(error)
            else:
                self._blocks_wrong[key] = ""
        return self._blocks_wrong[key]

    def at(self, widths: Sequence[int]) -> Choice:
        """The topology with these widths."""
        return with_widths(self.topology, widths)

    def _count_levels(self) -> int:
        """How many widths it takes: one where it has a width and no widths."""
        if "widths" not in topologies[self.topology.name].knobs:
            return 1
        for levels in range(2, MOST_LEVELS + 1):
            try:  # off the doubling, or they would be left out as saying no more than width
                self.build([UNIT, *(UNIT * 3**level for level in range(1, levels))])
            except ValueError:
                continue
            return levels
        return 1

    def _find_calls(self) -> tuple[Call, ...]:
        """What is filled, from how channels and embeddings change with each width."""
        base = self._sizes(self.plain)
        changed = []
        for level in range(self.levels):
            widths = [w * 3 if at == level else w for at, w in enumerate(self.plain)]
            changed.append(self._sizes(widths))
        return tuple(
            Call(slot, number, *(self._following(at, side, base, changed) for side in (2, 3)))
            for at, (slot, number, _, _) in enumerate(base)
        )

    def _following(
        self,
        at: int,
        side: int,
        base: list[tuple[str, int, int, int]],
        changed: list[list[tuple[str, int, int, int]]],
    ) -> tuple[int, float]:
        size = int(base[at][side])
        for level, sizes in enumerate(changed):
            if sizes[at][side] != size:
                return level, size / self.plain[level]
        return -1, size

    def _sizes(self, widths: Sequence[int]) -> list[tuple[str, int, int, int]]:
        """Every filling: slot, its how manieth, channels, length of the embedding."""
        found: list[tuple[str, int, int, int]] = []

        def note(slot: str, number: int, channels: int, context: int) -> nn.Module:
            found.append((slot, number, channels, context))
            return Blocks(slot=slot)

        try:
            self.build(widths, note)
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise FootingError(f"{self.topology.name} cannot be built: {reason}") from error
        return found


def made(choice: Choice, index: int, sizes: Sizes) -> nn.Module:
    """A block without memory.

    Raises:
        ValueError: It cannot be built; whatever it raised, in one line.
    """
    channels, context = sizes
    try:
        with torch.device("meta"):
            return make(choice.name, channels, index, context, **choice.settings)
    except (ValueError, RuntimeError, TypeError, ArithmeticError, AssertionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{choice.name}: {reason}") from error


def index_of(choice: Choice, index: int) -> int:
    """The position, for blocks that ask for it."""
    return index if "index" in blocks[choice.name].supplied else 0
