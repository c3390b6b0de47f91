"""The learning rate at each step, and the steps at which the validation set is scored."""

from __future__ import annotations

import math

from ablate.mix import Training


def rate_at(step: int, settings: Training) -> float:
    """The learning rate of a step, counted from 0.

    Rises linearly over the warm-up and reaches `rate` at its last step, holds it for the
    constant part if the schedule has one, then falls on half a cosine to `final_rate`, reached
    at the last step.
    """
    warmup = round(settings.warmup * settings.steps)
    if step < warmup:
        return settings.rate * ((step + 1) / warmup)  # exactly the peak at its end
    holds = settings.schedule == "constant_then_cosine"
    held = round(settings.constant * settings.steps) if holds else 0
    start = max(warmup + held - 1, 0)  # the last step at the peak
    if step <= start:
        return settings.rate
    fallen = (step - start) / (settings.steps - 1 - start)
    drop = settings.rate - settings.final_rate
    return settings.final_rate + drop * (1 + math.cos(math.pi * fallen)) / 2


def validation_steps(settings: Training) -> frozenset[int]:
    """After how many steps the validation set is scored: evenly spread, the last after the last."""
    times = min(settings.validate, settings.steps)
    return frozenset(round(i * settings.steps / times) for i in range(1, times + 1))
