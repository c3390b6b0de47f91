"""How well latency ratios repeat: one network after the other, or in interleaved rounds.

    python benchmarks/latency_protocol.py [--processes 5] [--rounds 30] [--size 64] [--out FILE]

Each way of measuring gets the same networks, calls and number of fresh processes, in turn, so that
all meet the same machine. Printed and written: how far ratios of two networks' times lie from their
median over processes (95th percentile), and how alike processes rank (Kendall's tau). Two minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import blocks
from ablate.mix import Profile
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.latency import measure_process, summarise
from ablate.profiling.machine import describe, load
from ablate.profiling.timing import CpuTimer, calls_in_a_visit, warm_up

WAYS = ("sequential", "sequential + allocator", "interleaved + allocator")
CHANNELS = 24
RESULT = Path(__file__).parent / "results" / "latency_protocol.json"

Array = NDArray[np.float64]


class Stack(nn.Module):
    """Blocks in a row between two 3x3 convolutions."""

    def __init__(self, name: str, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.blocks = nn.Sequential(*(blocks.make(name, CHANNELS, i) for i in range(depth)))
        self.last = nn.Conv2d(CHANNELS, 3, 3, padding=1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Image (B, 3, H, W) -> {"image": (B, 3, H, W)}."""
        return {"image": image + self.last(self.blocks(self.first(image)))}


def networks() -> dict[str, nn.Module]:
    """Every registered block twice in a row, and one of them three times."""
    stacks = {f"{name} x 2": Stack(name, 2) for name in blocks.blocks}
    return {**stacks, "nafblock x 3": Stack("nafblock", 3)}


def measure(way: str, profile: Profile, size: int, process: int) -> dict[str, float]:
    """Seconds by network, as one process of this way of measuring finds them."""
    shape, device = (size, size), torch.device("cpu")
    if way == "interleaved + allocator":
        samples = measure_process(
            networks(), size=shape, profile=profile, process=process, seed=0, device=device
        )
        return {name: row.seconds for name, row in summarise(samples).items()}
    if way == "sequential + allocator":
        steady_allocator()
    return _sequential(profile, shape)


def _sequential(profile: Profile, shape: tuple[int, int]) -> dict[str, float]:
    """The median of as many visits, all to one network before the next."""
    torch.set_num_threads(profile.threads)
    timer, image = CpuTimer(profile.threads), torch.rand(1, 3, *shape)
    image = image.to(memory_format=torch.channels_last)
    found: dict[str, float] = {}
    with torch.inference_mode():
        for name, model in networks().items():
            model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

            def call(model: nn.Module = model) -> object:
                return model(image)

            count = calls_in_a_visit(timer, warm_up(timer, call))
            visits = [timer.time(call, count).seconds for _ in range(profile.rounds)]
            found[name] = float(np.median(visits))
    return found


def repeatability(runs: list[Mapping[str, float]], names: list[str]) -> dict[str, float]:
    """Spread of ratios over processes, and how alike the processes rank."""
    times = np.array([[run[name] for name in names] for run in runs])  # (processes, networks)
    pairs = np.array(list(combinations(range(len(names)), 2)))
    ratios = times[:, pairs[:, 0]] / times[:, pairs[:, 1]]
    errors = np.abs(ratios / np.median(ratios, axis=0) - 1)
    orders = np.sign(times[:, pairs[:, 0]] - times[:, pairs[:, 1]])
    taus = [np.mean(a * b) for a, b in combinations(orders, 2)]
    return {
        "ratio_error_p95": float(np.quantile(errors, 0.95)),
        "ratio_error_median": float(np.median(errors)),
        "kendall_tau": float(np.mean(taus)),
    }


def _child(way: str, arguments: argparse.Namespace, process: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", way, "--process", str(process)]
    command += ["--rounds", str(arguments.rounds), "--size", str(arguments.size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=5, help="fresh processes of each way")
    parser.add_argument("--rounds", type=int, default=30, help="timed visits in each process")
    parser.add_argument("--size", type=int, default=64, help="side of the image, in pixels")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the result is written")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--process", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure in every way, print the comparison and write it down."""
    arguments = _arguments()
    if arguments.child:
        profile = Profile(rounds=arguments.rounds)
        print(json.dumps(measure(arguments.child, profile, arguments.size, arguments.process)))
        return
    before = load()
    runs: dict[str, list[Mapping[str, float]]] = {way: [] for way in WAYS}
    for process in range(arguments.processes):
        for way in WAYS:
            runs[way].append(_child(way, arguments, process))
    names = list(runs[WAYS[0]][0])
    found = {way: repeatability(runs[way], names) for way in WAYS}
    for way, row in found.items():
        print(
            f"{way:24} ratio error p95 {row['ratio_error_p95']:7.2%}, "
            f"median {row['ratio_error_median']:7.2%}, tau {row['kendall_tau']:.2f}"
        )
    settings = {name: getattr(arguments, name) for name in ("processes", "rounds", "size")}
    result = {**settings, "load_before": before, "machine": describe(), "ways": found, "runs": runs}
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
