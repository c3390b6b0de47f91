"""How much of the time goes into operators that no counter knows: what a count leaves out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

_WARM_UP = 2
_LOG_LEVEL = "KINETO_LOG_LEVEL"


def uncounted_shares(
    model: nn.Module, image: Tensor, names: Collection[str], *, calls: int = 3
) -> dict[str, float]:
    """The share of the time of a forward pass that each of these takes, with all that it calls.

    The network runs for real, a few times, under PyTorch's profiler: shares are good for saying
    whether something matters, not for comparing.

    Args:
        model: The network, on the image's device, in the mode that it is to run in.
        image: (B, C, H, W).
        names: Operators as a ledger names them, such as aten.linalg_inv_ex, or functions
            (module.Class.forward) whose work PyTorch does not see.
        calls: Forward passes, after two that are not looked at.

    Returns:
        Share of the time by name, from 0 to 1: of the device's time on a GPU, else of the
        processor's. What did not run is absent.
    """
    keys = {_profiled_name(name): name for name in names}
    on_gpu = image.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with torch.no_grad(), _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the profiler cannot do on this machine
        for _ in range(_WARM_UP):
            model(image)
        with profile(activities=activities) as watched:
            for _ in range(calls):
                model(image)
        events = list(watched.events())
    return _shares(events, keys, on_gpu)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the profiler from telling stderr that it starts; it asks for this when first used."""
    known = os.environ.get(_LOG_LEVEL)
    os.environ[_LOG_LEVEL] = known or "99"
    try:
        yield
    finally:
        if known is None:
            del os.environ[_LOG_LEVEL]


def _shares(events: list[FunctionEvent], keys: dict[str, str], on_gpu: bool) -> dict[str, float]:
    whole, spent = 0.0, dict[str, float]()
    for event in events:
        if event.device_type.name != "CPU":  # kernels: their time is that of who called them
            continue
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        whole += own
        outer = _outermost(event, keys)
        if outer is not None:
            spent[outer] = spent.get(outer, 0.0) + own
    return {name: time / whole for name, time in spent.items()} if whole else {}


def _outermost(event: FunctionEvent | None, keys: dict[str, str]) -> str | None:
    """The first name that the event or anything that called it has, seen from the outside."""
    found = None
    while event is not None:
        found = keys.get(event.name, found)
        event = event.cpu_parent
    return found


def _profiled_name(name: str) -> str:
    """As the profiler has it: aten::relu; of a function that is differentiated by hand, its class.

    A function of Python stands under module.Class.method, an operator under namespace.name.
    """
    space, _, operator = name.partition(".")
    parts = name.split(".")
    if len(parts) == 2 and hasattr(getattr(torch.ops, space), operator):
        return f"{space}::{operator}"
    return parts[-2] if len(parts) > 1 else name
