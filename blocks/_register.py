"""The registry of blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn

from blocks._registry import Registry

Family = Literal["cnn", "mamba", "attention", "linear_attention", "moe", "prompt", "none"]

blocks: Registry[type[nn.Module]] = Registry("block")


def register(*, family: Family, source: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Register a block under the name of the file that it is defined in.

    Args:
        family: What kind of computation the block is; reports colour by it.
        source: Where its equations come from: authors, year, identifier, equation.
    """

    def enter(block: type[nn.Module]) -> type[nn.Module]:
        name = block.__module__.rpartition(".")[2]
        return blocks.register(name=name, family=family, source=source)(block)

    return enter
