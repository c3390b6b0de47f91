"""Counts the operators that a call starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

_STARTING_NOTHING = frozenset(
    f"aten.{name}"
    for name in (
        *("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty"),
        *("new_empty_strided", "lift_fresh", "set_"),
    )
)
"""Operators that only set memory aside, or say where it is."""


class Launches(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operators that are started while it is active; views and allocations are none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operator; one that consists of others is counted as these."""
        if func.namespace != "prim" and not func.is_view and not _quiet(func):
            with self:
                output = func.decompose(*args, **(kwargs or {}))
            if output is not NotImplemented:
                return output
            self.count += 1
        return func(*args, **(kwargs or {}))


def _quiet(func: Any) -> bool:
    return str(func._overloadpacket) in _STARTING_NOTHING
