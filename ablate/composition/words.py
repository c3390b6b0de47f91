"""A latency model in words: what was measured, how well it predicts, what it says of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ablate.composition.making import Survey
from ablate.composition.pointwise import Pointwise
from ablate.composition.tables import Grid
from ablate.console.words import duration
from ablate.latency_model.fitting import CONSTANT, RELAID, REST, SUM, Interval
from ablate.latency_model.model import LatencyModel

_TERMS = {
    SUM: "{:.3f} x (stages and what is around them)",
    REST: "{:+.3f} x what is around them",
    RELAID: "{:+.2f} ns for each element handed on in another memory layout",
    CONSTANT: "{:+.3f} ms",
}
_SCALES = {RELAID: 1e9, CONSTANT: 1e3}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Predicted seconds over a study.

    Args:
        points: How many there are.
        priced: How many of them the model covers.
        least: Of those.
        most: Of those.
    """

    points: int
    priced: int
    least: float
    most: float


def range_of(grid: Grid | Pointwise, name: str) -> Range:
    """The predictions for all points, without keeping them."""
    points = priced = 0
    least, most = np.inf, -np.inf
    for chunk in grid.prices():
        values = chunk.values[name]
        known = values[np.isfinite(values)]
        points += len(values)
        priced += len(known)
        if len(known):
            least, most = min(least, known.min()), max(most, known.max())
    return Range(points=points, priced=priced, least=float(least), most=float(most))


def begun(surveyed: Survey, seconds: float | None) -> str:
    """What will be timed and how long that takes, before it is begun."""
    networks = {network for _, _, network in surveyed.wholes} | set(surveyed.bases.values())
    text = f"{len(surveyed.parts)} parts and {len(networks)} whole networks are timed together"
    return text if seconds is None else f"{text}, in about {duration(seconds)}"


def lines(model: LatencyModel, found: Range | None, path: str) -> Iterator[str]:
    """The account that people read; none is found where there were too many points to price."""
    parts = "stages" if model.by == "stage" else "blocks"
    fitted = [whole for whole in model.wholes if whole.role == "fitted"]
    yield (
        f"latency model of {model.study} at {model.mode}: {len(model.parts)} {parts} by "
        f"themselves, {len(model.frames)} base and {len(model.wholes)} whole networks"
    )
    yield f"on {conditions(model.fingerprint)}"
    terms = [
        _TERMS[name].format(value * _SCALES.get(name, 1))
        for name, value in model.fit.coefficients.items()
    ]
    yield f"fitted to {len(fitted)}: latency = {' '.join(terms)}"
    yield f"left-out error of the fit {_percent(model.fit.left_out)}"
    if check := model.check:
        yield (
            f"on {check.n} networks that it had not seen: MAPE {_percents(check.mape)}, "
            f"worst {_percent(check.worst)}, Kendall tau {_interval(check.tau)}"
        )
    for part, reason in model.dropped.items():
        yield f"{part.words} could not be measured and has no price: {reason}"
    if found:
        yield _priced(found)
    yield f"saved: {path}"


def conditions(fingerprint: Mapping[str, str]) -> str:
    """On what a model was measured, in words."""
    told = ("processor", "threads", "torch", "scan", "run", "precision")
    return ", ".join(
        fingerprint[name] if name == "processor" else f"{name} {fingerprint[name]}"
        for name in told
        if fingerprint.get(name)
    )


def _priced(found: Range) -> str:
    """How much of the study can be priced, and how wide it spreads."""
    if not found.priced:
        return "no mix of the study can be priced"
    outside = found.points - found.priced
    beyond = f"; {outside:,} are outside the range of what was measured" if outside else ""
    return (
        f"prices {found.priced:,} of {found.points:,} points: {1e3 * found.least:.3g} to "
        f"{1e3 * found.most:.3g} ms{beyond}"
    )


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _percents(interval: Interval) -> str:
    return f"{_percent(interval.value)} ({100 * interval.low:.2f} to {100 * interval.high:.2f})"


def _interval(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
