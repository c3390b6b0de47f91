"""Memory as rows of the record: the peaks of a mix, by what it is for, and by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import nn

from ablate.costs.latency_rows import mode_name
from ablate.mix import Mix
from ablate.profile import Profile
from ablate.profiling.device_memory import DeviceMemory, measure_inference, measure_training
from ablate.profiling.memory import (
    MemoryProfile,
    forecast_inference,
    forecast_training,
    protocol,
)
from ablate.profiling.memory_flags import memory_flags
from ablate.profiling.nvml import Absent
from ablate.profiling.resident import Resident
from ablate.profiling.rounds import one_line
from ablate.tasks.scale import task_scale
from reports.record import Measurement, Metric, Note

Call = tuple[str, str, Callable[[], MemoryProfile | DeviceMemory]]

_CALLS = {"peak_memory": "one inference call", "training_memory": "one training step"}
_KINDS = {
    "weights": "parameters and buffers",
    "gradients": "gradients of parameters",
    "optimiser": "the optimiser's moments",
    "averages": "averaged weights that are kept beside",
    "images": "what the network is given and what it should return",
    "activations": "features, what is saved for the backward pass, gradients of features",
    "kernels": "what kernels need inside themselves, and rounding",
}
_COUNTS = {
    "reserved": "most that PyTorch's allocator held of the driver, beyond what it held before",
    "process": "what NVML says that the process holds afterwards, with context and kernels",
    "resident": "most that a fresh process grew by (VmHWM), libraries loaded before",
    "allocated": "most that PyTorch's allocator handed out at once, of a second run",
}


def memory_metrics(device: str) -> tuple[Metric, ...]:
    """What is told of memory, and how it is found on a device."""
    place = torch.device(device)
    found = protocol(place)
    if place.type == "cuda" and torch.cuda.is_available():
        found += "; " + flag_words(memory_flags(place))
    metrics = []
    for name, call in _CALLS.items():
        by_stage = "of a stage: while it runs"
        metrics.append(Metric(name, "byte", "lower", f"peak of {call}; {found}; {by_stage}"))
        metrics += [
            Metric(f"{name}_{kind}", "byte", "none", f"of the peak of {call}: {words}")
            for kind, words in _KINDS.items()
        ]
        metrics += [
            Metric(f"{name}_{count}", "byte", "lower", f"{call}: {words}")
            for count, words in _COUNTS.items()
        ]
    return tuple(metrics)


def memory_rows(
    mix: Mix, model: nn.Module, profile: Profile, device: str
) -> tuple[list[Measurement], list[Note]]:
    """Peaks of an inference call at each size and of a training step: forecast, on CUDA measured.

    Each with what its bytes are, and the peak while each stage runs (of "key:stage2"): the stage
    whose peak is the mix's is where the worst moment is. One that cannot be found, because it does
    not fit for example, is absent with a note that says why; the others are there.

    Args:
        mix: Its task says how large the network's input is in training, its training the recipe.
        model: Its network, real or on meta.
        profile: Sizes, batch, precision and memory layout of the inference call.
        device: cpu or cuda.
    """
    rows, notes = list[Measurement](), list[Note]()
    for metric, mode, find in _calls(mix, model, profile, device):
        try:
            found = find()
        except Exception as error:  # it does not fit, or a block from outside raises
            notes.append(Note(mix.key, metric, f"{mode}: not known: {one_line(error)}"))
        else:
            more, remarks = _rows(mix.key, metric, found, mode, device)
            rows, notes = rows + more, notes + remarks
    return rows, notes


def _calls(mix: Mix, model: nn.Module, profile: Profile, device: str) -> Iterator[Call]:
    """Every call and step whose memory is asked for: metric, mode, and what finds it."""
    for size in profile.size:
        shape = (profile.batch, 3, *size)
        found = partial(_inference, model, shape, profile, device)
        yield "peak_memory", mode_name(size, profile), found
    yield "training_memory", training_mode(mix), partial(_training, mix, model, device)


def training_shape(mix: Mix) -> tuple[int, int, int, int]:
    """(B, C, H, W) of the degraded crops of a training step."""
    side = mix.training.crop // task_scale(mix.task)
    return (mix.training.batch, 3, side, side)


def training_mode(mix: Mix) -> str:
    """What a training step is measured on, in words."""
    crop = mix.training.crop
    return f"{mix.training.batch} crops of {crop}x{crop}"


def resident_rows(key: str, metric: str, found: Resident, mode: str) -> list[Measurement]:
    """What a fresh process on the CPU was seen to take.

    Args:
        key: Of the mix.
        metric: peak_memory or training_memory.
        found: As `ablate.profiling.resident` measured it.
        mode: What it was measured on.
    """
    values = {"resident": found.peak, "allocated": found.allocated}
    return [
        Measurement(key, f"{metric}_{count}", value, mode=mode, device="cpu")
        for count, value in values.items()
    ]


def flag_words(flags: Mapping[str, str]) -> str:
    """Settings in one line: "cudnn.benchmark off, tf32 products on"."""
    return ", ".join(f"{name} {setting}" for name, setting in flags.items())


def _inference(
    model: nn.Module, shape: tuple[int, ...], profile: Profile, device: str
) -> MemoryProfile | DeviceMemory:
    precision, channels_last = profile.precision[0], profile.channels_last
    if torch.device(device).type == "cuda":
        return measure_inference(
            model, shape, torch.device(device), precision=precision, channels_last=channels_last
        )
    return forecast_inference(model, shape, precision=precision, channels_last=channels_last)


def _training(mix: Mix, model: nn.Module, device: str) -> MemoryProfile | DeviceMemory:
    shape = training_shape(mix)
    if torch.device(device).type == "cuda":
        return measure_training(model, shape, torch.device(device), mix.training)
    return forecast_training(model, shape, mix.training)


def _rows(
    key: str, metric: str, found: MemoryProfile | DeviceMemory, mode: str, device: str
) -> tuple[list[Measurement], list[Note]]:
    profile = found.profile if isinstance(found, DeviceMemory) else found
    values = {(key, metric): profile.peak}
    values |= {(key, f"{metric}_{kind}"): size for kind, size in profile.by_kind.items()}
    values |= {(f"{key}:{slot}", metric): worst.worst for slot, worst in profile.by_stage.items()}
    notes = list[Note]()
    if isinstance(found, DeviceMemory):
        values[key, f"{metric}_reserved"] = found.reserved
        if isinstance(found.process, Absent):
            why = f"{mode}: process memory was not measured: {found.process.reason}"
            notes.append(Note(key, f"{metric}_process", why))
        else:
            values[key, f"{metric}_process"] = found.process
    rows = [
        Measurement(subject, name, value, mode=mode, device=device)
        for (subject, name), value in values.items()
    ]
    return rows, notes
