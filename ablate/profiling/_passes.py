"""Forward passes that compute nothing, watched by a mode; several where experts are routed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from ablate.profiling._counting import CountingMode
from ablate.profiling._foreign import reason
from ablate.profiling._replica import replica
from blocks._routing import Routed, forcing, in_turn, routed, turns

Mode = TypeVar("Mode", bound=CountingMode)


class CountError(ValueError):
    """The network cannot be counted; the message says which operation stood in the way."""


@dataclass(frozen=True)
class Passes(Generic[Mode]):
    """What was seen of a network.

    Args:
        turns: Passes over which every expert of every routed module runs equally often; one
            where nothing is routed. Their mean is exactly what uniformly chosen experts cost.
        least: The pass with the cheapest experts.
        most: The pass with the most expensive ones.
    """

    turns: tuple[Mode, ...]
    least: Mode
    most: Mode


def passes(
    module: nn.Module,
    shape: tuple[int, ...],
    watch: Callable[[nn.Module, Tensor], Mode],
    request: tuple[str, ...] = (),
) -> Passes[Mode]:
    """Run a copy of a module, in evaluation mode, on a float tensor without memory.

    Args:
        module: The network, with real weights or on meta; it is neither run nor changed.
        shape: Of the tensor.
        watch: Makes the mode that watches a pass, from the copy and its input.
        request: What the network is asked for besides the image.

    Raises:
        CountError: A shape depends on values, or foreign code reads the tensors' memory.
    """
    fake, copy = replica(module)
    copy.eval()

    def run(choice: Callable[[Routed], tuple[int, ...]]) -> Mode:
        with torch.no_grad(), fake, _fast_path_off(), forcing(copy, choice):
            image = torch.empty(shape)
            mode = watch(copy, image)
            try:
                with mode:
                    mode.read(copy(image, request) if request else copy(image))
            except Exception as error:
                why = f"multiply-adds over {tuple(shape)} cannot be counted: {reason(error)}"
                raise CountError(why) from error
        return mode

    seen = tuple(run(partial(in_turn, turn=turn)) for turn in range(turns(copy)))
    if not routed(copy):
        return Passes(seen, seen[0], seen[0])
    return Passes(seen, run(Routed.cheapest), run(Routed.dearest))


@contextmanager
def _fast_path_off() -> Iterator[None]:
    """Keep nn.MultiheadAttention from one fused operator that hides its products."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
