"""Bytes that an operator cannot but move: what it reads once and what it writes once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from torch import Tensor

from ablate.profiling._operators import aten

_EMPTY: Final = frozenset(
    aten("""
    empty empty_like empty_strided empty_permuted new_empty new_empty_strided resize_ set_
""")
)
# What was in `self` before is not looked at.
_OVERWRITES: Final = frozenset(
    aten("""
    copy_ fill_ zero_ uniform_ normal_ bernoulli_ exponential_ random_
    zeros_like ones_like full_like rand_like randn_like
    new_zeros new_ones new_full
""")
)
# No more is read of `self` than is put out.
_PICKS: Final = frozenset(
    aten("""
    index index_select gather take embedding masked_select constant_pad_nd _unsafe_index
    _unsafe_masked_index upsample_nearest2d _upsample_nearest_exact2d
""")
)
# No more is written of `self` than is put in.
_SPRINKLES: Final[Mapping[str, str]] = {
    "aten.index_put_": "values",
    "aten.index_copy_": "source",
    "aten.index_add_": "source",
    "aten.scatter_": "src",
    "aten.scatter_add_": "src",
}


def tensors(tree: Any) -> list[Tensor]:
    """All tensors in nested arguments."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, Mapping):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    return [tensor for branch in tree for tensor in tensors(branch)]


def bytes_moved(name: str, call: Mapping[str, Any], output: Any, written: Sequence[Tensor]) -> int:
    """The least that an operator moves that is no view.

    Each tensor input is read once, each output written once. What is expanded is read once, not
    once for each repetition; of a lookup only what is found is read. Caches are left out: this is
    what crosses them at least if an operator's inputs and outputs lie outside.

    Args:
        name: Of the operator, such as aten.convolution.
        call: Its arguments by name.
        output: What it returned.
        written: The arguments that it writes to.
    """
    if name in _EMPTY:
        return 0
    inputs = tensors(dict(call))
    known = {tensor.untyped_storage()._cdata for tensor in inputs}
    made = [t for t in tensors(output) if t.untyped_storage()._cdata not in known]
    if not made and not written:  # the input itself, or a part of it
        return 0
    outputs = sum(map(extent, made)) + sum(map(extent, written))
    if source := _SPRINKLES.get(name):
        given = tensors([call.get(source), call.get("indices"), call.get("index")])
        return 2 * min(outputs, extent(given[0]) if given else outputs) + sum(
            map(extent, given[1:])
        )
    return outputs + _read(name, call, inputs, outputs)


def _read(name: str, call: Mapping[str, Any], inputs: Sequence[Tensor], outputs: int) -> int:
    unread = [call.get("out")] if name not in _OVERWRITES else [call.get("out"), call.get("self")]
    skipped = {id(tensor) for tensor in tensors(unread)}
    picked = {id(tensor) for tensor in tensors([call.get("self"), call.get("weight")])}
    total, seen = 0, set[tuple[object, ...]]()
    for tensor in inputs:
        place = (tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape)
        if id(tensor) in skipped or place in seen:
            continue
        seen.add(place)
        size = extent(tensor)
        total += min(size, outputs) if name in _PICKS and id(tensor) in picked else size
    return total


def extent(tensor: Tensor) -> int:
    """Bytes of the different elements of a tensor; an expanded axis has one."""
    if not tensor.numel():
        return 0
    apart = [n for n, step in zip(tensor.shape, tensor.stride(), strict=True) if step]
    return min(math.prod(apart) * tensor.element_size(), tensor.untyped_storage().nbytes())
