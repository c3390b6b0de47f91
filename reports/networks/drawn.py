"""A network that is drawn, with what stands beside its picture."""

from __future__ import annotations

from dataclasses import dataclass

from reports.networks.picture import Drawing


@dataclass(frozen=True)
class Drawn:
    """One network.

    Args:
        mix: Its key.
        label: Its label.
        letter: Its letter on the front.
        numbers: Its quality and cost in words.
        picture: Its stages.
        families: Families of its blocks.
    """

    mix: str
    label: str
    letter: str
    numbers: str
    picture: Drawing
    families: frozenset[str]
