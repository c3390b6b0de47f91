"""Experts that a router chooses from for each image: running only those, or ones that are forced.

A module that routes derives from `Routed`, so that whoever measures a network finds it, and can
ask for the cost of each of its experts in turn.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

Expert = Callable[[Tensor], Tensor]


class Routed(nn.Module, ABC):
    """A module that runs `active` of its `experts` experts for each image.

    forced: None has the input choose. Else these experts, `active` of them, run for every image,
    with the gates that the router gives them; it is no part of the state.

    Args:
        experts: How many there are.
        active: How many run for an image.

    Raises:
        ValueError: There is no such number of experts.
    """

    def __init__(self, experts: int, active: int) -> None:
        super().__init__()
        if not 1 <= active <= experts:
            raise ValueError(
                f"active must be from 1 to experts; got active={active}, experts={experts}"
            )
        self.experts, self.active = experts, active
        self.forced: tuple[int, ...] | None = None

    @abstractmethod
    def expert_costs(self) -> tuple[int, ...]:
        """Multiply-adds of each expert for one pixel, or any numbers in the same proportion."""

    def dearest(self) -> tuple[int, ...]:
        """The `active` experts that cost most, in ascending order."""
        return tuple(sorted(self._by_cost()[-self.active :]))

    def cheapest(self) -> tuple[int, ...]:
        """The `active` experts that cost least, in ascending order."""
        return tuple(sorted(self._by_cost()[: self.active]))

    def _by_cost(self) -> list[int]:
        costs = self.expert_costs()
        return sorted(range(self.experts), key=costs.__getitem__)


def routed(model: nn.Module) -> tuple[Routed, ...]:
    """Every routed module of a network, in order."""
    return tuple(part for part in model.modules() if isinstance(part, Routed))


def turns(model: nn.Module) -> int:
    """After how many turns every expert of every routed module has run equally often; 1 if none."""
    return math.lcm(*(part.experts for part in routed(model)))


def in_turn(part: Routed, turn: int) -> tuple[int, ...]:
    """The experts of a turn: `active` neighbours, so that over `experts` turns all run alike."""
    return tuple(sorted((turn + step) % part.experts for step in range(part.active)))


@contextmanager
def forcing(
    model: nn.Module, choice: Callable[[Routed], tuple[int, ...]]
) -> Iterator[tuple[Routed, ...]]:
    """Force the experts that `choice` names for each routed module; afterwards as it was.

    `choice` may be `Routed.dearest`, `Routed.cheapest` or, for the mean over all experts,
    `partial(in_turn, turn=k)` for each of `turns(model)`.
    """
    parts = routed(model)
    before = [part.forced for part in parts]
    try:
        for part in parts:
            part.forced = choice(part)
        yield parts
    finally:
        for part, forced in zip(parts, before, strict=True):
            part.forced = forced


def choose(part: Routed, scores: Tensor) -> tuple[Tensor, tuple[int, ...] | None]:
    """Which experts run.

    Args:
        part: Where they run.
        scores: (B, experts), larger for experts that suit the image.

    Returns:
        A mask (B, experts) of the experts that each image is given, and the experts to be run on
        the whole batch, whatever the mask says of single images; None has every expert run on
        its own images alone.
    """
    fixed = part.forced
    if fixed is None and _has_no_values(scores):
        fixed = part.dearest()
    mask = torch.zeros_like(scores, dtype=torch.bool)
    if fixed is not None:
        return mask.index_fill(1, torch.tensor(fixed, device=scores.device), 1), fixed  # traceable
    chosen = scores.topk(part.active, dim=1).indices
    mask = mask.scatter(1, chosen, torch.ones_like(chosen, dtype=torch.bool))
    return mask, tuple(range(part.experts)) if _must_be_static() else None


def combine(
    experts: Sequence[nn.Module],
    inputs: tuple[Tensor, ...],
    gates: Tensor,
    mask: Tensor,
    whole: tuple[int, ...] | None,
) -> Tensor:
    """The sum of gate * expert(*inputs) over the experts that each image is given.

    Args:
        experts: Each keeps the shape of its first input.
        inputs: (B, ...), what every expert is given.
        gates: (B, experts).
        mask: (B, experts), as `choose` returns it.
        whole: As `choose` returns it.
    """
    gates = gates * mask
    rows = {} if whole is not None else _rows_by_expert(mask)
    if rows and all(len(own) == len(mask) for own in rows.values()):
        whole = tuple(rows)
    if whole is not None:
        return reduce(torch.add, [_gated(experts[e](*inputs), gates[:, e]) for e in whole])
    total = torch.zeros_like(inputs[0])
    for e, own in rows.items():
        index = torch.tensor(own, device=gates.device)
        term = _gated(experts[e](*(part[index] for part in inputs)), gates[index, e])
        total.index_add_(0, index, term.to(total.dtype))
    return total


def _gated(images: Tensor, gates: Tensor) -> Tensor:
    """(B, ...) times (B,), in the type of the images."""
    return images * gates.to(images.dtype).reshape(-1, *(1,) * (images.dim() - 1))


def _rows_by_expert(mask: Tensor) -> dict[int, list[int]]:
    """Expert -> the images that are given it; one wait for the device."""
    rows: dict[int, list[int]] = {}
    for image, row in enumerate(mask.tolist()):
        for expert, given in enumerate(row):
            if given:
                rows.setdefault(expert, []).append(image)
    return dict(sorted(rows.items()))


def _has_no_values(x: Tensor) -> bool:
    """Whether x has a shape only: something is measured, and not for the sake of its result."""
    return x.is_meta or (isinstance(x, FakeTensor) and not torch.compiler.is_compiling())


def _must_be_static() -> bool:
    """Whether what runs now must not depend on the values of tensors."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return True
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
