"""Finds work done behind PyTorch's back: memory allocated, never seen written, and then read."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType

import torch
from torch import Tensor

_EMPTY = frozenset(
    f"aten.{name}"
    for name in (
        "empty",
        "empty_like",
        "empty_strided",
        "empty_permuted",
        "new_empty",
        "new_empty_strided",
    )
)


class UnwrittenMemory:
    """Storages that were allocated empty and that no operator has been seen to write."""

    def __init__(self) -> None:
        # Storages are kept alive, so that no other is ever found at the same address.
        self._waiting: dict[int, tuple[torch.UntypedStorage, str, str]] = {}

    def allocate(self, operator: str, made: Sequence[Tensor], path: str) -> None:
        """Note what an operator allocated without filling it, who asked for it, and where."""
        if operator not in _EMPTY:
            return
        asker = _innermost(frame for frame, _ in traceback.walk_stack(None))
        for tensor in made:
            storage = tensor.untyped_storage()
            if storage.nbytes():
                self._waiting[storage._cdata] = (storage, asker, path)

    def write(self, tensors: Iterable[Tensor]) -> None:
        """These have been written to."""
        for tensor in tensors:
            self._waiting.pop(tensor.untyped_storage()._cdata, None)

    def read(self, tensors: Iterable[Tensor]) -> Iterator[tuple[str, str]]:
        """Who asked, and where, for what is read here though nothing was seen to write it."""
        for tensor in tensors:
            if found := self._waiting.pop(tensor.untyped_storage()._cdata, None):
                yield found[1], found[2]


def reason(error: Exception) -> str:
    """Why a network could not be run without computing, on one line."""
    if "data pointer" in str(error):
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        asker = _innermost(reversed(frames))
        return f"{asker} hands memory to foreign code; make it an operator (torch.library)"
    return str(error).partition("\n")[0] or type(error).__name__


def _innermost(frames: Iterable[FrameType]) -> str:
    """The first function that is neither PyTorch's nor this package's: module.qualified.name."""
    for frame in frames:
        module = str(frame.f_globals.get("__name__", ""))
        if not f"{module}.".startswith(("torch.", "ablate.profiling.", "contextlib.")):
            return f"{module}.{frame.f_code.co_qualname}"
    return "an unknown function"
