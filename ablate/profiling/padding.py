"""How large the image really is inside a network: what its topology and its blocks add to it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ablate.profiling._passes import passes
from ablate.profiling._watching import Operation, Watching

Size = tuple[int, int]

_PADS = ("aten.constant_pad_nd", "aten.reflection_pad2d", "aten.replication_pad2d")


@dataclass(frozen=True, kw_only=True)
class Padding:
    """What a network works on.

    Args:
        whole: Height and width of what its first convolution is given.
        inside: Where blocks pad further on the right or at the bottom, from which height and
            width to which, each pair once.
    """

    whole: Size
    inside: tuple[tuple[Size, Size], ...]


def padding(model: nn.Module, shape: tuple[int, ...]) -> Padding:
    """See what a network makes of the size of an image.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        shape: Of the image: (batch, channels, height, width).

    Raises:
        CountError: The network cannot be run without computing.
    """
    operations = passes(model, shape, Watching).turns[0].operations
    first = next((o for o in operations if o.name == "aten.convolution"), None)
    whole = _size(first.call["input"]) if first else (shape[-2], shape[-1])
    begun = operations.index(first) if first else 0
    added = (_added(operation) for operation in operations[begun:])
    return Padding(whole=whole, inside=tuple(dict.fromkeys(pair for pair in added if pair)))


def _added(operation: Operation) -> tuple[Size, Size] | None:
    """From which size to which an operator pads on the right or at the bottom alone."""
    image, output = operation.call.get("self"), operation.output
    if operation.name not in _PADS or not isinstance(image, Tensor) or image.dim() != 4:
        return None
    pad = [*operation.call.get("padding", operation.call.get("pad")), 0, 0, 0][:4]
    left, _, top, _ = pad
    return None if left or top else (_size(image), _size(output))


def _size(image: Tensor) -> Size:
    height, width = image.shape[-2:]
    return int(height), int(width)
