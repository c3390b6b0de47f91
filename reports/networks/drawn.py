"""A network that is drawn, with what stands beside its picture."""

from __future__ import annotations

from dataclasses import dataclass

from reports.networks.picture import Drawing
from reports.numbers.named import Named


@dataclass(frozen=True)
class Drawn(Named):
    """One network.

    Args:
        numbers: Its quality and cost in words.
        picture: Its stages.
        families: Families of its blocks.
    """

    numbers: str
    picture: Drawing
    families: frozenset[str]
