"""A section: named items, each measured by itself, so that what is done need not be done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how much is measured.

    Args:
        device: The GPU; a CPU only to try the sections out.
        small: Tiny inputs and few rounds, to try the sections out.
    """

    device: torch.device
    small: bool = False

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the benchmark.

    Args:
        words: What it asks.
        goal: What is hoped for.
        items: Names of what is measured, one after the other.
        measure: Measures one of them; plain data.
        lines: A table of what was found.
    """

    words: str
    goal: str
    items: Callable[[Setting], Sequence[str]]
    measure: Callable[[str, Setting], Json]
    lines: Callable[[Mapping[str, Json]], Iterator[str]]


def unmet(found: Mapping[str, Json]) -> Iterator[str]:
    """The items that could not be measured, with the reason."""
    for item, row in found.items():
        if "failed" in row:
            yield f"{item}: {row['failed']}"
