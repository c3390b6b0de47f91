"""What a training of ours takes beyond a bare PyTorch loop that does the same steps.

    python -m benchmarks.training_overhead [--study NAME] [--steps N] [--rounds N] [--device D]

Trains the first mix of a study again and again, from the same weights on the same crops: by a bare
loop (forward, loss, backward, clipping, AdamW, schedule), by the same loop once more (how far two
equal things differ here), by ours as runs train (every step reported through a pipe, a state each
minute), and by ours with a state each second. Each round has all of them in a drawn order; what
counts is the ratio to the bare loop within a round, by the clock and in processor seconds (which
other work on the machine disturbs less; on CUDA they say nothing). All must end with the same
weights, else nothing is written. Writes benchmarks/results/training-overhead-DEVICE.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.network import build
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.machine import describe
from ablate.study import load_study
from ablate.tasks.scale import task_scale
from ablate.training.checkpoint import save_state
from ablate.training.loop import Keeping, Progress, train
from ablate.training.schedule import rate_at
from ablate.training.state import State
from benchmarks.side_by_side import Array, Ratio, ratio

RESULTS = Path(__file__).parent / "results"
CLOCKS = ("clock", "processor")

Pairs = Sequence[tuple[Tensor, Tensor]]
Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Work:
    """What everybody does: so many steps from the same weights on the same crops."""

    model: nn.Module
    pairs: Pairs
    settings: Training
    device: torch.device


def bare(work: Work) -> nn.Module:
    """The network, trained by as little code as does it."""
    model, settings = copy.deepcopy(work.model).to(work.device), work.settings
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    model.to(memory_format=layout).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=settings.betas, weight_decay=settings.weight_decay, fused=True
    )
    for step, (degraded, clean) in enumerate(work.pairs):
        degraded = degraded.to(work.device, memory_format=layout)
        clean = clean.to(work.device, memory_format=layout)
        optimizer.zero_grad(set_to_none=True)
        loss = (model(degraded)["image"] - clean).abs().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.param_groups[0]["lr"] = rate_at(step, settings)
        optimizer.step()
    return model.eval()


def ours(work: Work, report: Report, every: float, folder: Path) -> nn.Module:
    """The network, trained as in a run."""
    model = copy.deepcopy(work.model)

    def save(state: State) -> None:
        save_state(folder / "state", dict(state.notes), state.tensors)

    train(
        model,
        lambda step: work.pairs[step],
        work.settings,
        device=work.device,
        validate=lambda network: {},
        report=report,
        keeping=Keeping(save=save, every=every),
    )
    return model


def alike(one: nn.Module, two: nn.Module) -> bool:
    """Whether two networks have the same weights, but for rounding."""
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in pairs)


def work_of(name: str, steps: int, device: torch.device) -> Work:
    """The first mix of a study, so many steps of it, on noise."""
    study = load_study(name)
    mix = study.mix(study.at(0))
    settings = replace(
        mix.training, steps=steps, validate=0, ema=0.0, rates=(), loss=(("l1", 1.0),)
    )
    large, small = settings.crop, settings.crop // task_scale(mix.task)
    torch.manual_seed(0)
    pairs = [
        (torch.rand(settings.batch, 3, small, small), torch.rand(settings.batch, 3, large, large))
        for _ in range(steps)
    ]
    return Work(build(mix.network), pairs, settings, device)


def measure(work: Work, rounds: int) -> dict[str, Array]:
    """Seconds of each way in each round, by the clock and of the processor: (2, rounds).

    Raises:
        RuntimeError: They do not come to the same weights.
    """
    with reporting() as report, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        ways: dict[str, Callable[[], nn.Module]] = {
            "bare": lambda: bare(work),
            "bare again": lambda: bare(work),
            "ours": lambda: ours(work, report, 60.0, place),
            "ours, a state each second": lambda: ours(work, report, 1.0, place),
        }
        first = ways["bare"]()
        if odd := [name for name, way in ways.items() if not alike(first, way())]:
            raise RuntimeError(f"{', '.join(odd)}: other weights than those of the bare loop")
        chance = np.random.default_rng(0)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for at in chance.permutation(len(ways)):
                name = list(ways)[at]
                found[name].append(_seconds(ways[name], work.device))
    return {name: np.array(took).T for name, took in found.items()}


@contextmanager
def reporting() -> Iterator[Report]:
    """A report that goes to another process, as that of a worker does."""
    context = multiprocessing.get_context("spawn")
    theirs, pipe = context.Pipe(duplex=False)
    process = context.Process(target=_listen, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def report(progress: Progress) -> None:
        pipe.send(("message", progress))

    try:
        yield report
    finally:
        pipe.close()
        process.join()


def _listen(pipe: Connection) -> None:
    try:
        while True:
            pipe.recv()
    except EOFError:
        return


def _seconds(way: Callable[[], object], device: torch.device) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - clock, time.process_time() - processor


def _ratios(seconds: dict[str, Array], row: int) -> dict[str, Ratio]:
    """How many times as long as the bare loop each way takes, by one clock."""
    bare_loop = seconds["bare"][row]
    return {name: ratio(t[row], bare_loop) for name, t in seconds.items() if name != "bare"}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="quickstart", help="a study; its first mix trains")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    asked = parser.parse_args()
    steady_allocator()
    torch.set_num_threads(1)
    work = work_of(asked.study, asked.steps, torch.device(asked.device))
    seconds = measure(work, asked.rounds)
    ratios = {clock: _ratios(seconds, row) for row, clock in enumerate(CLOCKS)}
    for clock, found in ratios.items():
        for name, times in found.items():
            low, median, high = (100 * (x - 1) for x in (times.low, times.median, times.high))
            print(f"{clock}: {name}: {median:+.2f} %, 95 % {low:+.2f} to {high:+.2f} %")
    result = {
        "machine": describe(),
        "study": asked.study,
        "training": asdict(work.settings),
        "parameters": sum(parameter.numel() for parameter in work.model.parameters()),
        "rounds": asked.rounds,
        "seconds_per_step": float(np.median(seconds["bare"][0])) / asked.steps,
        "times_the_bare_loop": {
            clock: {name: asdict(times) for name, times in found.items()}
            for clock, found in ratios.items()
        },
    }
    target = RESULTS / f"training-overhead-{asked.device}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote results/{target.name}")


if __name__ == "__main__":
    main()
