"""A block and its plain versions, as calls to be timed, compared and weighed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn

from ablate.profiling._replica import replica
from ablate.profiling.memory import StorageTracker
from ablate.profiling.timing import Call
from benchmarks.straightforward import scans, straightforward
from benchmarks.straightforward.scans import of_backend

Pass = Literal["forward", "both"]
Run = Callable[[nn.Module, Tensor], Tensor]

OURS = "ours"
ELSEWHERE = "ours, contiguous"
TOLERANCE = 1e-4  # of the norm of what is compared
FAINT = 1e-3  # a gradient this much smaller than all together is compared as if it were not


@dataclass(frozen=True)
class Contestant:
    """One way of computing a block.

    Args:
        name: What it is.
        layout: Of the memory of weights and features.
        run: The way.
        loops: Whether thousands of operators run, one after the other.
    """

    name: str
    layout: Literal["channels last", "contiguous"]
    run: Run
    loops: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is not the block itself."""
        return self.name not in (OURS, ELSEWHERE)

    def given(self, block: nn.Module, x: Tensor) -> tuple[nn.Module, Tensor]:
        """A copy of the block and the features, in this layout."""
        last = self.layout == "channels last"
        layout = torch.channels_last if last else torch.contiguous_format
        own = copy.deepcopy(block).to(memory_format=layout)  # type: ignore[call-overload]
        return own, x.detach().clone(memory_format=layout)


def contestants(block: nn.Module) -> list[Contestant]:
    """The block itself, then what it is compared with."""
    ours = Contestant(OURS, "channels last", nn.Module.__call__)
    elsewhere = Contestant(ELSEWHERE, "contiguous", nn.Module.__call__)
    if not scans(block):
        return [ours, *_both_layouts("plain", straightforward), elsewhere]
    return [
        ours,
        elsewhere,
        Contestant("plain", "contiguous", straightforward, loops=True),
        *_both_layouts("plain, scan `torch`", _around("torch")),
        *_both_layouts("plain, the block's scan", _around(None)),
    ]


def call(contestant: Contestant, block: nn.Module, x: Tensor, timed: Pass) -> Call:
    """What is timed: inference, or a forward and a backward pass in training."""
    own, x = contestant.given(block, x)
    own.train(timed == "both")
    if timed == "forward":
        return torch.inference_mode()(lambda: contestant.run(own, x))
    x.requires_grad_()
    leaves, weight = [x, *own.parameters()], torch.randn_like(x)

    def both() -> object:
        return torch.autograd.grad(contestant.run(own, x), leaves, weight, allow_unused=True)

    return both


def agree(ways: list[Contestant], block: nn.Module, x: Tensor) -> None:
    """Hold the values and gradients of all against the first's.

    Raises:
        AssertionError: They differ by more than rounding.
    """
    expectations = _outcome(ways[0], block, x) if ways else {}
    whole = sum(expected.norm() for expected in expectations.values())
    for way in ways[1:]:
        found = _outcome(way, block, x)
        for name, expected in expectations.items():
            error = (found[name] - expected).norm()
            allowed = TOLERANCE * max(expected.norm(), FAINT * whole)
            assert error <= allowed, (
                f"{type(block).__name__}, {way.name}, {way.layout}: {name} is off by "
                f"{error:.2e}, of {expected.norm():.2e}"
            )


def peak(contestant: Contestant, block: nn.Module, x: Tensor, timed: Pass) -> int:
    """Bytes of all storages alive at the worst moment; measured by the allocator on CUDA.

    A forecast without memory, but for loops, whose many operators are followed on real tensors:
    the same number, and faster.
    """
    own, x = contestant.given(block, x)
    own.train(timed == "both")
    if x.device.type == "cuda":
        return _measured_peak(contestant, own, x, timed)
    fake, twin = (nullcontext(), own) if contestant.loops else replica(own)
    with fake:
        given = x if contestant.loops else torch.empty_like(x)
        tracker = StorageTracker(chain(twin.parameters(), twin.buffers(), [given]))
        with tracker:
            _once(contestant, twin, given, timed)
    return tracker.peak


def _around(backend: str | None) -> Run:
    return lambda block, x: straightforward(block, x, of_backend(backend))


def _both_layouts(name: str, run: Run) -> list[Contestant]:
    return [Contestant(name, "contiguous", run), Contestant(name, "channels last", run)]


def _outcome(way: Contestant, block: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Value and gradients; a parameter that was not reached has a gradient of 0."""
    own, x = way.given(block.eval(), x)
    y = way.run(own, x.requires_grad_())
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y))
    found = {name: p.grad for name, p in own.named_parameters() if p.grad is not None}
    empty = {name: torch.zeros_like(p) for name, p in own.named_parameters()}
    assert x.grad is not None
    return {**empty, **found, "the input's gradient": x.grad, "the value": y.detach()}


def _once(contestant: Contestant, block: nn.Module, x: Tensor, timed: Pass) -> None:
    if timed == "forward":
        with torch.no_grad():
            contestant.run(block, x)
    else:
        contestant.run(block, x.requires_grad_()).sum().backward()


def _measured_peak(contestant: Contestant, block: nn.Module, x: Tensor, timed: Pass) -> int:
    _once(contestant, block, x, timed)  # what libraries keep for good is there from now on
    block.zero_grad()
    x.grad = None
    torch.cuda.synchronize(x.device)
    torch.cuda.reset_peak_memory_stats(x.device)
    before = torch.cuda.memory_allocated(x.device)
    _once(contestant, block, x, timed)
    torch.cuda.synchronize(x.device)
    state = sum(
        t.numel() * t.element_size() for t in chain(block.parameters(), block.buffers(), [x])
    )
    return torch.cuda.max_memory_allocated(x.device) - before + state
