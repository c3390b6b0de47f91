"""What the constraints of a study leave of it, found before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ablate.amounts import amount
from ablate.composition.counting import COUNTED, Setting, counted
from ablate.composition.finding import command, load
from ablate.composition.pointwise import FEW, Pointwise, counter, predicted
from ablate.composition.predicting import latency_quantity, uncovered
from ablate.composition.skeletons import Skeleton, chosen_by, skeletons
from ablate.composition.tables import Array, Grid, Quantity
from ablate.constraints import Constraint, Size
from ablate.latency_model.model import LatencyModel
from ablate.latency_model.storage import ModelError
from ablate.searches import Constrained, Point
from ablate.study import Study

SURVEYED = 20_000_000  # points of a study that are priced to say how many are left

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Left:
    """How much of a study its constraints leave.

    Args:
        points: How many points there are.
        allowed: How many of them keep to all constraints.
        best: For each constraint, the value that comes closest to keeping it, over all points.
    """

    points: int
    allowed: int
    best: Mapping[Constraint, float]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The constraints of a study with all that is needed to judge any of its points.

    Args:
        study: What is asked.
        grid: Prices all its points; quantities are named by `name_of`.
        models: Latency models by size, where latency is bound.
    """

    study: Study
    grid: Grid | Pointwise
    models: Mapping[Size, LatencyModel]

    def allows(self, point: Point) -> bool:
        """Whether a mix is known to keep to all constraints: one without a price is not."""
        return bool(self._kept(self.grid.at([point]))[0])

    def excess(self, point: Point) -> float:
        """By how much a mix breaks its constraints, relative to each; 1 for an unknown price."""
        values, total = self.grid.at([point]), 0.0
        for one in self.study.constraints:
            value = float(values[self._name(one)][0])
            over = (value / one.bound - 1) * (1 if one.sign == "<=" else -1)
            total += max(over, 0.0) if np.isfinite(value) else 1.0
        return total

    def space(self) -> Constrained:
        """The study for a strategy, without what breaks a constraint."""
        return Constrained(self.study, self.allows, self.excess)

    @cached_property
    def left(self) -> Left | None:
        """How much is left; None where there are too many points to look at each."""
        if self.study.size > (FEW if isinstance(self.grid, Pointwise) else SURVEYED):
            return None
        allowed, best = 0, dict[Constraint, float]()
        for priced in self.grid.prices():
            allowed += int(self._kept(priced.values).sum())
            for one in self.study.constraints:
                values = priced.values[self._name(one)]
                best[one] = _best(one, np.array([_best(one, values), best.get(one, np.nan)]))
        return Left(points=self.study.size, allowed=allowed, best=best)

    @property
    def words(self) -> str:
        """What is left, and how sure that is, in one line."""
        bounds = " and ".join(one.text for one in self.study.constraints)
        left = self.left
        count = f"{left.allowed:,} of {left.points:,} points" if left else "those points"
        return f"{count} keep to {bounds}{self._trust()}"

    def require_some(self) -> None:
        """See that something is left to try.

        Raises:
            ModelError: Nothing is; the message says how near the nearest mix comes.
        """
        if self.left is None or self.left.allowed:
            return
        near = ", ".join(
            f"{one.text} (the {'least' if one.sign == '<=' else 'most'} is "
            f"{amount(one.quantity, value) if np.isfinite(value) else 'not known'})"
            for one, value in self.left.best.items()
        )
        raise ModelError(f"{self.study.name}: no mix keeps to its constraints: {near}")

    def _kept(self, values: Mapping[str, Array]) -> np.ndarray:
        met = [one.met(values[self._name(one)]) for one in self.study.constraints]
        kept: np.ndarray = np.logical_and.reduce(met)
        return kept

    def _name(self, constraint: Constraint) -> str:
        return name_of(constraint.quantity, constraint.size or self.study.profile.size[0])

    def _trust(self) -> str:
        if not self.models:
            return ""
        error = max(model.error for model in self.models.values())
        return f" (latency is predicted, with errors of up to {100 * error:.1f} %)"


def name_of(quantity: str, size: Size) -> str:
    """What a quantity is called among those of a grid: latency@256x256."""
    return f"{quantity}@{size[0]}x{size[1]}"


def limits(
    study: Study,
    folders: Sequence[Path],
    device: str,
    report: Report = lambda phase, done, total: None,
) -> Limits | None:
    """Everything that the study's constraints need; None where it has none.

    Latency needs a model that was measured on this machine: it is not made here, because it
    takes minutes in which nothing else should run.

    Args:
        study: What is asked.
        folders: Where a latency model may lie, the first that has one counts.
        device: cpu or cuda.
        report: Told the phase, what is done of it and of how much.

    Raises:
        ModelError: A latency model is missing, of another machine or device, or does not cover
            the study.
        CompositionError: The study joins stages in too many ways.
    """
    _require_footing(study, device)
    if not study.constraints:
        return None
    found = skeletons(replace(study, footing=None))
    models = {size: load(study, size, folders, device) for size in _sizes(study, ("latency",))}
    for size, model in models.items():
        if wrong := next(uncovered(found, model), ""):
            again = command(study, size, device)
            why = f"its latency model is outside its range: {wrong}"
            raise ModelError(f"{study.name}: {why}; {again}")
    if study.footing:
        return Limits(study=study, grid=_pointwise(study, models), models=models)
    quantities = {
        name_of("latency", size): latency_quantity(study, found, model)
        for size, model in models.items()
    }
    for size in _sizes(study, COUNTED):
        quantities |= _counted(study, found, size, report)
    return Limits(study=study, grid=Grid(study, quantities), models=models)


def _require_footing(study: Study, device: str) -> None:
    """See that mixes are on equal footing on the device that the run is on."""
    solved = study.footing_device
    if solved and solved != device:
        raise ModelError(
            f"{study.name}: equal_model predicts latency on {solved}, and the run is on {device}; "
            f"add --device {solved}, or {command(study, study.profile.size[0], device)}"
        )


def _pointwise(study: Study, models: Mapping[Size, LatencyModel]) -> Pointwise:
    """Every mix has widths of its own, so that each is priced by itself."""
    prices = {name_of("latency", size): predicted(model) for size, model in models.items()}
    for size in _sizes(study, COUNTED):
        setting = Setting(size=size, profile=study.profile)
        prices |= {name_of(name, size): counter(name, setting) for name in _names(study, size)}
    return Pointwise(study, prices)


def _sizes(study: Study, quantities: Sequence[str]) -> list[Size]:
    """At which sizes constraints speak of one of these."""
    first = study.profile.size[0]
    speaking = (one for one in study.constraints if one.quantity in quantities)
    return list(dict.fromkeys(one.size or first for one in speaking))


def _names(study: Study, size: Size) -> list[str]:
    """What is counted at a size."""
    first = study.profile.size[0]
    bound = {one.quantity for one in study.constraints if (one.size or first) == size}
    return [name for name in COUNTED if name in bound]


def _counted(
    study: Study, found: Sequence[Skeleton], size: Size, report: Report
) -> dict[str, Quantity]:
    by, setting = chosen_by(tuple(found)), Setting(size=size, profile=study.profile)
    quantities = counted(
        study,
        found,
        _names(study, size),
        by,
        setting,
        lambda done, total: report("constraints", done, total),
    )
    return {name_of(name, size): quantity for name, quantity in quantities.items()}


def _best(constraint: Constraint, values: Array) -> float:
    """The value that comes closest to keeping a bound; NaN where none is known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan")
    return float(known.min() if constraint.sign == "<=" else known.max())
