"""NVML's answers made plain: numbers with units, processes, reasons; or why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# Why the clock is not the highest, bit by bit (nvmlClocksEventReasons of NVML's nvml.h).
_REASONS = {
    0x001: "idle",
    0x002: "application clocks",
    0x004: "power cap",
    0x008: "hardware slowdown",
    0x010: "synchronised boost",
    0x020: "thermal slowdown by software",
    0x040: "thermal slowdown by hardware",
    0x080: "power brake",
    0x100: "display clock",
}
THROTTLES: int = 0x004 | 0x008 | 0x020 | 0x040 | 0x080  # those that come and go while it works

_NOT_AVAILABLE = (2**32 - 1, 2**64 - 1)  # what drivers answer where they have no number


@dataclass(frozen=True)
class Absent:
    """What could not be read, and why, on one line."""

    reason: str


@dataclass(frozen=True)
class Process:
    """A process that computes on the device: its number (0: unknown) and bytes held there."""

    pid: int
    memory: int | Absent


class Memory(NamedTuple):
    """Bytes of a device that are in use, and in all."""

    used: int
    total: int


def reasons_of(bits: int) -> tuple[str, ...]:
    """NVML's reasons for a clock that is not the highest, in words."""
    known = tuple(words for bit, words in _REASONS.items() if bits & bit)
    rest = bits & ~sum(_REASONS)
    return (*known, f"reason {rest:#x}") if rest else known


def attempt(action: Callable[[], T]) -> T | Absent:
    """What an action returns, or why it failed: drivers, rights and versions fail in many ways."""
    try:
        return action()
    except Exception as error:
        return Absent(_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:  # pynvml asks the library for the words, and that can fail too
        text = ""
    return text or type(error).__name__


def text(value: str | bytes) -> str:
    """A name; older versions of the library answer in bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def number(value: object) -> float:
    """A reading that can be one.

    Raises:
        ValueError: It is no number, or one that stands for none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"NVML answered {value!r}")
    if not math.isfinite(value) or value < 0 or value in _NOT_AVAILABLE:
        raise ValueError(f"NVML answered {value}")
    return float(value)


def thousandth(value: object) -> float:
    """Milliwatts as watts, millijoules as joules."""
    return number(value) / 1000


def bits(value: object) -> int:
    """A set of flags."""
    return int(number(value))


def memory(value: Any) -> Memory:
    """Memory of a device.

    Raises:
        ValueError: It is no number, or one that stands for none.
    """
    return Memory(int(number(value.used)), int(number(value.total)))


def processes(listed: Iterable[Any]) -> tuple[Process, ...]:
    """The processes that NVML lists; what one holds can be hidden."""
    return tuple(Process(int(one.pid), _held(one)) for one in listed)


def _held(one: Any) -> int | Absent:
    return attempt(lambda: int(number(one.usedGpuMemory)))
