"""The ways in which a network can be run when it is timed: eager, compiled, as a CUDA graph."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablate.profile import Precision, Profile, Run
from ablate.profiling.inputs import HALVES
from ablate.profiling.timing import Call

_WARM_UP_CALLS = 3  # before a graph is captured, on a stream of their own
_NETWORKS = 100_000  # compiled in one process, at most: they share the code of one forward


@dataclass(frozen=True)
class Mode:
    """One way of running a network.

    Args:
        run: eager, compiled (torch.compile, static shapes) or graph (a CUDA graph, replayed).
        precision: float32 (TF32 off), tf32, or a type for autocast.
    """

    run: Run = "eager"
    precision: Precision = "float32"

    @property
    def words(self) -> str:
        """What is not the default, as modes of the record say it; may be empty."""
        parts = (self.run if self.run != "eager" else "", self.precision)
        return " ".join(part for part in parts if part not in ("", "float32"))

    def __str__(self) -> str:
        return f"{self.run} {self.precision}"


@dataclass(frozen=True, kw_only=True)
class FirstCall:
    """What came before the steady state.

    Args:
        seconds: From the first call to its result.
        compile: Seconds of that, beyond what the second call took, where the network was compiled
            or captured; None in eager.
    """

    seconds: float
    compile: float | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A network that has run once, and is ready to be timed."""

    call: Call
    first: FirstCall


def modes_of(profile: Profile) -> tuple[Mode, ...]:
    """Every way to run in every precision, in the profile's order."""
    return tuple(Mode(run, precision) for run in profile.run for precision in profile.precision)


def unavailable(mode: Mode, device: torch.device) -> str:
    """Why nothing can be timed in a mode on a device, in one line; empty where it can."""
    if mode.run == "graph" and device.type != "cuda":
        return f"run = 'graph' replays CUDA graphs, and the device is {device.type}"
    if mode.precision == "tf32" and device.type != "cuda":
        return f"precision = 'tf32' is a format of CUDA devices, and the device is {device.type}"
    if mode.precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        return "precision = 'tf32' needs a CUDA device of compute capability 8.0 or later"
    return _not_compiled(device) if mode.run == "compiled" else ""


def split(
    modes: tuple[Mode, ...], device: torch.device
) -> tuple[tuple[Mode, ...], dict[Mode, str]]:
    """Modes that a device has, and why it does not have the others."""
    reasons = {mode: unavailable(mode, device) for mode in modes}
    lacking = {mode: reason for mode, reason in reasons.items() if reason}
    return tuple(mode for mode in modes if mode not in lacking), lacking


def prepare(
    model: nn.Module, image: Tensor, mode: Mode, clock: Callable[[], float] = time.perf_counter
) -> Prepared:
    """Make a network ready to be timed in a mode, and time its first call.

    Run it as the timed calls will be run: with the same threads, in inference mode and within
    `numbers_as`; a compiled network is compiled again where that differs.

    Args:
        model: In evaluation mode, on the image's device.
        image: What it is called on; in a graph, always this very tensor.
        mode: How it is run.
        clock: Of the host, in seconds.
    """
    dtype = HALVES.get(mode.precision)
    module = torch.compile(model, dynamic=False) if mode.run == "compiled" else model

    def plain() -> object:
        return module(image)

    def cast() -> object:
        with torch.autocast(image.device.type, dtype=dtype):
            return module(image)

    eager = cast if dtype else plain
    _wait(image.device)  # weights may still be on their way
    began = clock()
    with _no_limit_of_networks() if mode.run == "compiled" else nullcontext():
        call = _captured(eager) if mode.run == "graph" else eager
        call()
    _wait(image.device)
    seconds = clock() - began
    if mode.run == "eager":
        return Prepared(call=call, first=FirstCall(seconds=seconds))
    began = clock()
    call()
    _wait(image.device)
    beyond = max(seconds - (clock() - began), 0.0)
    return Prepared(call=call, first=FirstCall(seconds=seconds, compile=beyond))


@contextmanager
def numbers_as(precision: Precision) -> Iterator[None]:
    """Products and convolutions of float32 in TF32 for tf32, and exactly in float32 otherwise."""
    wanted = precision == "tf32"
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if wanted else "highest")
    torch.backends.cudnn.allow_tf32 = wanted
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


def _not_compiled(device: torch.device) -> str:
    if not torch._dynamo.is_dynamo_supported():  # type: ignore[attr-defined]
        return "run = 'compiled' needs torch.compile, which this Python or system does not have"
    if device.type == "cpu" and not _compiler():
        return "run = 'compiled' needs a C++ compiler on a CPU, and neither g++ nor clang++ is here"
    return ""


def _compiler() -> str | None:
    names = (os.environ.get("CXX", ""), "g++", "clang++")
    return next((name for name in names if name and shutil.which(name)), None)


@contextmanager
def _no_limit_of_networks() -> Iterator[None]:
    """All mixes share the code of a few forward methods, of which few versions are compiled.

    The ninth would otherwise run eagerly, without a word.
    """
    from torch._dynamo import config

    with config.patch(
        recompile_limit=_NETWORKS,
        accumulated_recompile_limit=_NETWORKS,
        fail_on_recompile_limit_hit=True,
    ):
        yield


@dataclass(frozen=True)
class _Graph:
    """A CUDA graph, with the call that it was captured from.

    A graph reads the weights and the image where they were, and keeps neither alive.
    """

    graph: Any
    call: Call

    def __call__(self) -> None:
        self.graph.replay()


def _captured(call: Call) -> Call:
    """The call as a CUDA graph: its kernels are launched together, without the host between."""
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(_WARM_UP_CALLS):
            call()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return _Graph(graph, call)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
