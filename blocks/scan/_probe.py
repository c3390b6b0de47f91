"""A back end proves that it is right on a device before it runs there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from blocks.scan._backend import Scan, get

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
"""Of the largest value of each tensor; kernels that are right are off by 1e-6."""

LENGTH = {"cpu": 37, "cuda": 133}  # odd, and more than one chunk of time of most back ends


@cache
def fault(name: str, device: torch.device, dtype: torch.dtype) -> str:
    """What is wrong with a back end on a device, or nothing: one tiny scan and its gradients.

    It runs once in a process, in a thread of its own: the caller may be counting operators,
    tracing, or under automatic mixed precision, and a new thread is under none of these.

    Args:
        name: The back end; the reference is right by definition.
        device: Where; on the meta device nothing can be wrong.
        dtype: What it computes in.
    """
    if name == "reference" or device.type == "meta":
        return ""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_probe, name, device, dtype).result()


def _probe(name: str, device: torch.device, dtype: torch.dtype) -> str:
    scan, grad = _example(LENGTH.get(device.type, 37))
    true = _answers("reference", scan, grad)
    try:
        tensors = {k: t.to(device, dtype) for k, t in scan._asdict().items() if k != "softplus"}
        found = _answers(name, Scan(**tensors, softplus=True), grad.to(device, dtype))
    except Exception as error:  # whatever a driver or a compiler raises
        said = str(error).strip().splitlines() or [""]
        return f"probe failed: {type(error).__name__}: {said[0][:200]}"
    worst = max(_error(a, b) for a, b in zip(found, true, strict=True))
    if not worst <= TOLERANCE[dtype]:
        return f"probe failed: off from the reference by {worst:.1e} of the largest value"
    return ""


def _answers(name: str, scan: Scan, grad: Tensor) -> list[Tensor]:
    """The output and all gradients."""
    backend = get(name)
    y, saved = backend.forward(scan, True)
    if tuple(saved.shape) != backend.saved_shape(scan):
        expected, got = backend.saved_shape(scan), tuple(saved.shape)
        raise ValueError(f"it saves {got} where {expected} was promised")
    return [y, *backend.backward(grad, saved, scan)]


def _error(found: Tensor, true: Tensor) -> float:
    return ((found.cpu().double() - true).abs().max() / true.abs().max()).item()


def _example(length: int) -> tuple[Scan, Tensor]:
    """A scan of two groups in float64, and a gradient; no random numbers are used up."""

    def wave(*shape: int, speed: float) -> Tensor:
        count = torch.Size(shape).numel()
        return torch.arange(count, dtype=torch.float64).mul(speed).sin().view(shape)

    u, delta, grad = (wave(1, 6, length, speed=s) for s in (1.3, 2.1, 0.7))
    B, C = (wave(1, 2, 3, length, speed=s) for s in (1.7, 2.9))
    A, D, bias = wave(6, 3, speed=3.1) - 1.5, wave(6, speed=1.1), wave(6, speed=2.3)
    return Scan(u, delta, A, B, C, D, bias, True), grad
