"""Brings a network to the cost that is asked for, and says how near it came."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ablate.footing.asked import (
    WIDEST,
    Filling,
    Footing,
    FootingError,
    amount_words,
    network_of,
)
from ablate.footing.outline import Outline
from ablate.footing.searching import Found, Search, depths_of
from ablate.footing.sums import Sums
from ablate.mix import Choice, Network

Fillings = tuple[Filling, ...]
Pricing = Callable[[Fillings], Sums]


@dataclass(frozen=True)
class Solved:
    """A network, its cost, and how far that is from what is asked for, as a part of it."""

    network: Network
    cost: float
    mismatch: float


class Solver:
    """Brings networks to one cost; what it has counted it keeps.

    Args:
        footing: What is asked for.
        pricing: Of a topology, what prices its networks by what fills them.
        device: For which the prices hold; empty where they are the same on all.
    """

    def __init__(
        self, footing: Footing, pricing: Callable[[Outline], Pricing], device: str = ""
    ) -> None:
        self.footing, self.device, self._pricing = footing, device, pricing
        self._outlines: dict[tuple[Choice, tuple[str, ...]], Pricing] = {}
        self._solved: dict[tuple[Choice, Fillings, float], Solved] = {}
        self._refused: dict[tuple[Choice, Fillings, float], str] = {}
        self.costs: dict[Network, float] = {}  # of all that was solved

    def cost(self, topology: Choice, fillings: Fillings) -> float:
        """What a network costs as it is written.

        Raises:
            FootingError: It cannot be built, or cannot be priced.
        """
        sums = self._sums(topology, fillings)
        try:
            return sums.cost(sums.outline.written, depths_of(fillings))
        except ValueError as error:
            raise FootingError(str(error).partition("\n")[0]) from error

    def solve(self, topology: Choice, fillings: Fillings, target: float) -> Solved:
        """The network of this cost that keeps most of its proportions; as written if that has it.

        Raises:
            FootingError: There is none near enough; the message names the closest.
        """
        key = (topology, fillings, target)
        if key in self._refused:
            raise FootingError(self._refused[key])
        if key not in self._solved:
            try:
                self._solved[key] = self._solve(*key)
            except FootingError as error:
                self._refused[key] = str(error)
                raise
        return self._solved[key]

    def _solve(self, topology: Choice, fillings: Fillings, target: float) -> Solved:
        sums = self._sums(topology, fillings)
        search = Search(sums, target, self.footing.equal_within)
        chosen = self._chosen(search)
        if chosen is None:
            raise FootingError(search.wrong or "nothing in it can be solved for")
        if not search.near(chosen):
            raise FootingError(self._too_far(chosen, target))
        network = network_of(sums.outline.at(chosen.widths), fillings, dict(chosen.depths))
        self.costs[network] = target * (1 + chosen.mismatch)
        return Solved(network, self.costs[network], chosen.mismatch)

    def _chosen(self, search: Search) -> Found | None:
        """What comes nearest, by what may be solved for; as it is written where that will do."""
        by, depths = self.footing.equal_by, depths_of(search.sums.fillings.values())
        chosen = search.written()
        if chosen and search.near(chosen):
            return chosen
        if by != "width":
            chosen = search.by_depth(depths)
            if by == "depth" or (chosen and search.near(chosen)):
                return chosen
            depths = dict(chosen.depths) if chosen else depths
        return search.by_width(depths) or chosen

    def _sums(self, topology: Choice, fillings: Fillings) -> Sums:
        frame = (topology, tuple(filling.slot for filling in fillings))
        if frame not in self._outlines:
            self._outlines[frame] = self._pricing(Outline(*frame))
        return self._outlines[frame](fillings)

    def _too_far(self, closest: Found, target: float) -> str:
        """That there is nothing near enough, what there is, and the mend."""
        footing = self.footing
        cost = amount_words(target * (1 + closest.mismatch), footing.equal)
        wanted = amount_words(target, footing.equal)
        sizes = f"width {'-'.join(map(str, closest.widths))}"
        if footing.equal_by != "width":
            sizes += f" and depth {'-'.join(str(depth) for _, depth in closest.depths)}"
        enough = math.ceil(abs(closest.mismatch) * 100) / 100
        mends = [f"equal_within = {enough:g}"] if enough <= WIDEST else []
        mends += ['equal_by = "depth_and_width"'] if footing.equal_by != "depth_and_width" else []
        return (
            f"no {footing.equal_by.replace('_', ' ')} brings it within "
            f"{100 * footing.equal_within:g} % of {wanted}; the closest is {sizes} with {cost} "
            f"({100 * closest.mismatch:+.1f} %); write {' or '.join(mends or ['another equal_to'])}"
        )
