"""What is wrong with the settings of a training, said before anything is trained."""

from __future__ import annotations

import math

from ablate.mix import Training
from ablate.training.losses import losses
from blocks import UnknownName


def problems(settings: Training) -> tuple[str, ...]:
    """One line for each setting that cannot work, naming the setting; empty where all is well."""
    return (*_least(settings), *_fractions(settings), *_rates(settings), *_losses(settings))


def _least(settings: Training) -> list[str]:
    least = {
        "steps": (settings.steps, 1),
        "batch": (settings.batch, 1),
        "crop": (settings.crop, 1),
        "validate": (settings.validate, 0),
        "probe": (settings.probe, 1),
    }
    return [
        f"{name} must be at least {bound}; got {value}"
        for name, (value, bound) in least.items()
        if value < bound
    ]


def _fractions(settings: Training) -> list[str]:
    shares = {"warmup": settings.warmup, "constant": settings.constant}
    found = [
        f"{name} must be a fraction from 0 to 1; got {value}"
        for name, value in shares.items()
        if not 0 <= value <= 1
    ]
    decays = [("ema", settings.ema), *(("betas", beta) for beta in settings.betas)]
    return found + [
        f"{name} must be at least 0 and below 1; got {value}"
        for name, value in decays
        if not 0 <= value < 1
    ]


def _rates(settings: Training) -> list[str]:
    found = []
    if not 0 < settings.rate < math.inf:
        found.append(f"rate must be above 0; got {settings.rate}")
    if not all(0 < rate < math.inf for rate in settings.rates):
        found.append(f"each of rates must be above 0; got {settings.rates}")
    if not 0 <= settings.final_rate <= settings.rate:
        found.append(
            f"final_rate must be from 0 to rate; "
            f"got final_rate={settings.final_rate}, rate={settings.rate}"
        )
    for name in ("weight_decay", "clip"):
        value = getattr(settings, name)
        if not 0 <= value < math.inf:
            found.append(f"{name} must be at least 0; got {value}")
    return found


def _losses(settings: Training) -> list[str]:
    found = [] if settings.loss else ["loss must name at least one loss; got none"]
    for name, weight in settings.loss:
        try:
            losses[name]
        except UnknownName as error:
            found.append(str(error))
        if not 0 < weight < math.inf:
            found.append(f"the weight of loss '{name}' must be above 0; got {weight}")
    if not all(0 <= weight < math.inf for weight in settings.scale_weights):
        found.append(f"scale_weights must be at least 0; got {settings.scale_weights}")
    if not sum(settings.scale_weights):
        found.append(f"scale_weights must not all be 0; got {settings.scale_weights}")
    return found
