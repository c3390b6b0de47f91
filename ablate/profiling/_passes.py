"""Forward passes that compute nothing, watched by a mode; several where experts are routed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from ablate.profiling._counting import CountingMode
from ablate.profiling._foreign import reason
from ablate.profiling._moving import tensors
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
    *,
    training: bool = False,
) -> Passes[Mode]:
    """Run a copy of a module on a float tensor without memory.

    What was compiled runs as it was written, since nothing is computed.

    Args:
        module: The network, with real weights or on meta; it is neither run nor changed.
        shape: Of the tensor.
        watch: Makes the mode that watches a pass, from the copy and its input.
        request: What the network is asked for besides the image.
        training: Whether the gradients of the sum of all outputs are found too, in training mode;
            else it is evaluation mode.

    Raises:
        CountError: A shape depends on values, foreign code reads the tensors' memory, or the
            module cannot be copied.
    """
    try:
        fake, copy = replica(module)
    except Exception as error:  # whatever an attribute of someone's module raises
        raise _refused(shape, f"the network cannot be copied: {reason(error)}") from error
    copy.train(training)

    def run(choice: Callable[[Routed], tuple[int, ...]]) -> Mode:
        with torch.set_grad_enabled(training), fake, _as_written(), forcing(copy, choice):
            image = torch.empty(shape)
            mode = watch(copy, image)
            try:
                with mode:
                    output = copy(image, request) if request else copy(image)
                    mode.read(output)
                if training:
                    _differentiate(output, mode)
            except Exception as error:
                raise _refused(shape, reason(error)) from error
        return mode

    seen = tuple(run(partial(in_turn, turn=turn)) for turn in range(turns(copy)))
    if not routed(copy):
        return Passes(seen, seen[0], seen[0])
    return Passes(seen, run(Routed.cheapest), run(Routed.dearest))


def _refused(shape: tuple[int, ...], why: str) -> CountError:
    return CountError(f"multiply-adds over {tuple(shape)} cannot be counted: {why}")


def _differentiate(output: object, mode: CountingMode) -> None:
    """Find the gradients of the sum of all that was put out."""
    ends = [tensor for tensor in tensors(output) if tensor.requires_grad]
    seeds = [torch.ones_like(tensor) for tensor in ends]
    mode.turn_back(seeds)
    with mode:
        torch.autograd.backward(ends, seeds)


@contextmanager
def _as_written() -> Iterator[None]:
    """Keep fused operators from hiding products, and compilers from taking functions apart."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    # Without the compiler's package nothing has been compiled; loading it takes a second.
    compiled = "torch._dynamo" in sys.modules
    try:
        with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
