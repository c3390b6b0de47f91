"""The stages of a network by themselves, each with what it is given inside a forward pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ablate.network import stages_of
from blocks._context import Context


@dataclass(frozen=True, kw_only=True)
class StageCall:
    """All that a stage does in one forward pass; calling it does that again, and nothing else.

    Args:
        slot: The place of the network, such as stage1.
        visits: What runs and what it is given, in order; several where a topology passes through
            a slot more than once.
    """

    slot: str
    visits: tuple[tuple[nn.Module, Tensor, Context | None], ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """(B, C, H, W) of the features of each visit."""
        return tuple(tuple(features.shape) for _, features, _ in self.visits)

    def __call__(self) -> None:
        """Run the stage on what it was given."""
        for blocks, features, context in self.visits:
            if context is None:
                blocks(features)
            else:
                blocks(features, replace(context, auxiliary=[]))


def stage_calls(model: nn.Module, image: Tensor) -> dict[str, StageCall]:
    """Run a network once, as it stands, and keep what each of its stages was given.

    Args:
        model: The network; its mode, device and layout are left as they are.
        image: (B, C, H, W), on the same device.

    Returns:
        By slot, in the order in which stages ran first; stages without blocks are left out.
    """
    visits: dict[str, list[tuple[nn.Module, Tensor, Context | None]]] = {}
    hooks = []

    def keep(slot: str) -> Any:
        def hook(blocks: nn.Module, inputs: tuple[Any, ...]) -> None:
            features, context = (*inputs, None)[:2]
            visits.setdefault(slot, []).append((blocks, features.detach(), context))

        return hook

    for slot, containers in stages_of(model).items():
        for container in containers:
            if len(container):
                hooks.append(container.register_forward_pre_hook(keep(slot)))
    try:
        with torch.inference_mode():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return {slot: StageCall(slot=slot, visits=tuple(seen)) for slot, seen in visits.items()}
