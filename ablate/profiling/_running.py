"""Which modules of a network are running, told by hooks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Generic, TypeVar

from torch import nn

Mark = TypeVar("Mark")


class Running(Generic[Mark]):
    """Which of some modules are running.

    Attributes:
        running: Marks of those that are, from the outside in.
        visited: Marks of all that were, in the order in which they ran first.

    Args:
        marked: Modules, each with what it is called; they are given hooks that stay.
    """

    def __init__(self, marked: Iterable[tuple[Mark, nn.Module]]) -> None:
        self.running: list[Mark] = []
        self.visited: dict[Mark, None] = {}  # a set that keeps its order
        for mark, module in marked:
            module.register_forward_pre_hook(partial(self._enter, mark))
            # Checkpointing ends the second forward pass by an exception.
            module.register_forward_hook(self._leave, always_call=True)

    def _enter(self, mark: Mark, module: nn.Module, inputs: object) -> None:
        self.running.append(mark)
        self.visited.setdefault(mark)

    def _leave(self, module: nn.Module, inputs: object, output: object) -> None:
        self.running.pop()
