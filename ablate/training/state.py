"""The state of a training between two steps: all that decides how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ablate.training.checkpoint import StateError
from ablate.training.optimizer import Average
from ablate.training.randomness import put_back, taken_down
from ablate.training.watch import CurvePoint, Watch

_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # what Adam and AdamW keep of a parameter
_MISFITS = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError)


@dataclass(frozen=True)
class State:
    """A training after so many steps.

    The data's place is the number of steps, for batches are functions of it. What a network keeps
    outside of its parameters and buffers is not in it.

    Args:
        step: Steps done.
        seconds: Of training so far, without validation.
        notes: What JSON can hold: curves, other generators, how often weights were averaged.
        tensors: Weights, buffers, the optimiser's moments, averages and generators by name. They
            are those of the training itself: write or copy them before it goes on.
    """

    step: int
    seconds: float
    notes: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


@dataclass
class Parts:
    """What changes while a network is trained."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average | None
    watch: Watch
    device: torch.device
    scores: list[CurvePoint] = field(default_factory=list)  # of the validation set


def capture(parts: Parts, step: int, seconds: float) -> State:
    """The state of a training whose watch has looked at everything."""
    generators, drawn = taken_down(parts.device)
    moments = parts.optimizer.state_dict()["state"]
    tensors = {
        **_named("model", _weights(parts.model)),
        **{
            f"optimizer/{number}/{name}": value
            for number, kept in moments.items()
            for name, value in kept.items()
        },
        **_named("average", parts.average.tensors if parts.average else {}),
        **_named("generator", drawn),
    }
    notes = {
        "watch": parts.watch.notes(),
        "scores": [[point.name, point.step, point.value] for point in parts.scores],
        "updates": parts.average.updates if parts.average else 0,
        "generators": generators,
    }
    return State(step, seconds, notes, tensors)


def restore(parts: Parts, state: State) -> None:
    """Bring a training that has not begun to where another one was; the tensors are copied.

    Raises:
        StateError: The state is not of such a training. The network may have changed by then.
    """
    try:
        _restore(parts, state)
    except _MISFITS as error:
        text = " ".join(str(error).split())
        raise StateError(f"it does not fit the training ({text})") from error


def _restore(parts: Parts, state: State) -> None:
    notes = state.notes
    _fill(_weights(parts.model), _of("model", state), "the network")
    _fill(parts.average.tensors if parts.average else {}, _of("average", state), "the average")
    _remember(parts.optimizer, _of("optimizer", state))
    if parts.average:
        parts.average.updates = int(notes["updates"])
    parts.watch.restore(notes["watch"])
    parts.scores[:] = [CurvePoint(str(n), int(s), float(v)) for n, s, v in notes["scores"]]
    put_back(notes["generators"], _of("generator", state), parts.device)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those too that a state dict leaves out; shared ones once."""
    return dict((*model.named_parameters(), *model.named_buffers()))


def _named(group: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{group}/{name}": tensor for name, tensor in tensors.items()}


def _of(group: str, state: State) -> dict[str, Tensor]:
    start = f"{group}/"
    return {n.removeprefix(start): t for n, t in state.tensors.items() if n.startswith(start)}


@torch.no_grad()
def _fill(own: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Copy tensors into those of the same name."""
    if own.keys() != given.keys():
        odd = sorted(own.keys() ^ given.keys())[0]
        raise ValueError(f"{what} and the state have not the same tensors: {odd}")
    for name, tensor in own.items():
        if (tensor.shape, tensor.dtype) != (given[name].shape, given[name].dtype):
            raise ValueError(f"{what} has another shape or kind of {name} than the state")
        tensor.copy_(given[name])


def _remember(optimizer: torch.optim.Optimizer, given: Mapping[str, Tensor]) -> None:
    """Give an optimiser its moments; a parameter without gradients has none."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in given.items():
        number, _, kind = name.partition("/")
        moments.setdefault(int(number), {})[kind] = tensor
    for index, kept in moments.items():
        shape = parameters[index].shape
        if kept.keys() != _MOMENTS or {kept["exp_avg"].shape, kept["exp_avg_sq"].shape} != {shape}:
            raise ValueError(f"the optimiser's moments of parameter {index} are not in the state")
    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": settings})
