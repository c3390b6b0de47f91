"""The solver for what a study asks, and the prices that it needs."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ablate.footing.asked import Footing, FootingError
from ablate.footing.outline import Outline
from ablate.footing.prices import Counted, Prices
from ablate.footing.solving import Solver
from ablate.mix import Profile
from ablate.profiling.flops import count_macs, count_parameters


def solver_for(footing: Footing, profile: Profile, base: Path) -> Solver:
    """What brings the mixes of a study to one cost.

    Args:
        footing: What is asked.
        profile: The first of its sizes is what multiply-adds are counted on.
        base: The folder that the file of a latency model is looked for in.

    Raises:
        FootingError: There is no latency model, or not for this machine.
    """
    if footing.equal == "latency":
        raise FootingError("a latency model is needed first: ablate latency-model STUDY")
    size = profile.size[0]

    def macs(model: nn.Module) -> float:
        return count_macs(model, size).total

    measure = macs if footing.equal == "macs" else count_parameters

    def counted(outline: Outline) -> Prices:
        return Counted(outline, measure)

    return Solver(footing, counted)
