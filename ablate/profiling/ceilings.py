"""What a machine can do at best: bytes copied, operations in a product, operators started.

Nothing here is read off a data sheet. Each ceiling is the best of several interleaved rounds: it
is a limit, and what disturbs a measurement only ever lowers it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch

from ablate.profile import Precision
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.inputs import HALVES
from ablate.profiling.modes import numbers_as
from ablate.profiling.timing import (
    Call,
    Timer,
    cache_bytes,
    calls_in_a_visit,
    timer_for,
)

ROUNDS: Final = 8
PRECISIONS: Final[Mapping[str, torch.dtype]] = {
    "float32": torch.float32,
    "tf32": torch.float32,
    **HALVES,
}
# Bytes that one copy touches, read and written together: from what caches hold to what none does.
_TOUCHED: Final = {
    "cpu": tuple(2**exponent for exponent in (18, 20, 22, 24, 26, 28)),
    "cuda": tuple(2**exponent for exponent in (22, 24, 26, 28, 30)),
}
_BEYOND: Final = 4  # times as much as the largest cache holds, so that none helps the largest copy
_MOST_TOUCHED: Final = 2**31
_LARGEST_SIDE: Final = {"cpu": 1024, "cuda": 8192}  # of a product of two square matrices
_WORTH_TIMING = 10e-3  # seconds: a larger product would not be faster by much

Report = Callable[[int, int], None]


class CeilingError(ValueError):
    """A ceiling that was not, or cannot be, measured; the message says which there are."""


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What a device did at best.

    Args:
        device: cpu or cuda.
        threads: CPU threads that were used.
        copies: Bytes that a copy touched (half read, half written), with the bytes per second;
            from the smallest, which a cache may hold, to the largest, which none does.
        products: Precisions, with the operations per second of a product of two square matrices
            (one multiply-add is two operations).
        launch: Seconds from one call of the smallest operator to the next.
    """

    device: str
    threads: int
    copies: tuple[tuple[int, float], ...]
    products: tuple[tuple[str, float], ...]
    launch: float

    @property
    def memory(self) -> float:
        """Bytes per second, read and written, of a copy that no cache holds."""
        return self.copies[-1][1]

    def bandwidth(self, working_set: float = math.inf) -> float:
        """Bytes per second for work on so many bytes: nearer caches are faster.

        What was reached with more bytes can be reached with fewer, so the ceiling never rises
        with the working set; between measured sizes it is interpolated.

        Args:
            working_set: Bytes that are in use together; infinite for main memory.
        """
        touched = [math.log(size) for size, _ in self.copies]
        best = [max(rate for _, rate in self.copies[i:]) for i in range(len(self.copies))]
        place = math.log(max(working_set, 1.0))
        return math.exp(_interpolate(place, touched, [math.log(rate) for rate in best]))

    def product(self, precision: str = "float32") -> float:
        """Operations per second in a precision.

        Raises:
            CeilingError: It was not measured.
        """
        rates = dict(self.products)
        if precision not in rates:
            known = ", ".join(rates)
            raise CeilingError(f"no ceiling was measured in {precision} (measured: {known})")
        return rates[precision]

    def ridge(self, precision: str = "float32", working_set: float = math.inf) -> float:
        """Operations per byte at which the two roofs meet: with fewer, memory is the limit."""
        return self.product(precision) / self.bandwidth(working_set)


def measure_ceilings(
    device: torch.device,
    *,
    threads: int = 1,
    precisions: Sequence[Precision] = ("float32",),
    rounds: int = ROUNDS,
    timer: Timer | None = None,
    report: Report = lambda done, rounds: None,
) -> Ceilings:
    """Measure a device; takes seconds and up to 2 GiB. Best in a process that does little else.

    Args:
        device: Which.
        threads: CPU threads to use.
        precisions: float32, tf32 (CUDA), bfloat16, float16.
        rounds: Of which the best counts; in each, every ceiling is tried once.
        timer: What times the calls; none for the clock that suits the device.
        report: Told after each round how many rounds of how many are done.

    Raises:
        CeilingError: A precision is unknown, or the device has none such.
    """
    _check(precisions, device)
    steady_allocator()
    clock, sizes = timer or timer_for(device, threads), _touched(device.type)
    with _threads(threads), numbers_as("float32"), torch.inference_mode():
        trials = {f"copy {size}": _copy(size, device) for size in sizes}
        trials |= {str(name): _product(name, device, clock) for name in precisions}
        trials["launch"] = _smallest(device)
        best = _best(clock, {name: call for name, (call, _) in trials.items()}, rounds, report)
    rates = {name: work / best[name] for name, (_, work) in trials.items()}
    return Ceilings(
        device=device.type,
        threads=threads,
        copies=tuple((size, rates[f"copy {size}"]) for size in sizes),
        products=tuple((name, rates[name]) for name in precisions),
        launch=best["launch"],
    )


def protocol(ceilings: Ceilings) -> str:
    """How the ceilings were found, in words."""
    threads = f", threads {ceilings.threads}" if ceilings.device == "cpu" else ""
    largest = _LARGEST_SIDE[ceilings.device]
    return (
        f"best of {ROUNDS} interleaved rounds{threads}: copies of tensors, bytes read and written; "
        f"products of square matrices of at most {largest} a side, 2 operations a multiply-add; "
        "one-element additions, called one after the other"
    )


def _best(timer: Timer, calls: Mapping[str, Call], rounds: int, report: Report) -> dict[str, float]:
    """The least seconds of a call over the rounds, by name."""
    counts = {name: calls_in_a_visit(timer, _shortest(timer, call)) for name, call in calls.items()}
    best = dict.fromkeys(calls, math.inf)
    for number in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], timer.time(call, counts[name]).seconds)
        report(number + 1, rounds)
    return best


def _shortest(timer: Timer, call: Call) -> float:
    """Two calls, of which the first prepares things."""
    return min(timer.time(call, 1).seconds for _ in range(2))


def _touched(kind: str) -> tuple[int, ...]:
    """Bytes that copies touch; on a CPU up to several times its largest cache."""
    sizes = _TOUCHED[kind]
    while kind == "cpu" and sizes[-1] < min(_BEYOND * cache_bytes(), _MOST_TOUCHED):
        sizes = (*sizes, 2 * sizes[-1])
    return sizes


def _copy(touched: int, device: torch.device) -> tuple[Call, float]:
    """A call that touches so many bytes, and how many these are."""
    source = torch.rand(touched // 8, device=device)  # 4 bytes read and 4 written an element
    target = torch.empty_like(source)
    return (lambda: target.copy_(source)), 8.0 * source.numel()


def _product(precision: Precision, device: torch.device, timer: Timer) -> tuple[Call, float]:
    """The product of two matrices, large enough to be timed, and its operations."""
    side = 256
    while True:
        call, work = _product_of(side, precision, device), 2.0 * side**3
        if _shortest(timer, call) > _WORTH_TIMING or side >= _LARGEST_SIDE[device.type]:
            return call, work
        side *= 2


def _product_of(side: int, precision: Precision, device: torch.device) -> Call:
    """Noise, not zeros: zeros take less power, and so may be faster."""
    kind = PRECISIONS[precision]
    left, right = (torch.rand(side, side, device=device).to(kind) for _ in range(2))
    out = torch.empty_like(left)

    def call() -> object:
        return torch.mm(left, right, out=out)

    def reduced() -> object:
        with numbers_as("tf32"):
            return call()

    return reduced if precision == "tf32" else call


def _smallest(device: torch.device) -> tuple[Call, float]:
    """The smallest operator, and no work."""
    number = torch.zeros(1, device=device)
    return (lambda: number.add_(1)), 0.0


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check(precisions: Sequence[Precision], device: torch.device) -> None:
    known = [name for name in PRECISIONS if device.type == "cuda" or name != "tf32"]
    for name in precisions:
        if name not in known:
            raise CeilingError(
                f"no ceiling in '{name}' can be measured on {device.type}; "
                f"expected one of {', '.join(known)}"
            )


def _interpolate(place: float, places: Sequence[float], values: Sequence[float]) -> float:
    """Between neighbours; the outermost values beyond them."""
    if place <= places[0]:
        return values[0]
    for left in range(len(places) - 1):
        if place <= places[left + 1]:
            part = (place - places[left]) / (places[left + 1] - places[left])
            return values[left] + part * (values[left + 1] - values[left])
    return values[-1]
