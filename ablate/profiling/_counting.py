"""Watches every operator that a network calls and adds up what each one costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ablate.profiling import _operators
from ablate.profiling._foreign import UnwrittenMemory
from ablate.profiling._gradients import BACKWARD_FACTORS, GRADIENTS
from ablate.profiling._moving import tensors as _tensors
from ablate.profiling._operators import ALLOCATIONS, Work
from ablate.profiling._rare_operators import RARE, RARE_FACTORS, RARELY_FREE

FORMULAS = {**_operators.FORMULAS, **GRADIENTS, **RARE}
FACTORS = {**_operators.FACTORS, **BACKWARD_FACTORS, **RARE_FACTORS}
FREE = _operators.FREE | RARELY_FREE


class CountingMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up work by column while it is active.

    Args:
        image: The input; a product with something that does not come from it is linear.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work: Counter[str] = Counter()
        self.uncounted: dict[str, str] = {}  # the module where each was met first
        self._memory = UnwrittenMemory()
        # Storages are kept alive, so that no other is ever found at the same address.
        self._from_image: dict[int, torch.UntypedStorage] = {}
        self._mark([image])

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operator and enter it in the books."""
        kwargs = kwargs or {}
        if func.namespace == "prim":  # asks for a property of a tensor, such as its device
            return func(*args, **kwargs)
        if _is_composite(func) and str(func._overloadpacket) not in FORMULAS:
            with self:
                output = func.decompose(*args, **kwargs)
            if output is not NotImplemented:
                return output
        output = func(*args, **kwargs)
        self._enter(func, args, kwargs, output)
        return output

    def _enter(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        name = str(func._overloadpacket)
        call = _named(func, args, kwargs)
        work = _work(func, name, call, output)
        if work is None and (formula := flop_registry.get(func._overloadpacket)):
            work = {"other": formula(*args, **kwargs, out_val=output) // 2}
        if work is None:
            self.uncounted.setdefault(name, self.path())
        by_kind = {
            self.kind_of_product(name, call) if column == "product" else column: amount
            for column, amount in (work or {}).items()
        }
        written = _written(func, call)
        self.note(name, call, output, by_kind, None if func.is_view else written)
        self._memory.allocate(name, _tensors(output), self.path())
        self._memory.write(written)
        if not func.is_view and name not in ALLOCATIONS:
            self.read(call)
        if any(self._comes_from_image(tensor) for tensor in _tensors(call)):
            self._mark([*_tensors(output), *written])

    def note(
        self,
        name: str,
        call: Mapping[str, Any],
        output: Any,
        work: Work,
        written: list[Tensor] | None,
    ) -> None:
        """Enter the work of one operator by kind.

        Args:
            name: As PyTorch names it.
            call: Its arguments by name.
            output: What it returned.
            work: What it costs, by kind.
            written: The arguments that it wrote to; None for a view.
        """
        self.work.update(work)

    def turn_back(self, gradients: Sequence[Tensor]) -> None:
        """What runs from here on is the backward pass, which starts from these."""
        self._mark(gradients)

    def path(self) -> str:
        """Of the module that is running; "" where modules are not watched."""
        return ""

    def read(self, tree: Any) -> None:
        """Name the functions whose memory, read here, was never seen to be written."""
        for function, path in self._memory.read(_tensors(tree)):
            self.uncounted.setdefault(function, path)

    def kind_of_product(self, name: str, call: Mapping[str, Any]) -> str:
        """Whether both factors come from the image (matmul) or one is given (linear)."""
        both = all(self._comes_from_image(call[factor]) for factor in FACTORS[name])
        return "matmul" if both else "linear"

    def _comes_from_image(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._from_image

    def _mark(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._from_image[storage._cdata] = storage


def _work(func: Any, name: str, call: Mapping[str, Any], output: Any) -> Work | None:
    """Work by column; {} where the operator is free; None where nothing is known about it."""
    if name in FREE or func.is_view:
        return {}
    if torch.Tag.pointwise in func.tags:  # before the formulas: max(a, b) is not a reduction
        tensors = _tensors(output) or _written(func, call)
        return {"elementwise": sum(tensor.numel() for tensor in tensors)}
    return FORMULAS[name](call, output) if name in FORMULAS else None


def _is_composite(func: Any) -> bool:
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key))


def _named(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by their names in the operator's schema, defaults filled in."""
    schema = func._schema.arguments
    call = {a.name: a.default_value for a in schema if a.has_default_value()}
    call.update({a.name: value for a, value in zip(schema, args, strict=False)})
    return {**call, **kwargs}


def _written(func: Any, call: Mapping[str, Any]) -> list[Tensor]:
    """The arguments that the operator writes to."""
    names = [a.name for a in func._schema.arguments if a.alias_info and a.alias_info.is_write]
    return _tensors([call[name] for name in names])
