"""The solver for what a study asks, and the prices that it needs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ablate.footing.asked import Footing, FootingError
from ablate.footing.outline import Outline
from ablate.footing.prices import Counted, Measure, Side
from ablate.footing.solving import Fillings, Pricing, Solver
from ablate.footing.sums import CountedSums, Sums
from ablate.footing.timed import TimedSums
from ablate.latency_model.fingerprint import fingerprint
from ablate.latency_model.measuring import Conditions
from ablate.latency_model.model import LatencyModel
from ablate.latency_model.storage import ModelError, read, require_here
from ablate.profile import Profile
from ablate.profiling.flops import count_macs, count_parameters
from ablate.profiling.modes import modes_of


def solver_for(footing: Footing, profile: Profile, base: Path) -> Solver:
    """What brings the mixes of a study to one cost.

    Args:
        footing: What is asked.
        profile: Multiply-adds are counted on the first of its sizes, latency predicted there.
        base: The folder that the file of a latency model is looked for in.

    Raises:
        FootingError: The latency model cannot be read, or is not for this machine.
    """
    if footing.equal == "latency":
        model = _latency_model(profile, base / footing.equal_model)
        return Solver(footing, lambda outline: _timed(outline, model), model.device)
    size = profile.size[0]
    if footing.equal == "params":
        return Solver(footing, lambda outline: counted(outline, count_parameters))
    return Solver(
        footing, lambda outline: priced(Counted(outline, macs_at(size), block_macs, size))
    )


def counted(outline: Outline, measure: Measure) -> Pricing:
    """Prices by counting whole networks; what was counted serves all networks of a topology."""
    return priced(Counted(outline, measure))


def priced(prices: Counted) -> Pricing:
    """Prices that are added up of what is counted."""

    def pricing(fillings: Fillings) -> Sums:
        return CountedSums(prices.outline, fillings, prices)

    return pricing


def macs_at(size: Side) -> Measure:
    """Counts multiply-adds of a network on an image of this size."""
    return lambda model: count_macs(model, size).total


def block_macs(block: nn.Module, channels: int, side: Side) -> float:
    """Multiply-adds of a block on features of this size."""
    return count_macs(block, side, channels=channels).total


def _timed(outline: Outline, model: LatencyModel) -> Pricing:
    def pricing(fillings: Fillings) -> Sums:
        return TimedSums(outline, fillings, model)

    return pricing


def _latency_model(profile: Profile, path: Path) -> LatencyModel:
    """The latency model in a file, found to be for this machine and this profile.

    It says itself for which device it is; a run is held against that when it begins.
    """
    size, mode = profile.size[0], modes_of(profile)[0]
    try:
        model = read(path)
        if model.device == "cuda" and not torch.cuda.is_available():
            raise ModelError(f"{path}: this latency model was made on cuda, which is not here")
        here = Conditions(size=size, profile=profile, mode=mode, device=model.device)
        require_here(model, fingerprint(here, model.names), path)
    except ModelError as error:
        raise FootingError(str(error)) from error
    return model
