"""The selective scan's back ends, side by side, against the machine's own limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache

from benchmarks import scan_gpu
from benchmarks.gpu_sections.section import Json, Section, Setting
from benchmarks.scan_gpu import CONTESTANTS, LONGEST_OF, SHAPES, SIDES, Limits
from blocks.scan import backends

ROUNDS = 15
limits = cache(scan_gpu.limits)


def items(setting: Setting) -> Sequence[str]:
    """Shapes B x D x L x N, then images scanned along four paths at once."""
    if not setting.on_gpu:
        return []
    shapes = [f"scan {'x'.join(map(str, shape))}" for shape in SHAPES]
    return [*shapes, *(f"paths {h}x{w}" for h, w in SIDES)]


def measure(item: str, setting: Setting) -> Json:
    """Seconds, bytes and errors of every live back end."""
    kind, _, sides = item.partition(" ")
    shape = tuple(int(side) for side in sides.split("x"))
    live = [name for name in CONTESTANTS if backends()[name] == "live"]
    if kind == "paths":
        return _paths(shape[0], shape[1], live)
    able = [name for name in live if math.prod(shape) <= LONGEST_OF.get(name, math.prod(shape))]
    given = scan_gpu.arguments(*shape)
    made = {name: scan_gpu.of_scan(given, name) for name in able}
    rows = scan_gpu.compete("scan", shape, made, limits().of(*shape), ROUNDS)
    return {"rows": [asdict(row) for row in rows], "limits": asdict(limits())}


def _paths(height: int, width: int, live: list[str]) -> Json:
    """The four paths in one scan, and as four scans of their own."""
    channels, states, length = 180, 16, height * width
    shape = (1, 4, channels, height, width, states)
    made = {name: scan_gpu.of_paths(height, width, channels, states, name) for name in live}
    bounds = limits().of(1, 4 * channels, length, states)
    rows = [asdict(row) for row in scan_gpu.compete("four paths", shape, made, bounds, ROUNDS)]
    given = scan_gpu.arguments(1, channels, length, states)
    single = {name: scan_gpu.of_scan(given, name) for name in live}
    alone = scan_gpu.compete(
        "one path", (1, channels, length, states), single, _one(limits(), length), ROUNDS
    )
    return {"rows": rows, "single": [asdict(row) for row in alone]}


def _one(best: Limits, length: int) -> tuple[float, float]:
    return best.of(1, 180, length, 16)


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """Times of each back end, and the geometric mean of Triton against mamba-ssm's kernel."""
    ratios: dict[str, list[float]] = {"forward": [], "both": []}
    for item, result in found.items():
        rows = {row["backend"]: row for row in result.get("rows", [])}
        for name, row in rows.items():
            yield (
                f"{item:24} {name:20} forward {row['forward'] * 1e3:9.3f} ms "
                f"({row['forward'] / row['forward_limit']:5.1f} x limit)  both "
                f"{row['both'] * 1e3:9.3f} ms ({row['both'] / row['both_limit']:5.1f} x)"
            )
        if {"triton", "selective_scan_cuda"} <= rows.keys():
            for timed, values in ratios.items():
                values.append(rows["selective_scan_cuda"][timed] / rows["triton"][timed])
        for row in result.get("single", []):
            four = rows[row["backend"]]
            gain = 4 * row["both"] / four["both"]
            yield f"{item:24} {row['backend']:20} four paths at once: {gain:.2f} x four scans"
    for timed, values in ratios.items():
        if values:
            mean = math.exp(sum(map(math.log, values)) / len(values))
            yield f"Triton against mamba-ssm's kernel, {timed}: {mean:.2f} x (geometric mean)"
    if not ratios["both"]:
        yield "mamba-ssm's kernel: " + backends()["selective_scan_cuda"]


SECTION = Section(
    words="the scan's back ends in turn, against bandwidth and exponentials of this GPU",
    goal="Triton at least as fast as mamba-ssm's kernel; four paths 1.5 x four scans",
    items=items,
    measure=measure,
    lines=lines,
)
