"""The figures that other people's counters give for a network, so that published tables compare.

A convention says what a counter charges for each operator, and nothing for those that it does not
see. The published figures are of the networks as their authors wrote them, and ours spell some
things otherwise. Therefore
- a product with the weight of a layer is that layer's work, however the weight is called;
- `ChannelNorm` is a norm written by hand, which no counter knows; nn.LayerNorm is one they know;
- `GlobalMean` over the whole image is nn.AdaptiveAvgPool2d;
- attention by one fused operator is two products of matrices and an nn.Softmax between them;
- restored images at all scales are asked for, and pixels that only fill up windows go through
  whole blocks, as released code computes both always.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from ablate.profiling import _rules
from ablate.profiling._operators import Work
from ablate.profiling._passes import Passes, passes
from ablate.profiling._watching import Operation, Watching
from ablate.profiling.flops import MAC_CLASSES, count_parameters, mean_work
from blocks import nearest
from blocks.mwsa import MultiWindowAttention

OURS: Final = "ablate"


@dataclass(frozen=True, kw_only=True)
class Convention:
    """How a counter counts.

    Args:
        text: What it counts, in words.
        rule: What it charges for an operator, by class.
        layers_only: Whether parameters count only where they lie in layers that it knows.
        as_released: Whether the network is asked for all that released code computes.
    """

    text: str
    rule: Callable[[Operation], Work]
    layers_only: bool = False
    as_released: bool = True


@dataclass(frozen=True, kw_only=True)
class ConventionCount:
    """What a convention says that one forward pass costs.

    Args:
        convention: Its name.
        params: Parameters, as far as the counter sees them.
        macs: What it charges in all: the sum of `by_class`.
        by_class: What it charges, by class of operator.
        range: With the cheapest and with the most expensive experts.
        uncounted: Operators that do something and are charged nothing.
    """

    convention: str
    params: int
    macs: int
    by_class: dict[str, int]
    range: tuple[int, int]
    uncounted: tuple[str, ...]


def _ours(operation: Operation) -> Work:
    return {kind: operation.work.get(kind, 0) for kind in MAC_CLASSES}


CONVENTIONS: Final[Mapping[str, Convention]] = {
    OURS: Convention(
        text="multiply-adds of convolution, linear, matmul and einsum, and the selective scan as "
        "9 B L D N + B D L",
        rule=_ours,
        as_released=False,
    ),
    "thop": Convention(
        text="as thop 0.1.1: layers by their type, norms (4 an element), softmax and pooling among "
        "them; transposed convolutions as if every output pixel met the whole kernel; no products "
        "of matrices, no scan, no parameters outside layers",
        rule=_rules.thop,
        layers_only=True,
    ),
    "conv-only": Convention(text="convolutions and nothing else", rule=_rules.convolutions),
    "fvcore": Convention(
        text="as fvcore 0.1.5: convolution, linear, matmul and einsum, LayerNorm and InstanceNorm "
        "(5 an element), BatchNorm (2), adaptive pooling (1) and interpolation, and the scan as "
        "papers register it, 9 B L D N + B D L",
        rule=_rules.fvcore,
    ),
}


def count_as(model: nn.Module, shape: tuple[int, ...], name: str) -> ConventionCount:
    """Count one forward pass as a convention does.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        shape: Of the image: (batch, channels, height, width).
        name: The convention.

    Raises:
        ValueError: There is no such convention.
        CountError: The network cannot be counted.
    """
    convention = find(name)
    seen = see_released(model, shape) if convention.as_released else passes(model, shape, Watching)
    return charge(seen, count_parameters(model), name)


def charge(seen: Passes[Watching], params: int, name: str) -> ConventionCount:
    """What a convention charges for what was seen of a network with so many parameters."""
    convention = find(name)
    turns = [_charged(turn, convention) for turn in seen.turns]
    by_class = {kind: amount for kind, amount in mean_work(turns).items() if amount}
    return ConventionCount(
        convention=name,
        params=_layers_parameters(seen) if convention.layers_only else params,
        macs=sum(by_class.values()),
        by_class=by_class,
        range=(
            _charged(seen.least, convention).total(),
            _charged(seen.most, convention).total(),
        ),
        uncounted=_uncounted(seen, convention),
    )


def find(name: str) -> Convention:
    """The convention of this name.

    Raises:
        ValueError: There is none.
    """
    if name not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        hint = nearest(name, CONVENTIONS)
        raise ValueError(f"no convention is named '{name}'{hint} (conventions: {known})")
    return CONVENTIONS[name]


def see_released(model: nn.Module, shape: tuple[int, ...]) -> Passes[Watching]:
    """See a network compute all that released code computes."""

    def watch(copy: nn.Module, image: Tensor) -> Watching:
        for part in copy.modules():
            if isinstance(part, MultiWindowAttention):
                part.spares_padding = False
        return Watching(copy, image)

    asked = "request" in inspect.signature(model.forward).parameters
    return passes(model, shape, watch, ("scales",) if asked else ())


def _charged(seen: Watching, convention: Convention) -> Counter[str]:
    total: Counter[str] = Counter()
    for operation in seen.operations:
        total.update(convention.rule(operation))
    return total


def _layers_parameters(seen: Passes[Watching]) -> int:
    """Numbers in the parameters of layers that were used."""
    used = {id(o.layer): o.layer for turn in seen.turns for o in turn.operations if o.layer}
    known = [layer for layer in used.values() if type(layer) in _rules.THOP_LAYERS]
    parameters = {id(p): p.numel() for layer in known for p in layer.parameters()}
    return sum(parameters.values())


def _uncounted(seen: Passes[Watching], convention: Convention) -> tuple[str, ...]:
    """Operators, by name in order of appearance; what our own counter does not know is among them.

    Under our own convention, work that has a column of its own is counted there.
    """
    unknown = [name for turn in seen.turns for name in turn.uncounted]
    if convention.rule is _ours:
        return tuple(dict.fromkeys(unknown))
    operations = (operation for turn in seen.turns for operation in turn.operations)
    unseen = [o.name for o in operations if _escapes(o, convention.rule(o))]
    return tuple(dict.fromkeys([*unseen, *unknown]))


def _escapes(operation: Operation, charged: Work) -> bool:
    """Whether multiply-adds are charged nothing, or all there is where there are none."""
    multiplied = [kind for kind in MAC_CLASSES if operation.work.get(kind)]
    if multiplied:
        return not any(charged.get(kind) for kind in multiplied)
    return any(operation.work.values()) and not any(charged.values())
