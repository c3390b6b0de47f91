"""Optuna as a source of suggestions: asked anew for each batch, told all that was tried before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ablate.searches.space import Point, Seen, Space
from ablate.searches.weighing import Weighed, weigh

BEYOND = "beyond"  # the constraint value: how far a mix is beyond what it must keep to
GENERATION = "generation"


def by_tpe(space: Space, rows: Sequence[Seen], startup: int, seed: int) -> Iterator[Point]:
    """Points that the tree-structured Parzen estimator suggests, without end.

    Args:
        space: Where they lie.
        rows: What was tried.
        startup: How many mixes it must know before it does more than draw.
        seed: Fixes what is drawn.
    """
    sampler = TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True, multivariate=True)
    return _suggestions(space, rows, sampler, lambda position: 0)


def by_nsga2(space: Space, rows: Sequence[Seen], batch: int, seed: int) -> Iterator[Point]:
    """Points that NSGA-II suggests for the generation after these, without end.

    Args:
        space: Where they lie.
        rows: What was tried: whole generations, in their order.
        batch: The size of a generation.
        seed: Fixes what is drawn.
    """
    sampler = _Generations(len(rows) // batch, population_size=batch, seed=seed)
    return _suggestions(space, rows, sampler, lambda position: position // batch)


class _Generations(NSGAIISampler):
    """NSGA-II whose generations are the batches that were tried, whatever became of their mixes."""

    def __init__(self, current: int, *, population_size: int, seed: int) -> None:
        super().__init__(population_size=population_size, seed=seed)
        self._current, self._members = current, dict[int, list[FrozenTrial]]()

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return self._current

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        return self._members.get(generation, [])

    def select_parent(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        parents: list[FrozenTrial] = super().select_parent(study, generation)
        return parents if len(parents) > 1 else []  # one alone cannot be crossed

    def select(self, study: optuna.Study) -> None:
        """Select the parents of each generation in turn: they follow from those before."""
        for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            self._members.setdefault(trial.user_attrs[GENERATION], []).append(trial)
        for generation in range(1, self._current + 1):
            self.get_parent_population(study, generation)


def _suggestions(
    space: Space, rows: Sequence[Seen], sampler: BaseSampler, generation: Callable[[int], int]
) -> Iterator[Point]:
    """Ask without end. What was asked stays open, which keeps TPE from asking it again."""
    weighed = weigh(space, rows, least=len(space.axes) + 1)
    ways = {"higher": StudyDirection.MAXIMIZE, "lower": StudyDirection.MINIMIZE}
    directions = [ways[goal.better] for goal in weighed.goals] or [StudyDirection.MINIMIZE]
    with _silent():
        study = optuna.create_study(directions=directions, sampler=sampler)
    study.add_trials(_told(space, rows, weighed, generation))
    if isinstance(sampler, _Generations):
        sampler.select(study)
    distributions = _distributions(space)
    while True:
        trial = study.ask(distributions)
        point = tuple(trial.params[name] for name in distributions)
        excess = space.excess(point)
        if excess > 0:
            trial.set_constraint(BEYOND, excess)
            study.tell(trial, [0.0] * len(directions))  # never compared: it is not feasible
        yield point


def _told(
    space: Space, rows: Sequence[Seen], weighed: Weighed, generation: Callable[[int], int]
) -> list[FrozenTrial]:
    """The rows as Optuna's trials; those without numbers as failed ones."""
    distributions = _distributions(space)
    told = []
    for position, (row, values) in enumerate(zip(rows, weighed.values, strict=True)):
        told.append(
            create_trial(
                state=TrialState.FAIL if values is None else TrialState.COMPLETE,
                values=values,
                params=dict(zip(distributions, row.point, strict=True)),
                distributions=distributions,
                user_attrs={GENERATION: generation(position)},
                constraints={BEYOND: 0.0},
            )
        )
    return told


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    return {
        f"axis {number}": CategoricalDistribution(tuple(range(len(axis.labels))))
        for number, axis in enumerate(space.axes)
    }


@contextmanager
def _silent() -> Iterator[None]:
    """Without Optuna's announcements."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
