"""Enters what every operator costs under the module that it runs in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ablate.profiling._counting import CountingMode
from ablate.profiling._moving import bytes_moved
from ablate.profiling._operators import MAC_CLASSES, Work, first
from ablate.profiling._running import Running

Place = tuple[str, str]
"""The path of a module and the name of an operator that ran in it, but in no module beneath it."""

Books = dict[Place, Counter[str]]


class Whereabouts(Running[str]):
    """Which module of a network is running, by its path.

    Args:
        model: It is given hooks that stay.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.named_modules())


class Booking(CountingMode):  # type: ignore[no-untyped-call]
    """Keeps the books of one pass.

    Args:
        image: The input.
        whereabouts: Of the network that is about to run.
    """

    def __init__(self, image: Tensor, whereabouts: Whereabouts) -> None:
        super().__init__(image)
        self._whereabouts = whereabouts
        self.forward = True
        self.books: Books = {}

    def path(self) -> str:
        """Of the module that is running."""
        return self._whereabouts.running[-1] if self._whereabouts.running else ""

    def note(
        self,
        name: str,
        call: Mapping[str, Any],
        output: Any,
        work: Work,
        written: list[Tensor] | None,
    ) -> None:
        """Enter the work of one operator by kind, and the bytes that it moves."""
        super().note(name, call, output, work, written)
        entry = dict(work)
        if written is not None:
            entry["bytes_moved"] = bytes_moved(name, call, output, written)
        if self.forward and any(work.get(kind) for kind in MAC_CLASSES):
            entry["activations"] = first(output).numel()
        if any(entry.values()):
            self.books.setdefault((self.path(), name), Counter()).update(entry)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where stages and their blocks lie in a network.

    Args:
        slots: The slot of each container of blocks, by path; empty ones too.
        blocks: The name of each block in the books, such as "stage2.0 mwsa", by path.
    """

    slots: Mapping[str, str]
    blocks: Mapping[str, str]


def above(path: str) -> list[str]:
    """A path and all that it lies in, from the inside: a.b, a, "" ."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts), -1, -1)]


def mean_books(turns: list[Books]) -> Books:
    """The mean over turns in whole numbers, whose sums are the rounded means of the sums.

    Each entry is how far it takes the rounded mean of the running sum.
    """
    total: Books = {}
    for books in turns:
        for place, entry in books.items():
            total.setdefault(place, Counter()).update(entry)
    if len(turns) == 1:
        return total
    running: Counter[str] = Counter()
    mean: Books = {}
    for place, entry in total.items():
        before = {kind: round(running[kind] / len(turns)) for kind in entry}
        running.update(entry)
        after = {kind: round(running[kind] / len(turns)) for kind in entry}
        mean[place] = Counter({kind: after[kind] - before[kind] for kind in entry})
    return mean
