"""Multiply-adds of one forward pass, counted operator by operator without computing anything.

Every operator is exactly one of: counted by a formula, free, or named as uncounted; nothing is
silently zero. One multiply-add (MAC) is one multiplication and one addition: two FLOPs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from ablate.profiling._counting import CountingMode
from ablate.profiling._foreign import reason
from ablate.profiling._replica import replica

MAC_CLASSES = ("conv", "linear", "matmul", "scan", "other")


class CountError(ValueError):
    """The network cannot be counted; the message says which operation stood in the way."""


@dataclass(frozen=True, kw_only=True)
class MacCount:
    """What one forward pass costs.

    Args:
        total: Multiply-adds: the sum of `by_class`.
        by_class: Multiply-adds by class of operator. conv: convolutions; linear: products with
            something that does not depend on the image (weights); matmul: products of two things
            that do, attention among them; scan: the selective scan as the literature counts it,
            9 B L D N + B D L; other: operators that brought a formula of their own.
        scan_strict: Multiply-adds of the scans as plain recurrences, 3.5 B L D N; not in total.
        elementwise: Operations, one per element (activations, additions, interpolation).
        reduction: Operations of sums, means, maxima, pooling, cumulative sums and sorting.
        softmax: Operations of softmaxes, five per element.
        norm: Operations of normalisation operators, five per element.
        fft: Operations of Fourier transforms, 5 N log2 N complex, 2.5 N log2 N real.
        uncounted: Operators with neither a formula nor a place among the free ones.
    """

    total: int
    by_class: dict[str, int]
    scan_strict: int
    elementwise: int
    reduction: int
    softmax: int
    norm: int
    fft: int
    uncounted: tuple[str, ...]


def count_macs(model: nn.Module, size: tuple[int, int], batch: int = 1) -> MacCount:
    """Count one forward pass over an image (batch, 3, height, width), in evaluation mode.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        size: Height and width, in pixels.
        batch: Images in a call.

    Raises:
        CountError: A shape depends on values, or foreign code reads the tensors' memory.
    """
    return count_forward(model, (batch, 3, *size))


def count_forward(module: nn.Module, shape: tuple[int, ...]) -> MacCount:
    """Count one forward pass of any module over a float tensor of this shape.

    Raises:
        CountError: A shape depends on values, or foreign code reads the tensors' memory.
    """
    fake, copy = replica(module)
    copy.eval()
    with torch.no_grad(), fake, _fast_path_off():
        image = torch.empty(shape)
        counting = CountingMode(image)
        try:
            with counting:
                counting.read(copy(image))
        except Exception as error:
            why = f"multiply-adds over {tuple(shape)} cannot be counted: {reason(error)}"
            raise CountError(why) from error
    return _summary(counting)


def count_parameters(model: nn.Module) -> int:
    """Numbers in the parameters, trainable or not; shared parameters count once."""
    return sum(parameter.numel() for parameter in model.parameters())


def _summary(counting: CountingMode) -> MacCount:
    work = counting.work
    by_class = {name: work[name] for name in MAC_CLASSES if work[name]}
    return MacCount(
        total=sum(by_class.values()),
        by_class=by_class,
        scan_strict=work["scan_strict"],
        elementwise=work["elementwise"],
        reduction=work["reduction"],
        softmax=work["softmax"],
        norm=work["norm"],
        fft=work["fft"],
        uncounted=tuple(counting.uncounted),
    )


@contextmanager
def _fast_path_off() -> Iterator[None]:
    """Keep nn.MultiheadAttention from one fused operator that hides its products."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
