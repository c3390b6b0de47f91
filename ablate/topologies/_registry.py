"""The registry of topologies, what a topology is given and what its networks return."""

from __future__ import annotations

import inspect
from typing import Protocol

from torch import Tensor, nn

from blocks import Context, Registry


class Blocks(nn.Sequential):
    """The blocks of one stage in turn; a block whose `forward` takes a context is given it.

    Args:
        blocks: In the order in which they run.
        slot: The place of the network that they fill, such as stage1.
    """

    def __init__(self, *blocks: nn.Module, slot: str = "") -> None:
        super().__init__(*blocks)
        self.slot = slot

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Run (B, C, H, W) through all blocks; shape unchanged."""
        for block in self:
            x = block(x, context) if _takes_context(block) else block(x)
        return x


def _takes_context(block: nn.Module) -> bool:
    return "context" in inspect.signature(block.forward).parameters


class Fill(Protocol):
    """Makes the blocks of one stage."""

    def __call__(self, channels: int, context: int = 0) -> nn.Module:
        """Blocks of C channels, given an embedding of this length in their `Context`."""


Outputs = dict[str, Tensor | list[Tensor]]
"""`image`, and on request `scales`, `features` and `auxiliary`."""

topologies: Registry[type[nn.Module]] = Registry("topology")
