"""Where the parts of a study come from, in the words with which they were registered."""

from __future__ import annotations

import blocks
from ablate.tasks.degradations import degradations
from ablate.topologies import topologies
from ablate.training.losses import losses
from blocks import Registry

SSIM = "Wang et al. 2004"


def source_of(thing: str) -> str:
    """The source of a block, topology, loss, degradation or metric; "" where none is known.

    Args:
        thing: Its kind and its name: block lama, topology unet, loss l1.
    """
    kind, _, name = thing.partition(" ")
    if thing == "metric ssim":
        return SSIM
    registries: dict[str, Registry] = {  # type: ignore[type-arg]
        "block": blocks.blocks,
        "topology": topologies,
        "loss": losses,
        "degradation": degradations,
    }
    if kind not in registries or name not in registries[kind]:
        return ""
    return str(registries[kind][name].facts.get("source", ""))
