"""What a study asks for when all its networks are to cost the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ablate.amounts import amount
from ablate.mix import Choice, Network, Stage

Quantity = Literal["macs", "params", "latency"]
By = Literal["width", "depth", "depth_and_width"]

WITHIN = 0.02  # of the cost that is asked for, to each side
WIDEST = 0.5  # that a study may ask for instead

_NAMES = {"macs": " MACs", "params": " parameters", "latency": ""}


class FootingError(ValueError):
    """A network cannot be brought to the cost that is asked for; the message names the closest."""


@dataclass(frozen=True, kw_only=True)
class Footing:
    """What all networks of a study have alike.

    Args:
        equal: What is the same: macs (at the first profiled size), params, or predicted latency.
        equal_to: How much, such as 1.5e9, "1.5 G" or "5 ms", or the label of the mix whose cost
            it is as it is written; without it that of the study's first mix.
        equal_by: What is solved for: width, depth, or the depth that comes nearest and then width.
        equal_within: How far from it a network may be, as a part of it.
        equal_model: The file of the latency model, for latency.
    """

    equal: Quantity = "macs"
    equal_to: float | str = ""
    equal_by: By = "width"
    equal_within: float = WITHIN
    equal_model: str = ""


@dataclass(frozen=True)
class Filling:
    """What fills one place of a network, before its depth is settled.

    Args:
        slot: The place: stage1, decoder1, middle.
        pattern: The choices that fill its positions in turn.
        depth: How many blocks, as written.
        tie: Places of one tie have one depth.
    """

    slot: str
    pattern: tuple[Choice, ...]
    depth: int
    tie: str

    def blocks(self, depth: int) -> tuple[Choice, ...]:
        """The block at each position."""
        return tuple(self.pattern[position % len(self.pattern)] for position in range(depth))


def network_of(topology: Choice, fillings: tuple[Filling, ...], depths: dict[str, int]) -> Network:
    """The network of these places, with a depth for each tie; those without keep theirs."""
    stages = tuple(
        Stage(slot=f.slot, blocks=f.blocks(depths.get(f.tie, f.depth))) for f in fillings
    )
    return Network(topology=topology, stages=stages)


def amount_words(value: float, quantity: Quantity) -> str:
    """An amount with its unit: 1.52 G MACs, 4.37 ms."""
    return f"{amount(quantity, value, digits=4)}{_NAMES[quantity]}"
