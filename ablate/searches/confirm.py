"""In the end the front is trained with more seeds, until all that are on it have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ablate.searches.dominance import goals_of, scores_of
from ablate.searches.schedule import SearchPlan
from ablate.searches.space import Proposal, Seen
from reports.analysis.pareto import front
from reports.analysis.seeds import levelled
from reports.analysis.statistics import Numbers


def confirmations(seen: Sequence[Seen], plan: SearchPlan) -> list[Proposal]:
    """Mixes on the front of all whole trainings that are still to get their further seeds.

    A mix that looked good by the luck of its first seeds falls back, and others may come forward:
    they are confirmed in the next round. Each mix is asked for once, so that it ends.

    Args:
        seen: All rows; the last one of a mix counts, with all its seeds.
        plan: Goals, seeds and `confirm`.
    """
    if plan.schedule.confirm <= plan.seeds:
        return []
    whole = [row for row in seen if not row.rung]
    last = list({row.key: row for row in whole if row.status == "done"}.values())
    times = Counter(row.key for row in whole)  # twice: its further seeds were asked for
    if not last:
        return []
    costs = goals_of(last, plan)
    for at, goal in enumerate(plan.goals):
        if goal.name in plan.by_seed:  # over all seeds, and as if all mixes had the same
            sign = -1.0 if goal.better == "higher" else 1.0
            costs[:, at] = sign * _means(levelled(scores_of(last, goal.name)))
    on_front = front(costs, ["lower"] * costs.shape[1]) if costs.shape[1] else np.zeros(len(last))
    return [
        Proposal(row.point, seeds=plan.schedule.confirm)
        for row, best in zip(last, on_front, strict=True)
        if best and times[row.key] < 2 and row.trials < plan.schedule.confirm
    ]


def _means(values: Numbers) -> Numbers:
    """Mean of each row over the seeds that it has; NaN where it has none."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0.0).sum(axis=1)
    means: Numbers = np.where(
        present.any(axis=1), sums / np.maximum(present.sum(axis=1), 1), np.nan
    )
    return means
