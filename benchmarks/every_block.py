"""Every block against the same equations in plain PyTorch: time and memory, side by side.

    python benchmarks/every_block.py [--rounds 20] [--seconds 2.5] [--device cpu] [--out FILE]

One thread, batch 1, C = 32. First both must agree in value and gradients, with weights that are
nowhere special. Then both are timed in the same rounds, in inference, and forward and backward in
training. Blocks get channels-last memory, as networks do when they are profiled; the plain version
gets both layouts in turn, and the faster one counts. Blocks that scan are also compared with the
plain version around this project's own scan, so that the gain of the kernel and the gain of the
block can be told apart. A block that routes runs the experts that cost most.
Peak memory is that of storages alive at once, weights and input included. Fifteen minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn

import blocks
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.machine import describe, load
from ablate.profiling.timing import timer_for
from benchmarks.contestants import (
    OURS,
    Contestant,
    Pass,
    agree,
    call,
    contestants,
    peak,
)
from benchmarks.every_block_page import Row, losses, table
from benchmarks.side_by_side import Array, ratio, time_calls
from blocks._routing import Routed, forcing

RESULTS = Path(__file__).parent / "results"
LARGEST = 6 * 2**30  # bytes that a plain version may take to be timed
PASSES: tuple[Pass, ...] = ("forward", "both")


def prepared(name: str, channels: int, device: torch.device) -> nn.Module:
    """A block whose weights are nowhere special, the same at every call."""
    torch.manual_seed(0)
    block = blocks.make(name, channels)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return block.to(device)


def measure(name: str, size: int, chosen: argparse.Namespace) -> Iterator[Row]:
    """What is found of one block at one size."""
    device = torch.device(chosen.device)
    block = prepared(name, chosen.channels, device)
    x = torch.randn(1, chosen.channels, size, size, device=device)
    ways = contestants(block)
    taken = {timed: {way: peak(way, block, x, timed) for way in ways} for timed in PASSES}
    fitting = [way for way in ways if taken["both"][way] <= LARGEST]
    if not any(way.is_plain for way in fitting):
        fitting = []
    agree(fitting, block, x)
    timer, limits = timer_for(device, 1), {"most": chosen.rounds, "seconds": chosen.seconds}
    found: list[Iterator[Row]] = []
    with forcing(block, Routed.dearest):
        for timed in PASSES:
            calls = {way: call(way, block, x, timed) for way in fitting}
            seconds = time_calls(calls, timer, **limits, seed=size)
            found.append(rows(name, size, timed, seconds, taken[timed]))
    yield from chain(*zip(*found, strict=True))


def rows(
    name: str,
    size: int,
    timed: Pass,
    seconds: dict[Contestant, Array],
    taken: dict[Contestant, int],
) -> Iterator[Row]:
    """One row for each thing compared with, in the layout that suits it better."""
    ours = next(way for way in taken if way.name == OURS)
    for against in dict.fromkeys(way.name for way in taken if way is not ours):
        ways = [way for way in taken if way.name == against]
        raced = {way: ratio(seconds[way], seconds[ours]) for way in ways if way in seconds}
        best = min(raced, key=lambda way: raced[way].median, default=ways[0])
        found = raced.get(best)
        yield Row(
            block=name,
            size=size,
            timed=timed,
            against=against,
            layout=best.layout,
            ours=float(np.median(seconds[ours])) if found else None,
            other=float(np.median(seconds[best])) if found else None,
            ratio=found.median if found else None,
            low=found.low if found else None,
            high=found.high if found else None,
            rounds=len(seconds[best]) if found else 0,
            bytes_ours=taken[ours],
            bytes_other=taken[best],
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    busy = [name for name in blocks.blocks if name != "identity"]
    parser.add_argument("--blocks", nargs="+", choices=busy, default=busy)
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128], help="sides, in pixels")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20, help="most rounds of a comparison")
    parser.add_argument("--seconds", type=float, default=2.5, help="aim for a comparison")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="results/blocks-DEVICE.json, and .md beside it")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    chosen = _arguments()
    allocator = steady_allocator()
    torch.set_num_threads(1)
    before, found = load(), list[Row]()
    for name in chosen.blocks:
        for size in chosen.sizes:
            found += measure(name, size, chosen)
            print(f"measured {name} at {size} x {size}", flush=True)
    facts = {**describe(), "load before and after": f"{before}; {load()}", "allocator": allocator}
    _write(chosen, facts, found)


def _write(chosen: argparse.Namespace, facts: dict[str, str], found: list[Row]) -> None:
    shown = ("cpu", "gpu", "torch", "scan_cpu", "commit", "load before and after", "allocator")
    lines = [
        *(f"- {name}: {facts[name]}" for name in shown if name in facts),
        f"- batch 1, {chosen.channels} channels, float32, one thread; at most {chosen.rounds} "
        "rounds; median ratio (95 % interval)",
        "- above 1 the block is faster, or takes less memory, than what it is compared with",
        "- where a block is slower, a line says how it fares in contiguous memory itself",
        "",
        *table(found),
        "",
        *losses(found),
    ]
    print("\n".join(lines))
    out = chosen.out or RESULTS / f"blocks-{torch.device(chosen.device).type}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in vars(chosen).items() if name != "out"}
    measured = {"machine": facts, **settings, "rows": [asdict(row) for row in found]}
    out.write_text(json.dumps(measured, indent=1) + "\n")
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
