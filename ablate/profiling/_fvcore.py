"""One network counted by fvcore and by us in this process, operator kind by operator kind.

fvcore runs the network for real and has it traced, which changes a process: it belongs in one that
ends afterwards.
"""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ablate.profiling._booking import Booking, Whereabouts, above
from ablate.profiling._moving import tensors
from ablate.profiling._operators import Work
from ablate.profiling._passes import Passes, passes
from blocks._routing import Routed, forcing

KINDS: Final = ("conv", "product")
"""fvcore tells products apart by how they are spelt, we by whether a factor is a weight: as one
kind they compare."""

_THEIRS: Final[Mapping[str, str]] = {
    "conv": "conv",
    **dict.fromkeys(("linear", "addmm", "matmul", "mm", "bmm", "einsum"), "product"),
}
_OURS: Final[Mapping[str, str]] = {"conv": "conv", "linear": "product", "matmul": "product"}
_FUSED: Final = "aten.scaled_dot_product_attention"

ByModule = dict[str, Counter[str]]
"""Multiply-adds by kind, of each module with all beneath it."""


@dataclass(frozen=True, kw_only=True)
class Both:
    """What was counted of one network, with its most expensive experts where it routes.

    Args:
        ours: What we count in operators that fvcore claims to see too.
        theirs: What fvcore counts of the same kinds.
        set_aside: What we count, by name of operator, in those that fvcore says it cannot.
        charged_beside: What fvcore adds for norms, resizing and pooling, by its name.
        unseen: Operators that fvcore says it cannot count, as it names them.
    """

    ours: ByModule
    theirs: ByModule
    set_aside: Mapping[str, int] = field(default_factory=dict)
    charged_beside: Mapping[str, int] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()


def count_both(model: nn.Module, shape: tuple[int, ...]) -> Both:
    """Count a network in evaluation mode over random numbers of a shape.

    Raises:
        ImportError: fvcore is not installed.
        CountError: We cannot count the network.
        Exception: Whatever the network or its tracing raises.
    """
    with _attention_by_name() as inside:
        seen: Passes[_Spelt] = passes(
            model, shape, lambda copy, image: _Spelt(image, Whereabouts(copy), inside)
        )
    theirs, beside, unseen = _fvcore(model, shape)
    unknown = {name.replace("::", ".") for name in unseen}
    ours, aside = ByModule(), Counter[str]()
    for (path, operator), entry in seen.most.books.items():
        counted = {_OURS[kind]: entry[kind] for kind in _OURS if entry[kind]}
        hidden = sum(counted.values()) if operator in unknown else 0
        aside.update({operator: hidden + entry["scan"] + entry["other"]})
        for part in () if hidden else above(path):
            ours.setdefault(part, Counter()).update(counted)
    aside = Counter({name: macs for name, macs in aside.items() if macs})
    return Both(
        ours=ours, theirs=theirs, set_aside=dict(aside), charged_beside=beside, unseen=unseen
    )


def _fvcore(
    model: nn.Module, shape: tuple[int, ...]
) -> tuple[ByModule, dict[str, int], tuple[str, ...]]:
    """What fvcore counts: by module of the kinds that compare, all else, and what it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it and the tracing are deprecated
        from fvcore.nn import FlopCountAnalysis

        whole = Tensors(model).eval()
        with torch.no_grad(), forcing(model, Routed.dearest):
            analysis = FlopCountAnalysis(whole, torch.rand(shape))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            modules = analysis.by_module_and_operator()
            unseen = tuple(analysis.unsupported_ops())
    inside = {path: modules[prefix] for path, prefix in _inside(modules)}
    by_module: ByModule = {}
    for path, counted in inside.items():
        entry = by_module[path] = Counter[str]()
        for name, macs in counted.items():
            if name in _THEIRS:
                entry[_THEIRS[name]] += int(macs)
    beside = {n: int(macs) for n, macs in inside[""].items() if n not in _THEIRS and macs}
    return by_module, beside, unseen


def _inside(modules: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Paths in the network itself, and as fvcore has them."""
    for prefix in modules:
        if prefix == "model" or prefix.startswith("model."):
            yield prefix.removeprefix("model").removeprefix("."), prefix


class Tensors(nn.Module):
    """Returns all tensors that a network returns, in a tuple, since tracing takes nothing else."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensors(self.model(image)))


class _Spelt(Booking):  # type: ignore[no-untyped-call]
    """Books in which fused attention has its own name, whatever it is computed by."""

    def __init__(self, image: Tensor, whereabouts: Whereabouts, inside: list[bool]) -> None:
        super().__init__(image, whereabouts)
        self._inside = inside

    def note(
        self,
        name: str,
        call: Mapping[str, Any],
        output: Any,
        work: Work,
        written: list[Tensor] | None,
    ) -> None:
        super().note(_FUSED if self._inside else name, call, output, work, written)


@contextmanager
def _attention_by_name() -> Iterator[list[bool]]:
    """A list that is not empty while fused attention runs."""
    inside: list[bool] = []
    fused = functional.scaled_dot_product_attention

    @functools.wraps(fused)
    def attention(*args: Any, **kwargs: Any) -> Tensor:
        inside.append(True)
        try:
            return fused(*args, **kwargs)
        finally:
            inside.pop()

    functional.scaled_dot_product_attention = attention
    try:
        yield inside
    finally:
        functional.scaled_dot_product_attention = fused
