"""The registry of degradations, and how one of them is applied or checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ablate.mix import Choice
from blocks import Registry

Pixels = NDArray[np.float32]
Degradation = TypeVar("Degradation", bound=Callable[..., Pixels])

degradations: Registry[Callable[..., Pixels]] = Registry("degradation")

CHECKED_SIZE = 24  # pixels a side: large enough for every step of every degradation to run


def register(*, source: str, shrinks: bool = False) -> Callable[[Degradation], Degradation]:
    """Register a function `(clean, rng, *, knobs) -> degraded` under its own name.

    Args:
        source: Where its model comes from: authors, year, what they call it.
        shrinks: Whether the result has fewer pixels: its knob `scale` times fewer a side.
    """

    def enter(degradation: Degradation) -> Degradation:
        degradations.register(source=source, shrinks=shrinks)(degradation)
        return degradation

    return enter


def apply_degradation(choice: Choice, clean: Pixels, rng: np.random.Generator) -> Pixels:
    """What the chosen degradation makes of an image.

    Args:
        choice: A registered degradation and its knobs; what is left out takes its default.
        clean: (H, W, 3) in [0, 1].
        rng: The only source of chance: equal generators give equal images.

    Returns:
        (H, W, 3) float32, a new array or, where nothing is done, `clean` itself; smaller where
        the degradation shrinks.

    Raises:
        UnknownName: Nothing is registered under this name.
        ValueError: A knob's value makes no sense; the message holds the range.
    """
    settings: dict[str, Any] = choice.settings
    return degradations[choice.name].make(clean, rng, **settings)


def check(choice: Choice) -> None:
    """Run a degradation, and those inside it, on a tiny image, to find wrong knobs early.

    Raises:
        ValueError: One line that starts with the degradation's name.
    """
    for value in choice.settings.values():
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Choice):
                check(inner)
    grey = np.full((CHECKED_SIZE, CHECKED_SIZE, 3), 0.5, np.float32)
    entry = degradations[choice.name]
    settings: dict[str, Any] = choice.settings
    try:
        entry.make(grey, np.random.default_rng(0), **settings)
    except ValueError as error:
        raise ValueError(f"{choice.name}: {error}") from error
