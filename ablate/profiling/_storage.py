"""Follows every storage from the operator that makes it until nothing refers to it any more."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Kind = Literal["weights", "gradients", "optimiser", "averages", "images", "activations", "kernels"]
Phase = Literal["forward", "backward", "optimiser"]
REST = "rest"
OURS = "ablate"  # namespace of our operators, whose inner needs no tracker sees


@dataclass(frozen=True)
class Place:
    """What runs.

    Args:
        phase: Of the step.
        slot: Of the network, or "rest".
    """

    phase: Phase = "forward"
    slot: str = REST


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A time in which one place of the network runs, and the memory meanwhile.

    Args:
        phase: forward, backward or optimiser.
        slot: Such as stage1; "rest" for what belongs to no stage.
        before: Bytes alive when it began.
        worst: Most bytes alive at once.
        after: Bytes alive when it ended.
        by_kind: What the bytes of the worst moment are; their sum is `worst`.
    """

    phase: Phase
    slot: str
    before: int
    worst: int
    after: int
    by_kind: Mapping[Kind, int]


@dataclass(frozen=True)
class _Entry:
    """Bytes that a storage takes (or gives back, below 0) while a place runs."""

    place: Place
    storage: int
    bytes: int


class StorageTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages of tensors while it is active.

    Attributes:
        current: Bytes alive now.
        peak: Most bytes alive at once.

    Args:
        tensors: What is there from the start.
        kind: What these are.
        place: Says what runs now; none where nobody asks.
        moved: Told whenever that changes, before the first operator of the new place.
    """

    def __init__(
        self,
        tensors: Iterable[Tensor] = (),
        kind: Kind = "weights",
        *,
        place: Callable[[], Place] = Place,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = 0
        self.peak = 0
        self._known: dict[int, int] = {}  # the address of a living storage -> its number
        self._kinds: list[Kind] = []  # by number
        self._log: list[_Entry] = []
        self._place_now, self._moved = place, moved
        self._place = Place()
        self.hold(tensors, kind)
        self._first = len(self._log)  # entries before anything ran

    def hold(self, tensors: Iterable[Tensor], kind: Kind) -> None:
        """Follow tensors that are there before anything runs."""
        for tensor in tensors:
            self._kinds[self._follow(tensor)] = kind
        self._first = len(self._log)

    def name(self, tensors: Iterable[Tensor], kind: Kind) -> None:
        """Say what followed storages are, from the moment on when they were made."""
        for tensor in tensors:
            number = self._known.get(tensor.untyped_storage()._cdata)
            if number is not None:
                self._kinds[number] = kind

    def stretches(self) -> tuple[Stretch, ...]:
        """All that happened, in order; a storage is what it was called last."""
        return _replayed(self._log, self._first, self._kinds)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operator and follow the storages that it makes."""
        self._move()
        output = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor):
                self._follow(leaf)
        if func.namespace == OURS:
            self._pass_through(_copied((args, kwargs)))
        return output

    def _pass_through(self, size: int) -> None:
        """Bytes that are taken and given back within an operator."""
        if size:
            number = len(self._kinds)
            self._kinds.append("kernels")
            self._enter(number, size)
            self._enter(number, -size)

    def _move(self) -> None:
        place = self._place_now()
        if place != self._place:
            self._moved()
            self._place = place
            self._log.append(_Entry(place, -1, 0))

    def _follow(self, tensor: Tensor) -> int:
        """The number of a tensor's storage, which is new where it was not followed yet."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known[key] = number = len(self._kinds)
            self._kinds.append("activations")
            self._enter(number, size)
            weakref.finalize(storage, self._forget, key, size)
        return self._known[key]

    def _forget(self, key: int, size: int) -> None:
        self._enter(self._known.pop(key), -size)

    def _enter(self, number: int, size: int) -> None:
        self.current += size
        self.peak = max(self.peak, self.current)
        self._log.append(_Entry(self._place, number, size))


def _copied(arguments: object) -> int:
    """Bytes of the tensors that an operator of ours copies first: its kernels read dense ones."""
    leaves = (leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor))
    return sum(t.numel() * t.element_size() for t in leaves if not t.is_contiguous())


def _replayed(log: Sequence[_Entry], first: int, kinds: Sequence[Kind]) -> tuple[Stretch, ...]:
    """The stretches of a log, of which the first entries tell what was there before."""
    alive: Counter[Kind] = Counter()
    for entry in log[:first]:
        alive[kinds[entry.storage]] += entry.bytes
    found, place, start = [], Place(), first
    for index in range(first, len(log) + 1):
        if index == len(log) or log[index].place != place:
            found.append(_stretch(place, log[start:index], alive, kinds))
            start = index
            place = log[index].place if index < len(log) else place
    return tuple(found)


def _stretch(
    place: Place, entries: Sequence[_Entry], alive: Counter[Kind], kinds: Sequence[Kind]
) -> Stretch:
    """One stretch; `alive` is brought to its end."""
    before = now = worst = alive.total()
    by_kind = dict(alive)
    for entry in entries:
        if not entry.bytes:
            continue
        alive[kinds[entry.storage]] += entry.bytes
        now += entry.bytes
        if now > worst:
            worst, by_kind = now, dict(alive)
    return Stretch(
        phase=place.phase,
        slot=place.slot,
        before=before,
        worst=worst,
        after=now,
        by_kind={kind: size for kind, size in by_kind.items() if size},
    )
