"""Which mixes others beat, and which with confidence, where only few seeds tell them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from ablate.searches.schedule import SearchPlan
from ablate.searches.space import Seen
from reports.analysis.statistics import Numbers, t_quantile

LEVEL = 0.95  # of the claim that a mix is beaten; one-sided


def goals_of(rows: Sequence[Seen], plan: SearchPlan) -> Numbers:
    """(rows, goals): the objectives, turned so that lower is better; NaN where one is unknown."""
    signs = [-1.0 if goal.better == "higher" else 1.0 for goal in plan.goals]
    values = [[row.values.get(goal.name, math.nan) for goal in plan.goals] for row in rows]
    return np.array(values, dtype=float).reshape(len(rows), len(plan.goals)) * signs


def beaten_by(costs: Numbers) -> list[int]:
    """How many others dominate each: as good in every goal and better in one.

    Source: Fonseca and Fleming 1993, Pareto rank less 1. What is unknown (NaN) beats nothing; a
    row that lacks a value ranks behind all that lack none.

    Args:
        costs: (rows, goals), lower is better.
    """
    unknown = [any(map(math.isnan, cost)) for cost in costs.tolist()]
    counts = []
    for at, cost in enumerate(costs):
        better = (costs <= cost).all(axis=1) & (costs < cost).any(axis=1)
        counts.append(len(costs) if unknown[at] else int(better.sum()))
    return counts


def scores_of(rows: Sequence[Seen], metric: str) -> Numbers:
    """(rows, seeds): what was measured with each seed; NaN where a mix has not had it."""
    seeds = sorted({seed for row in rows for seed in row.scores.get(metric, {})})
    values = [[row.scores.get(metric, {}).get(seed, math.nan) for seed in seeds] for row in rows]
    return np.array(values, dtype=float).reshape(len(rows), len(seeds))


class Margins:
    """By how much one mix must lead another for the lead to be claimed.

    Means over the same n seeds differ by chance by t s sqrt(2 / n): s is the standard deviation
    of one seed's value beside what its mix and its seed add, the same for all mixes, and t is
    Student's of the degrees of freedom behind it. Between mixes that lost different seeds nothing
    is claimed. Costs carry a standard error of their own; where it is 0, counted costs, any lead
    counts. With k others that cost no more, and so could beat a mix by luck, t is taken at
    1 - 0.05 / k (Bonferroni), so that a mix that nobody beats is called beaten in at most one case
    of twenty.

    Args:
        rows: The mixes that are compared, at one rung.
        plan: Goals, and which of them are measured by seed.
        spread: For each of those the standard deviation between seeds and its degrees of freedom.
    """

    def __init__(
        self, rows: Sequence[Seen], plan: SearchPlan, spread: dict[str, tuple[float, int]]
    ) -> None:
        self.n = np.array([max(row.n, 1) for row in rows], dtype=float)
        self.spread = [spread.get(g.name) if g.name in plan.by_seed else None for g in plan.goals]
        self.errors = np.array(
            [[row.errors.get(goal.name, 0.0) for goal in plan.goals] for row in rows], dtype=float
        ).reshape(len(rows), len(plan.goals))
        self.by_seed = [goal.name in plan.by_seed for goal in plan.goals]

    def of(self, at: int, rivals: int) -> Numbers:
        """(rows, goals): what every row must lead row `at` by; infinite where nobody can say.

        Args:
            at: Which row.
            rivals: How many others cost no more than it.
        """
        tail = 1.0 - (1.0 - LEVEL) / 2 ** math.ceil(math.log2(max(rivals, 1)))  # few quantiles
        columns = [self._column(at, goal, tail) for goal in range(len(self.by_seed))]
        return np.stack(columns, axis=1)

    def _column(self, at: int, goal: int, tail: float) -> Numbers:
        errors = self.errors[:, goal]
        if not self.by_seed[goal]:
            margins: Numbers = NormalDist().inv_cdf(tail) * np.hypot(errors, errors[at])
            return margins
        sd, degrees = self.spread[goal] or (math.nan, 0)
        if not degrees:
            return np.full(len(self.n), math.inf)
        margin = t_quantile(tail, degrees) * sd * math.sqrt(2.0 / self.n[at])
        return np.where(self.n == self.n[at], margin, math.inf)


def surely_beaten(
    rows: Sequence[Seen], plan: SearchPlan, spread: dict[str, tuple[float, int]]
) -> list[bool]:
    """Which rows another one dominates with confidence.

    The other leads in every goal by the margin of `Margins`, which needs no correction for several
    goals (each of them must be claimed), and really leads in one; equal costs of mixes are equal.
    """
    costs, margins = goals_of(rows, plan), Margins(rows, plan, spread)
    by_seed = np.array(margins.by_seed)
    beaten = []
    for at, cost in enumerate(costs):
        lead = cost - costs  # NaN where one is unknown: no lead
        rivals = int((lead[:, ~by_seed] >= 0.0).all(axis=1).sum()) - 1  # it is among them
        enough = (lead >= margins.of(at, rivals)) | (~by_seed & (lead == 0.0))
        beaten.append(bool((enough.all(axis=1) & (lead > 0.0).any(axis=1)).any()))
    return beaten
