"""Work under the roofs of a machine: what bounds it from below, and how near it came to that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ablate.profile import Precision
from ablate.profiling.ceilings import Ceilings

Label = Literal["memory-bound", "compute-bound", "launch-bound"]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What something must do at least.

    Args:
        flops: Operations, two for each multiply-add.
        bytes_moved: Read and written by operators, each tensor once an operator.
        launches: Operators that are started; 0 where they are replayed as one.
        working_set: Most bytes in use at once, what is given and weights among them; infinite
            where it is not known.
    """

    flops: float
    bytes_moved: float
    launches: int = 0
    working_set: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where work stands on the roofline.

    Args:
        label: What bounds it: the longest of the three times below.
        share: Of the bound's time in the time that it took. Near 1: at the roof. Far below: the
            roof is not what it waits for most. Above 1: it needed less than was counted, because
            caches kept what operators put out, or a convolution multiplied less (Winograd).
        intensity: Operations per byte.
        ridge: Operations per byte from which operations, not bytes, are the limit.
        seconds: What it took.
        memory: Seconds that its bytes take at best.
        compute: Seconds that its operations take at best.
        launch: Seconds that starting its operators takes at best.
    """

    label: Label
    share: float
    intensity: float
    ridge: float
    seconds: float
    memory: float
    compute: float
    launch: float


def place(
    work: Work, seconds: float, ceilings: Ceilings, precision: Precision = "float32"
) -> Placement:
    """Put work that took so long under the roofs of a machine.

    Raises:
        ValueError: It did nothing, or took no time.
        CeilingError: The precision's ceiling was not measured.
    """
    if not seconds > 0:
        raise ValueError(f"nothing takes {seconds} s; expected a time above 0")
    bandwidth = ceilings.bandwidth(work.working_set)
    bounds: dict[Label, float] = {
        "memory-bound": work.bytes_moved / bandwidth,
        "compute-bound": work.flops / ceilings.product(precision),
        "launch-bound": work.launches * ceilings.launch,
    }
    label = max(bounds, key=lambda name: bounds[name])
    if not bounds[label] > 0:
        raise ValueError(f"work without bytes, operations and operators has no place; got {work}")
    return Placement(
        label=label,
        share=bounds[label] / seconds,
        intensity=work.flops / work.bytes_moved if work.bytes_moved else math.inf,
        ridge=ceilings.ridge(precision, work.working_set),
        seconds=seconds,
        memory=bounds["memory-bound"],
        compute=bounds["compute-bound"],
        launch=bounds["launch-bound"],
    )
