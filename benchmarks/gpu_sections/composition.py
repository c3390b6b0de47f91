"""How well mixes are priced from their stages on this GPU, eager and as CUDA graphs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import composition
from benchmarks.gpu_sections.section import Json, Section, Setting


def items(setting: Setting) -> Sequence[str]:
    """Case and way of running."""
    if not setting.on_gpu:
        return []
    return [f"{case} {run}" for run in ("graph", "eager") for case in ("three", "five", "deep")]


def measure(item: str, setting: Setting) -> Json:
    """What `benchmarks.composition` says of one case."""
    case, _, run = item.partition(" ")
    asked = Namespace(mixes=0, rounds=10, processes=2, device=setting.device.type, run=run)
    return composition.predict(case, composition.cases()[case], asked)


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """Errors on unseen mixes."""
    for item, row in found.items():
        if "unseen" not in row:
            continue
        mape, tau = row["unseen"]["mape"], row["unseen"]["tau"]
        noise = "" if row["noise"] is None else f"; the measurement's own {row['noise']:.2%}"
        yield (
            f"{item:14} MAPE {mape['value']:.2%} [{mape['low']:.2%}, {mape['high']:.2%}], tau "
            f"{tau['value']:.2f} of {row['unseen']['n']}{noise}"
        )


SECTION = Section(
    words="unseen mixes priced from stages and eight calibration mixes, eager and graph",
    goal="MAPE of at most 1.5 %, or where and why it fails",
    items=items,
    measure=measure,
    lines=lines,
)
