"""Interchangeable stage blocks: modules (B, C, H, W) -> (B, C, H, W), one file each."""

from __future__ import annotations

import importlib
import pkgutil

from torch import nn

from blocks._context import Context
from blocks._register import blocks, register
from blocks._registry import REQUIRED, Entry, Knob, Registry, UnknownName, nearest

__all__ = [
    "REQUIRED",
    "Context",
    "Entry",
    "Knob",
    "Registry",
    "UnknownName",
    "blocks",
    "make",
    "nearest",
    "register",
]


def make(name: str, channels: int, index: int = 0, context: int = 0, **knobs: object) -> nn.Module:
    """Build a registered block.

    Args:
        name: What the block is registered as.
        channels: C of its input and output.
        index: How many blocks of the same name come before it in the stage.
        context: Length of the embedding that the topology gives in `Context`; 0 for none.
        knobs: The block's own settings; what is left out takes its default.

    Raises:
        UnknownName: Nothing is registered under this name.
        ValueError: The block cannot be built with these values; the message says why.
    """
    entry = blocks[name]
    supplied = {"channels": channels, "index": index, "context": context}
    return entry.make(*(supplied[argument] for argument in entry.supplied), **knobs)


for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_") and not _module.ispkg:
        importlib.import_module(f"blocks.{_module.name}")
