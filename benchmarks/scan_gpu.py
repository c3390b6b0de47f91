"""The selective scan on a GPU: our Triton kernel, mamba-ssm's compiled one, tensor operations.

    python benchmarks/scan_gpu.py [--rounds 30] [--out FILE]

Needs only torch, numpy, triton and `blocks`; back ends that are not live are named with the
reason. All back ends take turns in every round, in random order, and each is the median over the
rounds. A turn is three calls untimed, then enough calls for 20 ms between two CUDA events; no cache
is emptied in between. Memory is what both passes allocate at their peak beyond their inputs, by
PyTorch's allocator. The error is the largest difference from the tensor operations.

The limit of a pass is the longer of: its exponentials at 16 per clock and multiprocessor, at the
clock that the driver names as the highest; and its tensors' bytes, each read or written once per
pass, at the rate of a copy measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from blocks.scan import backends, selective_scan, selective_scan_paths

SHAPES = (  # B, D, L, N
    (1, 64, 4096, 16),
    (1, 64, 16384, 16),
    (1, 64, 65536, 1),
    (1, 64, 65536, 16),
    (1, 360, 4096, 16),
    (1, 720, 16384, 16),
    (4, 256, 4096, 1),
    (4, 256, 4096, 16),
    (4, 256, 16384, 16),
    (4, 256, 65536, 16),
)
SIDES = ((64, 64), (256, 256))  # of images for scans along four paths
CONTESTANTS = ("triton", "selective_scan_cuda", "torch")
LONGEST_OF = {"torch": 2**28}  # B D L N
TURN = 0.02  # seconds between two events
RESULT = Path(__file__).parent / "results" / "scan-gpu.json"


@dataclass(frozen=True)
class Row:
    """One shape and back end: seconds and bytes of a forward pass alone, and of both passes."""

    what: str
    shape: tuple[int, ...]
    backend: str
    forward: float
    both: float
    forward_memory: int
    both_memory: int
    forward_limit: float
    both_limit: float
    error: float


@dataclass(frozen=True)
class Passes:
    """The two things that are timed."""

    forward: Callable[[], object]
    both: Callable[[], object]
    gradients: Callable[[], tuple[Tensor, ...]]


def arguments(batch: int, channels: int, length: int, states: int) -> list[Tensor]:
    """As a Mamba block makes them: steps around 0.1, rates from 1 to N."""
    torch.manual_seed(0)
    new = {"device": "cuda"}
    u, delta = torch.randn(2, batch, channels, length, **new)
    B, C = torch.randn(2, batch, 1, states, length, **new)
    A = -torch.arange(1.0, states + 1, **new).repeat(channels, 1)
    skip, bias = torch.ones(channels, **new), 0.1 * torch.randn(channels, **new)
    return [t.detach().requires_grad_() for t in (u, delta - 2, A, B, C, skip, bias)]


def of_scan(given: list[Tensor], backend: str) -> Passes:
    """The passes of a scan of one back end."""
    return _passes(lambda: selective_scan(*given, backend=backend), given)


def of_paths(height: int, width: int, channels: int, states: int, backend: str) -> Passes:
    """The passes of a scan along rows and columns, both ways."""
    length, new = height * width, {"device": "cuda"}
    flat = arguments(1, 4 * channels, length, states)
    torch.manual_seed(1)
    u = torch.randn(1, channels, length, **new).requires_grad_()
    B, C = (torch.randn(1, 4, states, length, **new).requires_grad_() for _ in range(2))
    delta = flat[1].detach().view(1, 4, channels, length).requires_grad_()
    given = [u, delta, flat[2], B, C, *flat[5:]]
    rows = torch.arange(length, **new)
    columns = rows.view(height, width).t().reshape(-1)
    visited = torch.stack([rows, columns, rows.flip(0), columns.flip(0)])
    run = lambda: selective_scan_paths(*given, visited=visited, backend=backend)  # noqa: E731
    return _passes(run, given)


def _passes(run: Callable[[], Tensor], given: list[Tensor]) -> Passes:
    weight = torch.randn_like(run())

    def forward() -> None:
        with torch.no_grad():
            run()

    def gradients() -> tuple[Tensor, ...]:
        y = run()
        return (y.detach(), *torch.autograd.grad(y, given, weight))

    return Passes(forward, gradients, gradients)


def seconds(run: Callable[[], object]) -> float:
    """Of one call, in a block of calls between two events."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    torch.cuda.synchronize()
    calls = max(1, round(TURN / (time.perf_counter() - began)))
    start.record()
    for _ in range(calls):
        run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3 / calls


def peak(run: Callable[[], object]) -> int:
    """Bytes allocated at the highest beyond what is held before."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def error(found: tuple[Tensor, ...], true: tuple[Tensor, ...]) -> float:
    """The largest, of the largest value of each tensor."""
    pairs = zip(found, true, strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


@dataclass(frozen=True)
class Limits:
    """What this GPU can do at best, per second."""

    exponentials: float
    bytes: float

    def of(self, batch: int, channels: int, length: int, states: int) -> tuple[float, float]:
        """Seconds that a forward pass, and both passes, take at least."""
        steps, powers = batch * length, batch * length * channels * (states + 1)
        forward, both = (4 * steps * (d * channels + n * states) for d, n in ((3, 2), (8, 6)))
        return (
            max(powers / self.exponentials, forward / self.bytes),
            max(2 * powers / self.exponentials, both / self.bytes),
        )


def limits() -> Limits:
    """Measured for bytes, from the data sheet's rate and the highest clock for exponentials."""
    x = torch.empty(2**28, device="cuda")
    y = torch.empty_like(x)
    best = min(seconds(lambda: y.copy_(x)) for _ in range(10))
    units = torch.cuda.get_device_properties(0).multi_processor_count
    return Limits(16 * units * _highest_clock(), 8 * x.numel() / best)


def _highest_clock() -> float:
    """Of the multiprocessors, in Hz, as the driver's own tool says it."""
    query = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits", "-i", "0"]
    done = subprocess.run(query, check=True, capture_output=True, text=True)
    return 1e6 * float(done.stdout)


def compete(
    what: str,
    shape: tuple[int, ...],
    made: dict[str, Passes],
    bounds: tuple[float, float],
    rounds: int,
) -> Iterator[Row]:
    """All back ends at one shape, in turn."""
    true = made["torch"].gradients() if "torch" in made else None
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for _ in range(rounds):
        for name in random.sample(list(made), len(made)):
            found[name].append((seconds(made[name].forward), seconds(made[name].both)))
    for name, times in found.items():
        forward, both = (statistics.median(column) for column in zip(*times, strict=True))
        memory = (peak(made[name].forward), peak(made[name].both))
        off = error(made[name].gradients(), true) if true else float("nan")
        yield Row(what, shape, name, forward, both, *memory, *bounds, off)


def measured(rounds: int, best: Limits) -> Iterator[Row]:
    """Every row; the first is written while the last is measured."""
    live = [name for name in CONTESTANTS if backends()[name] == "live"]
    for shape in SHAPES:
        batch, channels, length, states = shape
        size = batch * channels * length * states
        able = [name for name in live if size <= LONGEST_OF.get(name, size)]
        given = arguments(*shape)
        made = {name: of_scan(given, name) for name in able}
        yield from compete("scan", shape, made, best.of(*shape), rounds)
    for height, width in SIDES:
        channels, states = 180, 16
        shape = (1, 4, channels, height, width, states)
        made = {name: of_paths(height, width, channels, states, name) for name in live}
        bounds = best.of(1, 4 * channels, height * width, states)
        yield from compete("four paths", shape, made, bounds, rounds)


def table(rows: list[Row]) -> Iterator[str]:
    """The rows as Markdown."""
    yield "| what | shape | back end | forward ms | x limit | both ms | x limit | MiB | error |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for r in rows:
        yield (
            f"| {r.what} | {', '.join(map(str, r.shape))} | {r.backend} "
            f"| {r.forward * 1e3:.3f} | {r.forward / r.forward_limit:.1f} "
            f"| {r.both * 1e3:.3f} | {r.both / r.both_limit:.1f} "
            f"| {r.both_memory / 2**20:.0f} | {r.error:.0e} |"
        )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULT)
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing measured")
    best, rows = limits(), []
    for row in measured(chosen.rounds, best):
        rows.append(row)
        print(f"{row.what} {row.shape} {row.backend}: {row.both * 1e3:.3f} ms", flush=True)
    name, versions = torch.cuda.get_device_name(), f"torch {torch.__version__}"
    lines = [
        f"{name}, {versions}, CUDA {torch.version.cuda}; {best.bytes / 1e9:.0f} GB/s copied, "
        f"{best.exponentials / 1e12:.1f} T exponentials/s; median of {chosen.rounds} rounds",
        *(f"{name}: {state}" for name, state in backends().items() if state != "live"),
        "",
        *table(rows),
    ]
    print("\n".join(lines))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    facts = {"device": name, "versions": versions, "rounds": chosen.rounds, **asdict(best)}
    result = {**facts, "backends": backends(), "rows": [asdict(row) for row in rows]}
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    chosen.out.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
