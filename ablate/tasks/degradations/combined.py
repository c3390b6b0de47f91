"""Degradations made of others, and the one that does nothing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ablate.mix import Choice
from ablate.tasks.degradations._register import Pixels, apply_degradation, degradations, register

RAIN_HAZE_NOISE = (Choice(name="rain"), Choice(name="haze"), Choice(name="gaussian_noise"))


@register(source="Li et al. 2022, AirNet, CVPR: one network for several unknown corruptions")
def mixture(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    of: tuple[Choice, ...] = RAIN_HAZE_NOISE,
    apply: Literal["one", "all"] = "one",
) -> Pixels:
    """Several degradations: one of them for each image, or all of them in turn.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        of: The degradations, each with its own knobs.
        apply: one draws one of them for every image, all equally likely; all applies each to the
            result of the one before.

    Raises:
        ValueError: `of` is empty, or a degradation in it refuses its knobs.
    """
    if not of:
        known = ", ".join(name for name in degradations if name not in ("mixture", "given"))
        raise ValueError(f"of must name at least one degradation; got of=() (known: {known})")
    if apply == "one":
        return apply_degradation(of[int(rng.integers(len(of)))], clean, rng)
    for choice in of:
        clean = apply_degradation(choice, clean, rng)
    return clean


@register(source="none: the data holds the degraded images")
def given(clean: Pixels, rng: np.random.Generator) -> Pixels:
    """Nothing: for data that comes as pairs of a degraded and a clean image."""
    del rng
    return clean
