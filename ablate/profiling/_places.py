"""Which slot of a network runs at a moment, in the forward pass and in the backward pass."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch._C._autograd import _get_sequence_nr

from ablate.network import stages_of
from ablate.profiling._storage import REST, Phase, Place


def parts_of(model: nn.Module) -> dict[str, tuple[nn.Module, ...]]:
    """The parts by which a network's memory is told: its stages, or its children by name.

    Lists of modules are never called themselves: their entries stand for them ("layers.0").
    """
    return {**stages_of(model)} or {name: (child,) for name, child in _children(model, "")}


def _children(model: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _children(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


class Places:
    """Where a network is; it is given hooks that stay, so watch a copy.

    In the forward pass a slot runs from the call of its module to the return. In the backward
    pass it runs while autograd runs a node that its forward pass made, and until the next node.

    Args:
        model: The network.
        parts: Modules by slot; none for `parts_of`.
    """

    def __init__(
        self, model: nn.Module, parts: Mapping[str, Sequence[nn.Module]] | None = None
    ) -> None:
        self._phase: Phase = "forward"
        self._running: list[str] = []
        self._began: list[int] = []  # sequence numbers of nodes, ascending, not nested
        self._ended: list[int] = []
        self._slots: list[str] = []
        self._last = 0  # sequence number at which the backward pass began
        self._latest = REST  # in the backward pass
        for slot, modules in (parts_of(model) if parts is None else parts).items():
            for module in modules:
                self._watch(slot, module)

    def enter(self, phase: Phase) -> None:
        """Say that a phase of the step begins."""
        self._phase = phase
        self._last = _get_sequence_nr()

    def now(self) -> Place:
        """What runs at this moment."""
        if self._phase == "backward":
            return Place("backward", self._slot_of_node())
        if self._phase == "optimiser":
            return Place("optimiser")
        return Place("forward", self._running[0] if self._running else REST)

    def _watch(self, slot: str, module: nn.Module) -> None:
        def enter(module: nn.Module, inputs: object) -> None:
            if not self._running:
                self._began.append(_get_sequence_nr())
                self._slots.append(slot)
            self._running.append(slot)

        def leave(module: nn.Module, inputs: object, output: object) -> None:
            self._running.pop()
            if not self._running:
                self._ended.append(_get_sequence_nr())

        module.register_forward_pre_hook(enter)
        module.register_forward_hook(leave)

    def _slot_of_node(self) -> str:
        node: Any = torch._C._current_autograd_node()
        if node is not None and node._sequence_nr() < self._last:
            self._latest = self._made_in(node._sequence_nr())
        return self._latest  # what gathers gradients, or was recomputed, belongs to its caller

    def _made_in(self, number: int) -> str:
        """The slot whose forward pass made the node of this sequence number."""
        index = bisect_right(self._began, number) - 1
        inside = 0 <= index < len(self._ended) and number < self._ended[index]
        return self._slots[index] if inside else REST
