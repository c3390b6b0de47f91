"""What a training step costs: forward, backward and optimiser, each by stage, block and module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablate.profiling._booking import Booking, Books, Whereabouts
from ablate.profiling._operators import Work
from ablate.profiling._passes import passes
from ablate.profiling.ledger import Cost, Ledger, plan_of, refuse, settle

ADAMW_PER_PARAMETER = 14
"""Operations of AdamW for each number that it trains.

Weight decay 1; the mean of gradients 3 (subtract, times, add); that of their squares 4 (twice
times a constant, square, add); its root, over a constant, plus another 3; the step 3 (divide,
times, add).
"""

_ADAMW_NUMBERS_MOVED = 7  # weight, gradient and two means are read; all but the gradient written


@dataclass(frozen=True, kw_only=True)
class TrainingLedger:
    """What one step of training costs.

    Args:
        forward: In training mode.
        backward: The gradients of the sum of all that the network returns, entered under the
            module whose forward pass they belong to.
        optimiser: AdamW, element by element.
    """

    forward: Ledger
    backward: Ledger
    optimiser: Cost

    @property
    def step(self) -> Cost:
        """All three."""
        return self.forward.total + self.backward.total + self.optimiser


def training_ledger(
    model: nn.Module,
    shape: tuple[int, ...],
    *,
    strict: bool = False,
    request: tuple[str, ...] = (),
) -> TrainingLedger:
    """Count one training step; nothing is computed.

    A convolution or a product costs as much as forward for the gradient of its input, where that
    is wanted, and as much again for that of its weight. The scan's backward pass is charged twice
    the literature's rule, and as a recurrence 10 B L D N in `scan_strict`. The loss is left out.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        shape: Of the batch: (batch, channels, height, width).
        strict: Whether an operator that nothing is known about is an error.
        request: What the network is asked for besides the image, such as scales.

    Raises:
        CountError: As for `ledger`.
    """
    known = list[Whereabouts]()

    def watch(copy: nn.Module, image: Tensor) -> TwoWays:
        if not known:
            known.append(Whereabouts(copy))
        return TwoWays(image, known[0])

    seen = passes(model, shape, watch, request, training=True)
    plan, visited = plan_of(model), list(known[0].visited)
    ledgers = []
    for way in (0, 1):
        turns = [turn.ways[way] for turn in seen.turns]
        unknown = {name: path for t in reversed(turns) for name, path in t.uncounted.items()}
        if strict:
            refuse(unknown, shape)
        least, most = seen.least.ways[way].books, seen.most.ways[way].books
        books = [turn.books for turn in turns]
        ledgers.append(settle(books, least, most, plan, visited, unknown))
    return TrainingLedger(forward=ledgers[0], backward=ledgers[1], optimiser=adamw(model))


def adamw(model: nn.Module) -> Cost:
    """What a step of AdamW costs for all that is trained, one number after the other."""
    trained = [p for p in model.parameters() if p.requires_grad]
    numbers = sum(p.numel() for p in trained)
    size = sum(p.numel() * p.element_size() for p in trained)
    moved = size * _ADAMW_NUMBERS_MOVED
    return Cost(elementwise=numbers * ADAMW_PER_PARAMETER, bytes_moved=moved)


@dataclass
class Way:
    """What was met going forward, or back."""

    books: Books
    uncounted: dict[str, str]


class TwoWays(Booking):  # type: ignore[no-untyped-call]
    """Keeps the books of a forward and a backward pass apart.

    Each step back is entered where its step forward was: PyTorch numbers the steps, and says
    which is being taken back.
    """

    def __init__(self, image: Tensor, whereabouts: Whereabouts) -> None:
        super().__init__(image, whereabouts)
        self.ways = (Way(self.books, self.uncounted), Way({}, {}))
        self._places: dict[int, str] = {}  # where each step forward was taken
        self._kinds: dict[int, str] = {}  # and, of a product, whether it was linear or matmul

    def turn_back(self, gradients: Any) -> None:
        """What runs from here on is the backward pass."""
        super().turn_back(gradients)
        self.forward = False
        self.books, self.uncounted = self.ways[1].books, self.ways[1].uncounted

    def path(self) -> str:
        """Of the module that is running, or whose step is being taken back."""
        running = super().path()  # in the backward pass only what is computed once more
        if running or self.forward:
            return running
        return self._places.get(_taken_back(), "")

    def note(
        self,
        name: str,
        call: Mapping[str, Any],
        output: Any,
        work: Work,
        written: list[Tensor] | None,
    ) -> None:
        """Enter the work of one operator by kind, and remember where it was forward."""
        super().note(name, call, output, work, written)
        if self.forward or super().path():
            step = torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]
            self._places.setdefault(step, self.path())
            for kind in {"linear", "matmul"} & set(work):
                self._kinds.setdefault(step, kind)

    def kind_of_product(self, name: str, call: Mapping[str, Any]) -> str:
        """The gradients of a product with a weight are linear, as the product itself is."""
        known = self._kinds.get(_taken_back()) if not self.forward else None
        return known or super().kind_of_product(name, call)


def _taken_back() -> int:
    """The number of the step forward whose gradients are being found; -1 for none."""
    node = torch._C._current_autograd_node()
    return node._sequence_nr() if node is not None else -1
