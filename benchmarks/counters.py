"""Operators, blocks and published networks as three counters have them, beside arithmetic.

    python -m benchmarks.counters [--only NAME ...] [--side 64]

Ours, fvcore's and PyTorch's FlopCounterMode's multiply-adds of every operator in
benchmarks/operators.py, of every block over 24 channels, and of every network in studies/systems;
where experts are routed, of the most expensive ones. fvcore and FlopCounterMode compute the
networks, so images are small. Writes benchmarks/results/counters.json and prints a table; what is
asked for by name takes its place among the rows that are there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import blocks
from ablate.network import build
from ablate.profiling._replica import replica
from ablate.profiling.ledger import REST, Ledger, ledger
from ablate.profiling.machine import describe
from ablate.study import load_study
from ablate.topologies import Blocks
from benchmarks.operators import IMAGE, OPERATORS, flop_counter_macs, fvcore_macs
from benchmarks.systems import systems
from blocks._routing import Routed, forcing

RESULT = Path(__file__).parent / "results" / "counters.json"
FEATURES = (1, 24, 16, 16)
WITHIN = 0.01

Json = dict[str, Any]
Shape = tuple[int, ...]


def closed_forms(model: nn.Module, shape: Shape) -> list[int]:
    """What each block of a network says that it costs, at the size that it has there, in order."""
    fake, copy = replica(model)
    order, sizes = list[nn.Module](), dict[nn.Module, tuple[int, int, int]]()

    def keep(block: nn.Module, given: tuple[Tensor, ...]) -> None:
        images, _, height, width = given[0].shape
        sizes[block] = images, height, width

    for container in copy.modules():
        if isinstance(container, Blocks) and container.slot:
            order += container
    for block in order:
        block.register_forward_pre_hook(keep)
    with torch.no_grad(), fake, forcing(copy, Routed.dearest):
        copy.eval()(torch.empty(shape))
    return [_closed_form(block, *sizes[block]) for block in order]


def _closed_form(block: nn.Module, images: int, height: int, width: int) -> int:
    """Of a batch: networks of grey images restore each colour as an image of its own."""
    return images * int(block.macs(height, width))  # type: ignore[operator]


def counted(model: nn.Module, shape: Shape, found: Ledger) -> Json:
    """What each counter says of a network, and what none but ours sees."""
    with forcing(model, Routed.dearest):
        others = {"fvcore": fvcore_macs, "flop_counter": flop_counter_macs}
        said = {name: _said(counter, model, shape) for name, counter in others.items()}
    return {"ours": found.most.macs, **said, "uncounted": list(found.uncounted)}


def _said(counter: Callable[[nn.Module, Shape], int], model: nn.Module, shape: Shape) -> int | str:
    try:
        return counter(model, shape)
    except Exception as error:  # what another's counter raises is what it says
        return f"{type(error).__name__}: {error}".partition("\n")[0]


def operator(name: str) -> Json:
    """An operator beside its arithmetic."""
    case = OPERATORS[name]
    model, truth = case.make(), case.macs if case.counted else None
    return {"arithmetic": truth, **counted(model, IMAGE, ledger(model, IMAGE))}


def block(name: str) -> Json:
    """A block beside its closed form."""
    made = blocks.make(name, FEATURES[1])
    truth = int(made.macs(*FEATURES[2:]))  # type: ignore[operator]
    return {"arithmetic": truth, **counted(made, FEATURES, ledger(made, FEATURES))}


def system(name: str, side: int) -> Json:
    """A published network: its blocks' closed forms, and what runs between them as we count it."""
    study, shape = load_study(name), (1, 3, side, side)
    model = build(study.mix(next(iter(study.points()))).network)
    found = ledger(model, shape)
    truth = sum(closed_forms(model, shape)) + found.by_stage[REST].macs
    return {"arithmetic": truth, **counted(model, shape, found)}


def everything(side: int) -> Iterator[tuple[str, Callable[[], Json]]]:
    """All rows by name, to be made."""
    for name in OPERATORS:
        yield name, lambda name=name: operator(name)  # type: ignore[misc]
    for name in blocks.blocks:
        yield name, lambda name=name: block(name)  # type: ignore[misc]
    for name in systems():
        yield name, lambda name=name: system(name, side)  # type: ignore[misc]


def line(name: str, row: Json) -> str:
    """A row of the table, marked where it is more than 1 % off."""
    truth = row["arithmetic"]
    cells = [f"{name:30}", f"{'unknown' if truth is None else f'{truth:,}':>16}"]
    for counter in ("ours", "fvcore", "flop_counter"):
        said = row[counter]
        wrong = isinstance(said, str) or (truth is not None and abs(said - truth) > WITHIN * truth)
        cells.append(f"{said if isinstance(said, str) else f'{said:,}':>16}{'*' if wrong else ' '}")
    return " ".join([*cells, *row["uncounted"]])


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--side", type=int, default=64, help="of the networks' images")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = dict[str, Json]()
    print(f"{'':30} {'arithmetic':>16} {'ours':>16}  {'fvcore':>16}  {'FlopCounterMode':>16}")
    for name, make in everything(options.side):
        if not options.only or name in options.only:
            rows[name] = make()
            print(line(name, rows[name]), flush=True)
    print("* more than 1 % off")
    known = json.loads(RESULT.read_text()) if options.only and RESULT.is_file() else {}
    if known.get("side", options.side) != options.side:
        return  # rows of other images do not mix
    found = {
        "machine": known.get("machine", describe()),
        "side": options.side,
        "rows": known.get("rows", {}) | rows,
    }
    RESULT.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
