"""The table of published systems: parameters, MACs, latency and memory at two sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from ablate.mix import Mix
from ablate.network import build
from ablate.pricing.timing import time_alone
from ablate.profile import Profile
from ablate.profiling.device_memory import OutOfMemory, measure_inference
from ablate.profiling.flops import count_macs, count_parameters
from ablate.profiling.modes import Mode
from ablate.study import load_study
from benchmarks.gpu_sections.section import Json, Section, Setting
from benchmarks.systems import systems

MODES = (Mode("eager", "float32"), Mode("eager", "bfloat16"), Mode("graph", "float32"))
ENLARGED = {2: (360, 640), 3: (240, 427), 4: (180, 320)}  # low-resolution sizes of 720 x 1280


def items(setting: Setting) -> Sequence[str]:
    """System and size, the small size of all first."""
    names = list(systems())
    if setting.small:
        return [f"{names[0]} 32x32"]
    return [f"{name} 256x256" for name in names] + [
        f"{name} {'x'.join(map(str, large(mix_of(name))))}" for name in names
    ]


def mix_of(name: str) -> Mix:
    """The one mix of a system's study."""
    study = load_study(name)
    return study.mix(study.at(0))


def large(mix: Mix) -> tuple[int, int]:
    """720 x 1280, or what is enlarged to it."""
    scale = mix.network.topology.settings.get("scale", 1)
    return ENLARGED.get(scale, (720, 1280)) if isinstance(scale, int) else (720, 1280)


def measure(item: str, setting: Setting) -> Json:
    """Counts, latency in each mode and memory; what does not fit says so."""
    name, _, sides = item.rpartition(" ")
    height, width = (int(side) for side in sides.split("x"))
    mix = mix_of(name)
    with torch.device("meta"):
        model = build(mix.network)
    counted = count_macs(model, (height, width))
    result: Json = {"params": count_parameters(model), "macs": counted.total}
    try:
        if setting.on_gpu:
            memory = measure_inference(model, (1, 3, height, width), setting.device)
            result["allocated"] = memory.allocated
    except OutOfMemory as error:
        return {**result, "failed": str(error)}
    profile = Profile(rounds=3 if setting.small else 20, processes=1)
    modes = MODES if setting.on_gpu else MODES[:1]
    size = (height, width)
    result["modes"] = {
        mode.words or "eager": _timed(mix, size, profile, mode, setting) for mode in modes
    }
    return result


def _timed(mix: Mix, size: tuple[int, int], profile: Profile, mode: Mode, setting: Setting) -> Json:
    shape = (3, *size)
    try:
        timed = time_alone(mix, shape, profile=profile, device=setting.device.type, mode=mode)
    except ValueError as error:
        return {"failed": str(error)}
    found = timed.network
    return {
        "p50": found.seconds,
        "low": found.low,
        "high": found.high,
        "p90": found.p90,
        "backend": timed.backend,
        "disturbed": timed.disturbed,
    }


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """A row for each system and size."""
    yield f"{'system':36} {'params M':>9} {'GMACs':>9} {'MiB':>8}  latency p50 [95 %] / p90, ms"
    for item, row in found.items():
        if "params" not in row:
            continue
        memory = f"{row['allocated'] / 2**20:8.0f}" if "allocated" in row else f"{'–':>8}"
        times = "; ".join(
            f"{mode} {_words(timed)}" for mode, timed in row.get("modes", {}).items()
        ) or row.get("failed", "")
        yield f"{item:36} {row['params'] / 1e6:9.2f} {row['macs'] / 1e9:9.2f} {memory}  {times}"


def _words(timed: Json) -> str:
    if "failed" in timed:
        return str(timed["failed"])
    p50, low, high, p90 = (1e3 * timed[name] for name in ("p50", "low", "high", "p90"))
    return f"{p50:.2f} [{low:.2f}, {high:.2f}] / {p90:.2f}"


SECTION = Section(
    words="published systems at 256x256 and 720x1280 (or what is enlarged to it)",
    goal="a table, with the device's name",
    items=items,
    measure=measure,
    lines=lines,
)
