"""Keeps freed memory in the process, so that the same network takes the same time twice.

By default glibc gives every large activation back to the system and faults it in again: the same
network is then up to 1.6 times slower in one call than in the next.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

# Parameters of mallopt(3), from malloc.h.
_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3

_SETTINGS: Final = (
    ("mmap threshold", _MMAP_THRESHOLD, (1 << 30, 32 << 20)),  # some versions refuse the first
    ("trim threshold", _TRIM_THRESHOLD, ((1 << 31) - 1,)),
    ("top pad", _TOP_PAD, (64 << 20,)),
)

_RETURNED: Final = 64 << 10  # bytes, above which memory is mapped and unmapped by itself

Mallopt = Callable[[int, int], int]


def steady_allocator(mallopt: Mallopt | None = None) -> str:
    """Set glibc's malloc for this process; call it before the first large tensor.

    Resident memory no longer shrinks afterwards. Harmless to call twice.

    Args:
        mallopt: The function that sets; none for glibc's own.

    Returns:
        What was set, or why nothing was, in words.
    """
    setter = mallopt or _glibc_mallopt()
    if setter is None:
        return "system default (no glibc)"
    done = [_set(setter, *setting) for setting in _SETTINGS]
    return "glibc malloc, " + ", ".join(done)


def returning_allocator(mallopt: Mallopt | None = None) -> str:
    """Have glibc's malloc give freed memory back at once: resident memory is what is alive.

    Slow, because the system clears every page anew; for measuring memory, never time.

    Args:
        mallopt: The function that sets; none for glibc's own.

    Returns:
        What was set, or why nothing was, in words.
    """
    setter = mallopt or _glibc_mallopt()
    if setter is None:
        return "system default (no glibc)"
    done = setter(_MMAP_THRESHOLD, _RETURNED)
    return f"glibc malloc, mmap threshold {'64 KiB' if done else 'refused'}"


def _set(mallopt: Mallopt, name: str, parameter: int, values: tuple[int, ...]) -> str:
    for value in values:
        if mallopt(parameter, value):
            return f"{name} {_mebibytes(value)}"
    return f"{name} refused"


def _mebibytes(value: int) -> str:
    return f"{round(value / 2**20)} MiB"


def _glibc_mallopt() -> Mallopt | None:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # only glibc has it
    except (OSError, TypeError, AttributeError):
        return None
    mallopt: Mallopt = library.mallopt
    return mallopt
