"""Looks for the widths or depths at which a network has a cost and keeps its proportions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ablate.footing.asked import Filling
from ablate.footing.prices import Widths
from ablate.footing.sums import Depths, Sums

NEAR = 3  # widths to try on each side of the ideal one, at each resolution
FURTHEST = 0.35  # from the ideal width, as a part of it
STEPS = 8  # towards the ideal scale
MOST_COMBINED = 18**4  # combinations of widths that are priced for one network
MOST_DEPTHS = 4096  # combinations of depths, likewise
GRAIN = 24  # widths are tried in steps of at most this part of them
VERIFIED = 6  # combinations that are counted exactly, where the first is not near enough


@dataclass(frozen=True)
class Found:
    """Widths and depths of a network.

    Args:
        widths: Channels at each resolution.
        depths: Blocks of the places of each tie.
        mismatch: Cost over what is asked for, less 1.
        bent: How far the proportions are from those as written: the largest logarithm.
    """

    widths: Widths
    depths: tuple[tuple[str, int], ...]
    mismatch: float
    bent: float


class Search:
    """Looks for sizes of one network.

    Args:
        sums: Its cost at any sizes.
        target: The cost that is asked for.
        within: How far from it is near, as a part of it.
    """

    def __init__(self, sums: Sums, target: float, within: float) -> None:
        self.sums, self.target, self.within = sums, target, within
        self.wrong = ""  # the last reason why something could not be built

    def near(self, found: Found) -> bool:
        """Whether the cost is near enough."""
        return abs(found.mismatch) <= self.within

    def written(self) -> Found | None:
        """The sizes as they are written, where the network can be built so."""
        depths = depths_of(self.sums.fillings.values())
        return self._exact(self.sums.outline.written, depths, 0.0)

    def by_depth(self, depths: Depths) -> Found | None:
        """The depths that come nearest at the widths as written; a depth of 0 stays."""
        widths = self.sums.outline.written
        free = {tie: depth for tie, depth in depths.items() if depth}
        if not free:
            return None

        def at(scale: float) -> float | None:
            deeper = {tie: max(1, round(depth * scale)) for tie, depth in free.items()}
            return self._cost(widths, {**depths, **deeper})

        scale = _scale(at, self.target, 1.0)
        if scale is None:
            return None
        ideal = [depth * scale for depth in free.values()]
        tried = []
        for combination in itertools.product(*_depths_around(ideal)):
            changed = {**depths, **dict(zip(free, combination, strict=True))}
            tried.append(self._exact(widths, changed, _bent(combination, ideal)))
        return self._best(found for found in tried if found)

    def by_width(self, depths: Depths) -> Found | None:
        """The widths that come nearest at these depths, or nothing where none can be built."""
        scale = _scale(lambda scale: self._rough(scale, depths), self.target, 2.0)
        if scale is None:
            return None
        best: Found | None = None
        most = self._most_near()
        for near in dict.fromkeys((min(NEAR, most), min(3 * NEAR, most))):
            listed = sorted(self._combined(scale, depths, near), key=self._order)
            for rough in listed[:VERIFIED]:
                exact = self._exact(rough.widths, depths, rough.bent)
                best = self._best(found for found in (best, exact) if found)
                if best and self.near(best):
                    return best
        return best

    def _rough(self, scale: float, depths: Depths) -> float | None:
        """About what the network costs when all its widths are scaled, buildable or not."""
        widths = tuple(max(1, round(width * scale)) for width in self.sums.outline.written)
        try:
            cost = self.sums.quick([widths], depths)[0]
            return cost if math.isfinite(cost) else None
        except ValueError as error:
            self.wrong = _one_line(error)
            return None

    def _most_near(self) -> int:
        """How many widths to try on each side, so that their combinations are not too many."""
        levels = len(self.sums.outline.written)
        root: float = MOST_COMBINED ** (1 / levels)
        return max(math.floor(root / 2 + 1e-9), 1)

    def _combined(self, scale: float, depths: Depths, near: int) -> Iterator[Found]:
        """Every combination of widths near the ideal ones, with its cost by quick prices."""
        sums, ideal = self.sums, [width * scale for width in self.sums.outline.written]
        options = [self._options(level, width, depths, near) for level, width in enumerate(ideal)]
        combinations = list(itertools.product(*options))
        if not combinations:
            return
        for widths, cost in zip(combinations, sums.quick(combinations, depths), strict=True):
            if math.isfinite(cost):
                yield self._found(widths, depths, cost, _bent(widths, ideal))

    def _options(self, level: int, ideal: float, depths: Depths, near: int) -> list[int]:
        """Widths of one resolution that can be built, so many on each side of the ideal one."""
        grain = 2 ** max(math.floor(math.log2(max(ideal, 1) / GRAIN)), 0)
        middle, furthest = math.floor(ideal / grain) * grain, max(FURTHEST * ideal, 2 * grain)
        found = []
        for side in (range(middle, 0, -grain), itertools.count(middle + grain, grain)):
            allowed = itertools.takewhile(lambda width: abs(width - ideal) <= furthest, side)
            fitting = (width for width in allowed if self._fits(level, width, depths))
            found += list(itertools.islice(fitting, near))
        return sorted(found)

    def _fits(self, level: int, width: int, depths: Depths) -> bool:
        wrong = self.sums.wrong(level, width, depths)
        self.wrong = wrong or self.wrong
        return not wrong

    def _exact(self, widths: Widths, depths: Depths, bent: float) -> Found | None:
        cost = self._cost(widths, depths)
        return None if cost is None else self._found(widths, depths, cost, bent)

    def _cost(self, widths: Widths, depths: Depths) -> float | None:
        try:
            return self.sums.cost(widths, depths)
        except ValueError as error:
            self.wrong = _one_line(error)
            return None

    def _found(self, widths: Widths, depths: Depths, cost: float, bent: float) -> Found:
        return Found(widths, tuple(depths.items()), cost / self.target - 1, bent)

    def _best(self, found: Iterable[Found]) -> Found | None:
        return min(found, key=self._order, default=None)

    def _order(self, found: Found) -> tuple[bool, float, Widths, tuple[tuple[str, int], ...]]:
        """Of those near enough the one that is bent least comes first, else the nearest."""
        far = not self.near(found)
        off = abs(found.mismatch)
        return far, off if far else off + found.bent, found.widths, found.depths


def depths_of(fillings: Iterable[Filling]) -> dict[str, int]:
    """The depth of each tie, as written."""
    return {filling.tie: filling.depth for filling in fillings}


def _scale(at: Callable[[float], float | None], target: float, steepness: float) -> float | None:
    """By what sizes are to be scaled for a cost, about: secants on logarithms.

    Args:
        at: Cost at a scale; none where there is none.
        target: The cost.
        steepness: Power of the scale that the cost is thought to grow with.
    """
    scale, known = 1.0, list[tuple[float, float]]()  # logarithms of scale and cost
    for _ in range(STEPS):
        cost = at(scale)
        if (cost is None or cost <= 0) and not known:
            return None
        if cost is None or cost <= 0:  # there is no price so far away: half the way back
            scale = math.exp((math.log(scale) + known[-1][0]) / 2)
            continue
        known.append((math.log(scale), math.log(cost / target)))
        if abs(known[-1][1]) < 0.01:
            break
        if len(known) > 1 and known[-1][0] != known[-2][0]:
            rise = (known[-1][1] - known[-2][1]) / (known[-1][0] - known[-2][0])
            steepness = min(max(rise, 0.3), 3.0)
        scale *= math.exp(min(max(-known[-1][1] / steepness, -1.5), 1.5))
    nearest = min(known, key=lambda pair: abs(pair[1]))
    return math.exp(nearest[0] - min(max(nearest[1] / steepness, -0.1), 0.1))


def _depths_around(ideal: Sequence[float]) -> list[list[int]]:
    """Whole depths around ideal ones: four of each, or two where these are many combinations.

    Of still more, only the deepest vary, whose proportions a block more or less bends least.
    """
    reach = 2 if 4 ** len(ideal) <= MOST_DEPTHS else 1
    free = sorted(range(len(ideal)), key=lambda at: -ideal[at])[: round(math.log2(MOST_DEPTHS))]
    options = []
    for at, depth in enumerate(ideal):
        low = math.floor(depth)
        around = range(low + 1 - reach, low + 1 + reach) if at in free else [round(depth)]
        options.append([each for each in around if each >= 1] or [1])
    return options


def _bent(sizes: Sequence[int], ideal: Sequence[float]) -> float:
    """The largest logarithm of a size over its ideal one."""
    return max(abs(math.log(size / wanted)) for size, wanted in zip(sizes, ideal, strict=True))


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
