"""What a network costs, added up from its frame and its blocks, each counted once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ablate.footing.outline import Call, Outline, Sizes, index_of, made
from ablate.mix import Choice
from ablate.topologies import Blocks

Widths = tuple[int, ...]
Measure = Callable[[nn.Module], float]  # multiply-adds, or parameters
Side = tuple[int, int]  # height and width
Alone = Callable[[nn.Module, int, Side], float]  # of a block on features of so many channels
Law = NDArray[np.float64]

ANCHORS = (0.75, 1.25, 1.75)  # of the channels as written: where a block is counted for its law
REACH = 64  # channels to go on for the next that a block can have


class Counted:
    """Prices that are counted on networks without memory; they add up exactly.

    Quick prices follow laws of second degree in the channels, as convolutions and products do.

    Args:
        outline: The topology.
        measure: Counts a network.
        alone: Counts a block by itself, which is quicker; none where that cannot be done.
        size: Height and width of the image, where blocks are counted by themselves.
    """

    def __init__(
        self,
        outline: Outline,
        measure: Measure,
        alone: Alone | None = None,
        size: Side = (0, 0),
    ) -> None:
        self.outline, self.measure = outline, measure
        self._alone, self._size = alone, size
        self._rests: dict[Widths, float] = {}
        self._blocks: dict[tuple[float, Choice, int, Sizes], float] = {}
        self._places: dict[Call, float] = {}
        self._law_of_rests: Law | None = None
        self._laws: dict[tuple[float, Choice, int], Law | None] = {}

    def rest(self, widths: Widths) -> float:
        """What is around the blocks."""
        if self._lawful:
            return float(self.rests([widths])[0])
        return self._counted_rest(widths)

    def block(self, call: Call, choice: Choice, index: int, sizes: Sizes) -> float:
        """What a network with the block costs more than one without."""
        key = (self._place(call), choice, index_of(choice, index), sizes)
        if key not in self._blocks:
            self._blocks[key] = self._more(call, made(*key[1:]), sizes)
        return self._blocks[key]

    def rests(self, widths: Sequence[Widths]) -> Sequence[float]:
        """What is around the blocks, by its law."""
        if self._law_of_rests is None:
            samples = self._samples()
            known = np.array([self._counted_rest(sample) for sample in samples])
            self._law_of_rests = np.linalg.lstsq(self._terms(samples), known, rcond=None)[0]
        found: list[float] = np.rint(self._terms(widths) @ self._law_of_rests).tolist()
        return found

    def about(self, call: Call, choice: Choice, index: int, sizes: Sizes) -> float:
        """A block by its law; where it has none, because of an embedding, counted."""
        key = (self._place(call), choice, index_of(choice, index))
        if key not in self._laws:
            self._laws[key] = None if sizes[1] else self._find_law(call, choice, index)
        law = self._laws[key]
        if law is None or sizes[1]:
            return self.block(call, choice, index, sizes)
        return float(np.polyval(law, sizes[0]))

    @cached_property
    def _lawful(self) -> bool:
        """Whether the law of what is around the blocks is exact, at widths it was not made from."""
        widths = [tuple(5 * w for w in self.outline.plain)]
        widths.append(tuple((3 + level) * w for level, w in enumerate(self.outline.plain)))
        known = [self._counted_rest(each) for each in widths]
        return np.allclose(self.rests(widths), known, rtol=1e-9, atol=0.5)

    def _counted_rest(self, widths: Widths) -> float:
        if widths not in self._rests:
            self._rests[widths] = self.measure(self.outline.build(widths))
        return self._rests[widths]

    def _place(self, call: Call) -> float:
        """How many pixels a place works on, from the cost of a 1x1 convolution there.

        Places of as many pixels share what is counted. (Where parameters are counted, it is 1.)
        """
        if call not in self._places:
            channels, context = call.sizes(self.outline.plain)
            with torch.device("meta"):
                convolution = nn.Conv2d(channels, channels, 1, bias=False)
            cost = self._more(call, convolution, (channels, context))
            self._places[call] = cost / channels**2
        return self._places[call]

    def _more(self, call: Call, block: nn.Module, sizes: Sizes) -> float:
        """What a network with a block in one place costs more than one without."""
        side = self._sides.get((call.slot, call.number))
        if self._alone and side and not sizes[1]:
            return self._alone(block, sizes[0], side)
        widths = self._widths_for(call, sizes)

        def fill(slot: str, number: int, channels: int, context: int) -> nn.Module:
            here = (slot, number) == (call.slot, call.number)
            return Blocks(block, slot=slot) if here else Blocks(slot=slot)

        return self.measure(self.outline.build(widths, fill)) - self.rest(widths)

    @cached_property
    def _sides(self) -> dict[tuple[str, int], Side]:
        """Height and width of the features of every filling that is visited once."""
        if self._alone is None:
            return {}
        seen: dict[tuple[str, int], list[Side]] = {}

        def fill(slot: str, number: int, channels: int, context: int) -> nn.Module:
            return Blocks(_Seeing(seen.setdefault((slot, number), [])), slot=slot)

        model = self.outline.build(self.outline.plain, fill)
        try:
            with torch.inference_mode():
                model(torch.empty(1, 3, *self._size, device="meta"))
        except (RuntimeError, TypeError, NotImplementedError):  # it is counted within its network
            return {}
        return {place: sides[0] for place, sides in seen.items() if len(sides) == 1}

    def _find_law(self, call: Call, choice: Choice, index: int) -> Law | None:
        """Cost over channels, of second degree through three counts."""
        written = call.sizes(self.outline.written)[0]
        anchors = [self._next(choice, index, round(written * share)) for share in ANCHORS]
        if None in anchors or len(set(anchors)) < len(ANCHORS):
            return None
        channels = [anchor for anchor in anchors if anchor is not None]
        costs = [self.block(call, choice, index, (anchor, 0)) for anchor in channels]
        return np.asarray(np.polyfit(channels, costs, 2))

    def _next(self, choice: Choice, index: int, channels: int) -> int | None:
        """The first number of channels from here on that a block can have."""
        further = range(max(channels, 1), channels + REACH)
        return next(
            (more for more in further if not self.outline.block_wrong(choice, index, (more, 0))),
            None,
        )

    def _widths_for(self, call: Call, sizes: Sizes) -> Widths:
        """Widths at which a place is given these sizes, the others small."""
        widths = list(self.outline.plain)
        followed = (call.context, call.channels)
        for (level, times), size in zip(followed, reversed(sizes), strict=True):
            if level >= 0:
                widths[level] = round(size / times)
        return tuple(widths)

    def _samples(self) -> list[Widths]:
        """Widths to count at: as many as the law has terms."""
        plain = self.outline.plain

        def scaled(*levels: int) -> Widths:
            return tuple(w * (1 + levels.count(level)) for level, w in enumerate(plain))

        levels = range(len(plain))
        pairs = itertools.combinations_with_replacement(levels, 2)
        return [scaled(), *(scaled(k) for k in levels), *(scaled(*pair) for pair in pairs)]

    def _terms(self, widths: Sequence[Widths]) -> Law:
        """1, every width, and every product of two, in units of the smallest."""
        w = np.asarray(widths, dtype=float) / np.asarray(self.outline.plain, dtype=float)
        levels = range(w.shape[1])
        pairs = itertools.combinations_with_replacement(levels, 2)
        products = [w[:, i] * w[:, j] for i, j in pairs]
        return np.stack([np.ones(len(w)), *(w[:, k] for k in levels), *products], axis=1)


class _Seeing(nn.Module):
    """A block that notes how large the features are that it is given, and hands them on."""

    def __init__(self, seen: list[Side]) -> None:
        super().__init__()
        self._seen = seen

    def forward(self, x: Tensor) -> Tensor:
        """Return x itself: (B, C, H, W)."""
        self._seen.append((int(x.shape[-2]), int(x.shape[-1])))
        return x
