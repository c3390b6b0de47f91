"""Builds the network that a mix describes."""

from __future__ import annotations

from collections import Counter
from functools import partial

from torch import nn

from ablate.foreign import networks as foreign_network
from ablate.mix import Choice, Network, Stage
from ablate.topologies import Blocks, topologies
from blocks import Entry, blocks, make, nearest


def build(network: Network) -> nn.Module:
    """Build a network: `forward(image (B, 3, H, W), request)` returns outputs by name.

    Raises:
        ValueError: Something in it cannot be built; the message names the slot, where it is one.
    """
    if foreign := foreign_network.named(network.topology):
        return foreign_network.make(foreign)
    entry = topologies[network.topology.name]
    _check_knobs(entry, network.topology)
    fills = {stage.slot: partial(_fill, stage) for stage in network.stages}
    return entry.make(fills, **network.topology.settings)


def scale_of(model: nn.Module) -> int:
    """How many times larger a network returns its images, a side; 1 where it does not say."""
    return int(getattr(model, "scale", 1))


def stages_of(model: nn.Module) -> dict[str, tuple[Blocks, ...]]:
    """What fills each slot, in the order of the slots; a topology may fill one several times.

    Empty for a network that was not built from stages.
    """
    filled: dict[str, list[Blocks]] = {}
    for module in model.modules():
        if isinstance(module, Blocks) and module.slot:
            filled.setdefault(module.slot, []).append(module)
    return {slot: tuple(containers) for slot, containers in filled.items()}


def _fill(stage: Stage, channels: int, context: int = 0) -> Blocks:
    """The blocks of a stage, each told how many of its name come before it."""
    earlier: Counter[str] = Counter()
    modules = []
    for choice in stage.blocks:
        try:
            _check_knobs(blocks[choice.name], choice)
            index = earlier[choice.name]
            modules.append(make(choice.name, channels, index, context, **choice.settings))
        except ValueError as error:
            raise ValueError(f"{stage.slot}: {error}") from error
        earlier[choice.name] += 1
    return Blocks(*modules, slot=stage.slot)


def _check_knobs(entry: Entry[type[nn.Module]], choice: Choice) -> None:
    """Raise a ValueError for a setting that is not a knob."""
    for name in choice.settings:
        if name not in entry.knobs:
            known = ", ".join(entry.knobs) or "none"
            hint = nearest(name, entry.knobs)
            raise ValueError(f"no {entry.name} knob is named '{name}'{hint} (knobs: {known})")
