"""What one network costs: counted in all and by part, forecast, and as others would have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import nn

from ablate.network import build
from ablate.pricing.outputs import outputs_of
from ablate.pricing.profiled import Profiled, Shape
from ablate.profiling.conventions import ConventionCount, count_as
from ablate.profiling.conventions import find as find_convention
from ablate.profiling.device_memory import DeviceMemory, measure_inference
from ablate.profiling.flops import count_parameters
from ablate.profiling.ledger import Ledger, ledger, plan_of
from ablate.profiling.memory import MemoryProfile, forecast_inference, forecast_training
from ablate.profiling.padding import Padding, padding
from ablate.profiling.training_ledger import TrainingLedger, training_ledger
from ablate.profiling.uncounted import uncounted_shares
from ablate.tasks.scale import task_scale

Found = TypeVar("Found")

REST = "rest"


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a network costs for one image; what could not be found is None.

    Args:
        name: What is profiled: a study, and the mix where there are several, or file and name.
        shape: Channels, height and width of the image.
        outputs: Shapes of the tensors that it returns, without the batch, by their place in what
            it returns.
        params: Parameters.
        params_by_stage: The same by slot, and "rest"; parameters that several share stand under
            the first.
        params_by_module: By path of module, each with all beneath it.
        ledger: What one forward pass of one image costs, in all and by part.
        padding: What a network of ours makes of the image's size.
        charged: What the asked convention says.
        memory: What is alive during one call of the profile's batch.
        measured: On a CUDA device, what the same call took there.
        shares: Of the time of a call, by operator that no count knows; how much may be missing.
        reasons: Why something could not be found, by what it is.
    """

    name: str
    shape: Shape
    outputs: Mapping[str, tuple[int, ...]]
    params: int
    params_by_stage: Mapping[str, int]
    params_by_module: Mapping[str, int]
    ledger: Ledger | None
    padding: Padding | None
    charged: ConventionCount | None
    memory: MemoryProfile | None
    measured: DeviceMemory | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def output(self) -> tuple[int, ...]:
        """Shape of the image that is returned, or of the first tensor that is."""
        return self.outputs.get("image") or next(iter(self.outputs.values()))


class Attempts:
    """Tries part after part, and keeps the reasons of those that failed."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def __call__(self, name: str, part: Callable[[], Found]) -> Found | None:
        """What a part comes to; None where it raises, with the reason kept under this name.

        A network from outside can raise anything, and what else can be found is still worth it.
        """
        try:
            return part()
        except Exception as error:
            self.reasons[name] = " ".join(str(error).split()) or type(error).__name__
            return None


def price(subject: Profiled, shape: Shape, *, convention: str, device: str) -> Price:
    """Count a network and forecast its memory; nothing is computed for it.

    Args:
        subject: The network; batch, precision and layout of its profile are those of the call
            whose memory is forecast.
        shape: Of the image.
        convention: How others would count it.
        device: Where it is built: cpu or cuda.

    Raises:
        ValueError: There is no such convention, or the network cannot be built or take the image.
    """
    find_convention(convention)
    model, image = subject.build(device), (1, *shape)
    outputs = outputs_of(model, image, subject.name)
    attempt = Attempts()
    stages, modules = parameters_by(model)
    counted = attempt("multiply-adds", lambda: ledger(model, image))
    unknown = tuple(counted.uncounted) if counted else ()
    memory = attempt("memory", lambda: _memory(subject, model, shape))
    taken = attempt("memory on the device", lambda: _measured(subject, model, shape, device))
    shares = attempt("shares of time", lambda: _shares(subject, image, device, unknown))
    return Price(
        name=subject.name,
        shape=shape,
        outputs={place: size[1:] for place, size in outputs.items()},
        params=count_parameters(model),
        params_by_stage=stages,
        params_by_module=modules,
        ledger=counted,
        padding=None if subject.foreign else attempt("padding", lambda: padding(model, image)),
        charged=attempt(convention, lambda: count_as(model, image, convention)),
        memory=memory,
        measured=taken,
        shares=shares or {},
        reasons=attempt.reasons,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingPrice:
    """What one training step costs; what could not be found is None.

    Args:
        batch: Images in the step.
        shape: Channels, height and width of each.
        costs: Multiply-adds and what stands beside them, forward, backward and in the optimiser.
        memory: What is alive during a step.
        reasons: Why something could not be found.
    """

    batch: int
    shape: Shape
    costs: TrainingLedger | None
    memory: MemoryProfile | None
    reasons: Mapping[str, str] = field(default_factory=dict)


def price_training(subject: Profiled, shape: Shape, *, device: str) -> TrainingPrice:
    """Count a training step and forecast its memory; nothing is computed.

    A mix of a study is trained as the study says, on its crops; a network of a file on images of
    this shape, as many as its profile has, to make what it returns small.

    Args:
        subject: The network.
        shape: Of the profiled image.
        device: Where the network is built.
    """
    model, mix, attempt = subject.build(device), subject.mix, Attempts()
    batch, size = subject.profile.batch, shape
    if not subject.foreign:
        side = mix.training.crop // task_scale(mix.task)  # of the degraded crop
        batch, size = mix.training.batch, (shape[0], side, side)
    request = ("scales", "auxiliary") if not subject.foreign else ()
    return TrainingPrice(
        batch=batch,
        shape=size,
        costs=attempt(
            "training step", lambda: training_ledger(model, (batch, *size), request=request)
        ),
        memory=attempt(
            "memory of a step", lambda: forecast_training(model, (batch, *size), mix.training)
        ),
        reasons=attempt.reasons,
    )


def parameters_by(model: nn.Module) -> tuple[dict[str, int], dict[str, int]]:
    """Numbers in the parameters by slot (and "rest") and by path of module."""
    slots = plan_of(model).slots
    stages, modules = dict.fromkeys([*slots.values(), REST], 0), {"": 0}
    for name, parameter in model.named_parameters():
        parts = [part for part in name.split(".")[:-1] if part != "_orig_mod"]
        paths = [".".join(parts[:depth]) for depth in range(len(parts) + 1)]
        for path in paths:
            modules[path] = modules.get(path, 0) + parameter.numel()
        slot = next((slots[path] for path in paths if path in slots), REST)
        stages[slot] += parameter.numel()
    return stages, modules


def _shares(
    subject: Profiled, shape: tuple[int, ...], device: str, names: tuple[str, ...]
) -> dict[str, float]:
    """What part of the time goes into these operators; run for real only where there are any."""
    if not names:
        return {}
    model = build(subject.mix.network).eval().to(device)
    return uncounted_shares(model, torch.rand(shape, device=device), names)


def _measured(
    subject: Profiled, model: nn.Module, shape: Shape, device: str
) -> DeviceMemory | None:
    """What the call takes of a CUDA device; a processor has no such counters."""
    profile = subject.profile
    if torch.device(device).type != "cuda":
        return None
    return measure_inference(
        model,
        (profile.batch, *shape),
        torch.device(device),
        precision=profile.precision[0],
        channels_last=profile.channels_last,
    )


def _memory(subject: Profiled, model: nn.Module, shape: Shape) -> MemoryProfile:
    profile = subject.profile
    return forecast_inference(
        model,
        (profile.batch, *shape),
        precision=profile.precision[0],
        channels_last=profile.channels_last,
    )
