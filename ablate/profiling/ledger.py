"""What a forward pass costs, by stage, by block, by module and by operator; the parts add up.

Nothing is computed and nothing is allocated: the network runs on tensors that have only shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

import blocks
from ablate.profiling._booking import Booking, Books, Plan, Whereabouts, above, mean_books
from ablate.profiling._passes import CountError, Passes, passes
from ablate.profiling.cost import COLUMNS, Cost, cost_of
from ablate.topologies import Blocks

__all__ = ["COLUMNS", "REST", "Cost", "CountError", "Ledger", "ledger"]

REST = "rest"
"""Under this name stands what runs in no stage: stem, resizing, skips, heads."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What one pass costs; where experts are routed, the mean over all of them.

    The costs of all stages add up to the total, to the last multiply-add; so do those of all
    blocks, and those of all operators.

    Args:
        total: Of the whole network.
        by_stage: By slot, in the order of the network, and what runs in none of them as "rest".
        by_block: By block, such as "stage2.0 mwsa", and "rest". Where a topology fills a slot
            several times, the groups are counted too: "body.3.0 rcab".
        by_module: By path of module, each with all modules beneath it; "" is the network.
            Modules that did not run are absent; one that has several paths stands under its
            first.
        by_operator: By name, such as aten.convolution.
        least: Of the whole network with the cheapest experts.
        most: Of the whole network with the most expensive ones.
        uncounted: Operators without a formula or a place among the free ones, by name, with the
            path of the module that each was first met in. What they cost is in no number here.
    """

    total: Cost
    by_stage: dict[str, Cost]
    by_block: dict[str, Cost]
    by_module: dict[str, Cost]
    by_operator: dict[str, Cost]
    least: Cost
    most: Cost
    uncounted: dict[str, str]

    @property
    def routed(self) -> bool:
        """Whether the cost depends on which experts the image is given."""
        return self.least.macs != self.most.macs


def ledger(model: nn.Module, shape: tuple[int, ...], *, strict: bool = False) -> Ledger:
    """Count one forward pass of any module over a float tensor, in evaluation mode.

    Args:
        model: The network, with real weights or on meta; it is neither run nor changed.
        shape: Of the tensor: (batch, channels, height, width) for a network. Costs are of the
            whole batch.
        strict: Whether an operator that nothing is known about is an error.

    Raises:
        CountError: A shape depends on values, foreign code reads the tensors' memory, or, if
            strict, an operator is unknown; the message names it and where it was met.
    """
    seen, plan, visited = book(model, shape)
    found = {name: path for turn in reversed(seen.turns) for name, path in turn.uncounted.items()}
    if strict:
        refuse(found, shape)
    books = [turn.books for turn in seen.turns]
    return settle(books, seen.least.books, seen.most.books, plan, visited, found)


def book(model: nn.Module, shape: tuple[int, ...]) -> tuple[Passes[Booking], Plan, list[str]]:
    """Run a network on shapes: the books of every pass, where its stages lie, what ran."""
    known = list[Whereabouts]()

    def watch(copy: nn.Module, image: Tensor) -> Booking:
        if not known:  # the same copy runs in every pass
            known.append(Whereabouts(copy))
        return Booking(image, known[0])

    seen = passes(model, shape, watch)
    return seen, plan_of(model), list(known[0].visited)


def refuse(uncounted: Mapping[str, str], shape: tuple[int, ...]) -> None:
    """Raise a CountError that names every operator that was not counted; none is no error."""
    if uncounted:
        met = ", ".join(f"{name} in {path or 'the network'}" for name, path in uncounted.items())
        raise CountError(
            f"multiply-adds over {tuple(shape)} cannot be counted: no formula for {met}"
        )


def settle(
    turns: list[Books], least: Books, most: Books, plan: Plan, visited: list[str],
    uncounted: dict[str, str],
) -> Ledger:  # fmt: skip
    """Add up books by everything that a ledger tells apart."""
    books = mean_books(turns)
    by_module = _by_module(books)
    return Ledger(
        total=_total(books),
        by_stage=_parts(books, [*plan.slots.values(), REST], plan.slots),
        by_block=_parts(books, [*plan.blocks.values(), REST], {**plan.slots, **plan.blocks}),
        by_module={path: by_module.get(path, Cost()) for path in visited},
        by_operator=_by(books, lambda _, operator: operator),
        least=_total(least),
        most=_total(most),
        uncounted=uncounted,
    )


def plan_of(model: nn.Module) -> Plan:
    """Where the stages of a network lie; an empty plan where it has none."""
    containers = {p: m for p, m in model.named_modules() if isinstance(m, Blocks) and m.slot}
    slots = {_clean(path): container.slot for path, container in containers.items()}
    several = Counter(slots.values())
    met, names = Counter[str](), dict[str, str]()
    for path, container in containers.items():
        slot = container.slot
        place = f"{slot}.{met[slot]}" if several[slot] > 1 else slot
        met[slot] += 1
        for index, block in container.named_children():
            names[f"{_clean(path)}.{index}"] = f"{place}.{index} {_block_name(block)}"
    return Plan(slots=slots, blocks=names)


def _clean(path: str) -> str:
    """A path without what torch.compile puts into it."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")


def _block_name(block: nn.Module) -> str:
    block = getattr(block, "_orig_mod", block)
    names = (name for name in blocks.blocks if blocks.blocks[name].make is type(block))
    return next(names, type(block).__name__)


def _parts(books: Books, parts: list[str], names: Mapping[str, str]) -> dict[str, Cost]:
    """Costs of named parts, in their order; of those that cost nothing too."""
    costs = _by(books, lambda path, _: _name(path, names))
    return {**dict.fromkeys(parts, Cost()), **costs}


def _name(path: str, names: Mapping[str, str]) -> str:
    return next((names[part] for part in above(path) if part in names), REST)


def _by(books: Books, name: Callable[[str, str], str]) -> dict[str, Cost]:
    sums: dict[str, Counter[str]] = {}
    for (path, operator), entry in books.items():
        sums.setdefault(name(path, operator), Counter()).update(entry)
    return {key: cost_of(entry) for key, entry in sums.items()}


def _by_module(books: Books) -> dict[str, Cost]:
    sums: dict[str, Counter[str]] = {}
    for (path, _), entry in books.items():
        for part in above(path):
            sums.setdefault(part, Counter()).update(entry)
    return {path: cost_of(entry) for path, entry in sums.items()}


def _total(books: Books) -> Cost:
    return cost_of(sum(books.values(), Counter[str]()))
