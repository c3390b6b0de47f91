"""Energy of one image of every published system, where the board has a counter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import torch

from ablate.network import build
from ablate.profiling.energy import Absent, energies
from benchmarks.gpu_sections.section import Json, Section, Setting
from benchmarks.gpu_sections.systems import mix_of
from benchmarks.systems import systems

SIDE = 256


def items(setting: Setting) -> Sequence[str]:
    """The systems."""
    return systems()[:1] if setting.small else systems()


def measure(item: str, setting: Setting) -> Json:
    """Joules of an image of 256 x 256, idling subtracted."""
    model = build(mix_of(item).network).eval().to(setting.device)
    image = torch.rand(1, 3, SIDE, SIDE, device=setting.device)
    found = energies({item: lambda: model(image)}, 1, setting.device, repeats=2)[item]
    if isinstance(found, Absent):
        return {"failed": found.reason}
    return asdict(found)


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """Joules and watts."""
    for item, row in found.items():
        if "joules" in row:
            yield (
                f"{item:28} {row['joules']:8.3f} J [{row['low']:.3f}, {row['high']:.3f}], "
                f"{row['watts']:.0f} W at work, {row['idle_watts']:.0f} W idle {row['note']}"
            )


SECTION = Section(
    words="energy of one 256x256 image, eager float32",
    goal="a number with its range for every system",
    items=items,
    measure=measure,
    lines=lines,
)
