"""How far the selective scan is from what this processor can do, and the back ends from each other.

    python benchmarks/scan.py [--rounds 30] [--out FILE]

One thread. Limits and back ends are measured in the same rounds, one after the other, and each is
the least CPU time over the rounds, so that a busy machine disturbs the ratios little. Four minutes.
A turn is one call untimed, for the caches that the others used, and two timed ones. Times are of
the public function, as a network calls it, with skip, bias and softplus.

The limit of a pass is the longer of: its exponentials (one per state and step, and one for the
softplus; twice for forward and backward) at the rate of the kernel's own exponential in the first
cache, and its tensors' bytes, each read or written once per pass, at the rate of a triad far past
the last cache (shapes that fit in a cache may beat that one).

Memory is what a fresh process gains at its peak in both passes over what it held with the inputs
made (Linux only): outputs, gradients, saved states and scratch; written for each number of u.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ablate.profiling.allocator import steady_allocator
from ablate.profiling.machine import describe, load
from blocks.scan import _compile, backends, selective_scan

SHAPES = (  # B, L, D, N
    (1, 1024, 64, 1),
    (1, 1024, 128, 16),
    (1, 4096, 128, 1),
    (1, 4096, 128, 8),
    (1, 4096, 128, 16),
    (1, 4096, 256, 16),
    (1, 16384, 128, 1),
    (1, 16384, 128, 16),
    (1, 16384, 256, 16),
    (1, 65536, 64, 1),
    (1, 65536, 64, 16),
    (1, 65536, 128, 16),
    (4, 4096, 128, 1),
    (4, 4096, 128, 16),
)
ROUNDS_OF = {"c": 1.0, "torch": 0.1, "reference": 0.07}
LONGEST_OF = {"c": 2**30, "torch": 2**24, "reference": 2**21}  # B L D N
RESULT = Path(__file__).parent / "results" / "scan-cpu.json"
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Row:
    """One shape and back end: seconds of a forward pass without gradients, and of both passes."""

    batch: int
    length: int
    channels: int
    states: int
    backend: str
    forward: float
    both: float
    forward_limit: float
    both_limit: float
    memory: int | None  # bytes


class Limits:
    """The machine's best, kept over all rounds."""

    def __init__(self) -> None:
        kernel = HERE.parent / "blocks" / "scan" / "kernel.c"
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "scan_limits.c"
            source.write_text(kernel.read_text() + (HERE / "scan_limits.c").read_text())
            self.library = _compile.load(source)
        self.x = -20 * torch.rand(2048)
        self.a, self.b, self.c = (torch.rand(2**24) for _ in range(3))
        self.exponentials = 0.0  # per second
        self.bytes = 0.0  # per second

    def measure(self) -> None:
        """One more round of each."""
        calls, x = 200, self.x
        run = self.library.exponentials
        seconds = cpu_time(lambda: run(ctypes.c_void_p(x.data_ptr()), x.numel(), calls))
        self.exponentials = max(self.exponentials, calls * x.numel() / seconds)
        places = [ctypes.c_void_p(t.data_ptr()) for t in (self.a, self.b, self.c)]
        count = self.a.numel()
        seconds = cpu_time(lambda: self.library.triad(*places, ctypes.c_float(2.0), count))
        self.bytes = max(self.bytes, 12 * count / seconds)

    def of(self, batch: int, length: int, channels: int, states: int) -> tuple[float, float]:
        """Seconds that a forward pass, and both passes, take at least."""
        steps, powers = batch * length, batch * length * channels * (states + 1)
        forward = 4 * steps * (3 * channels + 2 * states)
        both = 4 * steps * (8 * channels + 6 * states)
        return (
            max(powers / self.exponentials, forward / self.bytes),
            max(2 * powers / self.exponentials, both / self.bytes),
        )


def cpu_time(run: Callable[[], object]) -> float:
    """Seconds of this thread's own time."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def arguments(batch: int, length: int, channels: int, states: int) -> list[Tensor]:
    """As a Mamba block makes them: steps around 0.1, rates from 1 to N."""
    torch.manual_seed(0)
    u, delta = torch.randn(2, batch, channels, length)
    B, C = torch.randn(2, batch, 1, states, length)
    A = -torch.arange(1.0, states + 1).repeat(channels, 1)
    given = [u, delta - 2, A, B, C, torch.ones(channels), 0.1 * torch.randn(channels)]
    return [t.requires_grad_() for t in given]


def passes(given: list[Tensor], weight: Tensor, backend: str) -> tuple[float, ...]:
    """Seconds of a forward pass without gradients, and of both passes."""

    def forward() -> None:
        with torch.no_grad():
            selective_scan(*given, backend=backend)

    def both() -> None:
        torch.autograd.grad(selective_scan(*given, backend=backend), given, weight)

    forward(), both()
    return tuple(min(cpu_time(run), cpu_time(run)) for run in (forward, both))


def measure(
    shape: tuple[int, int, int, int], limits: Limits, rounds: int
) -> dict[str, list[float]]:
    """The least seconds of every back end at one shape, measured in turn."""
    batch, length, channels, states = shape
    given, weight = arguments(*shape), torch.randn(batch, channels, length)
    size = batch * length * channels * states
    names = [n for n, state in backends().items() if n in ROUNDS_OF and state == "live"]
    least: dict[str, list[float]] = {}
    for turn in range(rounds):
        limits.measure()
        for name in names:
            if size <= LONGEST_OF[name] and turn < max(2, rounds * ROUNDS_OF[name]):
                found = passes(given, weight, name)
                least[name] = [min(p) for p in zip(least.get(name, found), found, strict=True)]
    return least


def peak(shape: tuple[int, int, int, int], backend: str) -> int | None:
    """Bytes that a fresh process gains in both passes, or none where that cannot be found out."""
    arguments = [*map(str, shape), backend]
    command = [sys.executable, __file__, "--peak", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) if done.stdout.strip().isdigit() else None


def print_peak(batch: int, length: int, channels: int, states: int, backend: str) -> None:
    """What `peak` reads: both passes of a small scan first, so that all code is loaded."""
    torch.set_num_threads(1)
    small = arguments(1, 64, channels, states)
    torch.autograd.grad(selective_scan(*small, backend=backend).sum(), small)
    given = arguments(batch, length, channels, states)
    weight = torch.ones(batch, channels, length)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the highest so far is what is held now
        before = _resident("VmHWM")
    except OSError:
        return
    torch.autograd.grad(selective_scan(*given, backend=backend), given, weight)
    print(_resident("VmHWM") - before)


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def rows(
    found: dict[tuple[int, int, int, int], dict[str, list[float]]], limits: Limits
) -> list[Row]:
    """One row per shape and back end, against the limits as they ended."""
    return [
        Row(*shape, backend, *seconds, *limits.of(*shape), peak(shape, backend))
        for shape, backends_found in found.items()
        for backend, seconds in backends_found.items()
    ]


def table(all_rows: list[Row]) -> Iterator[str]:
    """The rows as Markdown."""
    yield "| B, L, D, N | back end | forward ms | x limit | both ms | x limit | x c | bytes |"
    yield "|---|---|---|---|---|---|---|---|"
    native = {(r.batch, r.length, r.channels, r.states): r for r in all_rows if r.backend == "c"}
    for r in all_rows:
        shape = (r.batch, r.length, r.channels, r.states)
        slower = f"{r.both / native[shape].both:.1f}" if shape in native else ""
        held = f"{r.memory / (r.batch * r.length * r.channels):.0f}" if r.memory else ""
        yield (
            f"| {', '.join(map(str, shape))} | {r.backend} "
            f"| {r.forward * 1e3:.2f} | {r.forward / r.forward_limit:.1f} "
            f"| {r.both * 1e3:.2f} | {r.both / r.both_limit:.1f} | {slower} "
            f"| {held} |"
        )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--peak", nargs=5, metavar=("B", "L", "D", "N", "BACKEND"))
    chosen = parser.parse_args()
    if chosen.peak:
        *sizes, backend = chosen.peak
        print_peak(*map(int, sizes), backend)
        return
    allocator = steady_allocator()
    torch.set_num_threads(1)
    limits = Limits()
    found = {}
    for shape in SHAPES:
        found[shape] = measure(shape, limits, chosen.rounds)
        print(f"measured {shape}", flush=True)
    result = rows(found, limits)
    lines = [
        f"Limits: {limits.exponentials / 1e9:.2f} G exponentials/s, "
        f"{limits.bytes / 1e9:.1f} GB/s; one thread; load {load()}; {allocator}",
        "",
        *table(result),
    ]
    print("\n".join(lines))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    measured = {
        "machine": describe(),
        "load": load(),
        "exponentials_per_second": limits.exponentials,
        "bytes_per_second": limits.bytes,
        "rounds": chosen.rounds,
        "rows": [asdict(row) for row in result],
    }
    chosen.out.write_text(json.dumps(measured, indent=1) + "\n")
    chosen.out.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
