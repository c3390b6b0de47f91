"""Multiply-adds of one forward pass, counted operator by operator without computing anything.

Every operator is exactly one of: counted by a formula, free, or named as uncounted; nothing is
silently zero. One multiply-add (MAC) is one multiplication and one addition: two FLOPs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ablate.profiling._counting import CountingMode
from ablate.profiling._operators import MAC_CLASSES
from ablate.profiling._passes import CountError, Passes, passes

__all__ = [
    "MAC_CLASSES",
    "CountError",
    "MacCount",
    "count_forward",
    "count_macs",
    "count_parameters",
]


@dataclass(frozen=True, kw_only=True)
class MacCount:
    """What one forward pass costs; where experts are routed, the mean over all of them.

    Args:
        total: Multiply-adds: the sum of `by_class`.
        by_class: Multiply-adds by class of operator. conv: convolutions; linear: products with
            something that does not depend on the image (weights); matmul: products of two things
            that do, attention among them; scan: the selective scan as the literature counts it,
            9 B L D N + B D L; other: operators that brought a formula of their own.
        range: Multiply-adds with the cheapest and with the most expensive experts; both are the
            total where nothing is routed.
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
    range: tuple[int, int]
    scan_strict: int
    elementwise: int
    reduction: int
    softmax: int
    norm: int
    fft: int
    uncounted: tuple[str, ...]

    @property
    def routed(self) -> bool:
        """Whether the cost depends on which experts the image is given."""
        return self.range[0] != self.range[1]


def count_macs(
    model: nn.Module, size: tuple[int, int], batch: int = 1, channels: int = 3
) -> MacCount:
    """Count one forward pass over an image (batch, channels, height, width), in evaluation mode.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        size: Height and width, in pixels.
        batch: Images in a call.
        channels: Of the image.

    Raises:
        CountError: A shape depends on values, or foreign code reads the tensors' memory.
    """
    return count_forward(model, (batch, channels, *size))


def count_forward(module: nn.Module, shape: tuple[int, ...]) -> MacCount:
    """Count one forward pass of any module over a float tensor of this shape.

    Raises:
        CountError: A shape depends on values, or foreign code reads the tensors' memory.
    """
    return _summary(passes(module, shape, lambda copy, image: CountingMode(image)))


def count_parameters(model: nn.Module) -> int:
    """Numbers in the parameters, trainable or not; shared parameters count once."""
    return sum(parameter.numel() for parameter in model.parameters())


def _summary(seen: Passes[CountingMode]) -> MacCount:
    work = mean_work([mode.work for mode in seen.turns])
    by_class = {name: work[name] for name in MAC_CLASSES if work[name]}
    return MacCount(
        total=sum(by_class.values()),
        by_class=by_class,
        range=(_macs(seen.least.work), _macs(seen.most.work)),
        scan_strict=work["scan_strict"],
        elementwise=work["elementwise"],
        reduction=work["reduction"],
        softmax=work["softmax"],
        norm=work["norm"],
        fft=work["fft"],
        uncounted=tuple(dict.fromkeys(name for mode in seen.turns for name in mode.uncounted)),
    )


def mean_work(turns: list[Counter[str]]) -> Counter[str]:
    """The mean over turns, kind by kind."""
    total: Counter[str] = Counter()
    for work in turns:
        total.update(work)
    return Counter({kind: round(amount / len(turns)) for kind, amount in total.items()})


def _macs(work: Mapping[str, int]) -> int:
    return sum(work[name] for name in MAC_CLASSES)
