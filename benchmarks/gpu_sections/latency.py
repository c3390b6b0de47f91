"""How well latency repeats on this GPU, and whether a neighbour on it is noticed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import combinations

from ablate.mix import Mix
from ablate.profile import Profile
from ablate.study import load_study
from benchmarks import latency_repeatability
from benchmarks.gpu_sections.section import Json, Section, Setting
from benchmarks.repeatability import Measurement, agreement, interleaved, sequential

SIZE = (128, 128)
MEASUREMENTS = 2  # of each way
NEIGHBOUR = """
import torch
x = torch.randn(4096, 4096, device="cuda")
while True:
    x = torch.tanh(x @ x) / 64
    torch.cuda.synchronize()
"""


def items(_: Setting) -> Sequence[str]:
    """Two ways of measuring, and ours beside another process on the GPU."""
    return ["sequential", "interleaved (ours)", "beside a neighbour"]


def measure(item: str, setting: Setting) -> Json:
    """How far two measurements differ; or what is noticed of the neighbour."""
    mixes, profile = _mixes(setting), _profile(setting)
    device = setting.device.type
    if item == "beside a neighbour":
        return _beside(mixes, profile, device) if setting.on_gpu else {"failed": "no GPU"}
    ours = item.startswith("interleaved")
    found = [
        interleaved(mixes, SIZE, profile, device)
        if ours
        else sequential(mixes, SIZE, profile, steady=True, device=device)
        for _ in range(MEASUREMENTS)
    ]
    agreed = asdict(agreement(list(combinations(found, 2))))
    return {"mixes": len(mixes), **agreed, "runs": [_plain(each) for each in found]}


def _mixes(setting: Setting) -> list[Mix]:
    study = load_study(latency_repeatability.STUDY)
    mixes = [study.mix(point) for point in study.points()]
    return mixes[:3] if setting.small else mixes


def _profile(setting: Setting) -> Profile:
    return Profile(rounds=3 if setting.small else 30, processes=2 if setting.small else 3)


def _plain(found: Measurement) -> Json:
    return {
        "seconds": found.seconds.tolist(),
        "disturbed": found.flagged,
        "note": found.note,
        "wall": found.wall,
    }


def _beside(mixes: list[Mix], profile: Profile, device: str) -> Json:
    with _neighbour():
        return _plain(interleaved(mixes[:8], SIZE, profile, device))


@contextmanager
def _neighbour() -> Iterator[None]:
    """A process that keeps the GPU busy."""
    started = subprocess.Popen([sys.executable, "-c", NEIGHBOUR])
    try:
        time.sleep(8.0)  # until it is at it
        yield
    finally:
        started.kill()
        started.wait()


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """Errors of ratios, and what was noticed."""
    for item, row in found.items():
        if "error_p95" in row:
            yield (
                f"{item:22} ratio error: median {row['error_median']:.2%}, 95 % "
                f"{row['error_p95']:.2%}, tau {row['tau']:.3f}, as ties {row['tau_ties']:.3f}, "
                f"inverted {row['inverted']:.1%}"
            )
        elif "disturbed" in row:
            yield f"{item:22} {row['disturbed']:.0%} of visits flagged; {row['note'] or 'no note'}"


SECTION = Section(
    words="two measurements of 25 mixes, one after the other against ours; a planted neighbour",
    goal="ratio errors of at most 3 % (95th percentile); the neighbour is noticed",
    items=items,
    measure=measure,
    lines=lines,
)
