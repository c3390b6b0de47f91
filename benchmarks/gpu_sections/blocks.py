"""Every block against the same equations in plain PyTorch: eager, as CUDA graph, compiled."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch

import blocks
from ablate.profiling.timing import Call, timer_for
from benchmarks import every_block
from benchmarks.contestants import OURS, Contestant, contestants
from benchmarks.gpu_sections.section import Json, Section, Setting
from benchmarks.side_by_side import ratio, time_calls
from blocks._routing import Routed, forcing

SIZES = (64, 128)
CHANNELS = 32
SECONDS = 1.0  # aim for a comparison


def items(setting: Setting) -> Sequence[str]:
    """Block and side of the features."""
    names = [name for name in blocks.blocks if name != "identity"]
    if setting.small:
        return [f"{names[0]} 16"]
    return [f"{name} {size}" for size in SIZES for name in names]


def measure(item: str, setting: Setting) -> Json:
    """Rows of the eager comparison, and ratios in the other two ways of running."""
    name, _, size = item.partition(" ")
    asked = Namespace(device=setting.device.type, channels=CHANNELS, rounds=20, seconds=SECONDS)
    rows = [asdict(row) for row in every_block.measure(name, int(size), asked)]
    result: Json = {"rows": rows}
    if setting.on_gpu:
        for way, made in (("graph", _captured), ("compiled", _compiled)):
            result[way] = _raced(name, int(size), setting.device, made)
    return result


Maker = Callable[[Contestant, torch.nn.Module, torch.Tensor], Call]


def _raced(name: str, size: int, device: torch.device, made: Maker) -> Json:
    """Times of the block and of plain code without loops, both run in the same way; inference."""
    block = every_block.prepared(name, CHANNELS, device).eval()
    x = torch.randn(1, CHANNELS, size, size, device=device)
    calls, failed = dict[Contestant, Call](), dict[str, str]()
    with forcing(block, Routed.dearest):
        for way in (way for way in contestants(block) if not way.loops):
            try:
                calls[way] = made(way, block, x)
            except Exception as error:  # any library's: it is a finding, not an end
                failed[f"{way.name}, {way.layout}"] = str(error).partition("\n")[0][:200]
        found = time_calls(calls, timer_for(device, 1), most=20, seconds=SECONDS, seed=size)
    ours = next((times for way, times in found.items() if way.name == OURS), None)
    plain = {way: times for way, times in found.items() if way.is_plain}
    if ours is None or not plain:
        return {"failed": failed}
    best = min(plain, key=lambda way: float(np.median(plain[way])))
    gained = ratio(plain[best], ours)
    return {
        "ours": float(np.median(ours)),
        "against": best.name,
        **asdict(gained),
        "failed": failed,
    }


@torch.inference_mode()
def _captured(way: Contestant, block: torch.nn.Module, x: torch.Tensor) -> Call:
    own, given = way.given(block, x)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            way.run(own, given)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        way.run(own, given)
    return graph.replay


def _compiled(way: Contestant, block: torch.nn.Module, x: torch.Tensor) -> Call:
    own, given = way.given(block, x)
    run = torch.compile(lambda features: way.run(own, features))

    def call() -> object:
        with torch.inference_mode():
            return run(given)

    call()
    return call


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """How many times as long plain code takes; above 1 the block is faster."""
    yield f"{'block and side':24} {'forward':>9} {'both':>9} {'graph':>9} {'compiled':>9}"
    for item, result in found.items():
        if "rows" not in result:
            continue
        cells = []
        for timed in ("forward", "both"):
            against = [r["ratio"] for r in result["rows"] if r["timed"] == timed and r["ratio"]]
            cells.append(min(against, default=None))
        cells += [result.get(way, {}).get("median") for way in ("graph", "compiled")]
        shown = (f"{'–' if cell is None else f'{cell:.2f} x':>9}" for cell in cells)
        yield f"{item:24} {' '.join(shown)}"


SECTION = Section(
    words="every block against plain PyTorch: eager, CUDA graph, torch.compile",
    goal="none slower than plain code",
    items=items,
    measure=measure,
    lines=lines,
)
