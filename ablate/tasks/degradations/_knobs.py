"""Checks of the values that a study gives to a degradation's knobs."""

from __future__ import annotations

import numpy as np


def require(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """See that low <= value <= high.

    Raises:
        ValueError: It is not, or it is not a number; one line with the range.
    """
    if not low <= value <= high:
        of = f" {unit}" if unit else ""
        raise ValueError(f"{name} must be from {low:g} to {high:g}{of}; got {name}={value:g}")


def draw(
    rng: np.random.Generator, name: str, low: float, high: float, limit: float, unit: str
) -> float:
    """A strength for one image: `low` itself, or uniform in [low, high] where `high` is above 0.

    Args:
        rng: Drawn from only where there is a range.
        name: The knob that holds `low`; the one that holds `high` is NAME_max.
        low: The strength, at least 0.
        high: The largest strength of a range, or 0 for no range.
        limit: The largest value that makes sense.
        unit: What the strength is counted in.

    Raises:
        ValueError: A value is outside [0, limit], or the range runs backwards.
    """
    require(name, low, 0.0, limit, unit)
    require(f"{name}_max", high, 0.0, limit, unit)
    if high == 0.0:
        return low
    if high < low:
        raise ValueError(
            f"{name}_max must be at least {name}, or 0 for no range;"
            f" got {name}={low:g}, {name}_max={high:g}"
        )
    return float(rng.uniform(low, high))
