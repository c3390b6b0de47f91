"""Rungs: trainings rest at fixed steps, and what another mix beats with confidence goes no further.

Synchronous successive halving (Jamieson and Talwalkar 2016) with two changes: mixes are ranked by
Pareto dominance over all objectives, and one that would be cut is kept as long as nothing beats it
with confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.searches.dominance import beaten_by, goals_of, scores_of, surely_beaten
from ablate.searches.schedule import SearchPlan, furthest
from ablate.searches.space import Proposal, Seen
from reports.analysis.seeds import scatter

# Where each mix has one seed nothing says how far seeds scatter: the first few mixes show it.
REPLICATED = 8  # mixes
REPLICATES = 2  # seeds of each, at the first rung: 7 degrees of freedom


def promotions(seen: Sequence[Seen], plan: SearchPlan) -> list[Proposal]:
    """The resting mixes that go on, each to its next rung or, after the last one, to its end.

    A pure function of the rows: of the mixes that ever rested at a rung, `keep` at least go on,
    and so does every other that is not beaten with confidence. A mix that was left behind may be
    taken up later, when more mixes have come to its rung and more of them are kept.
    """
    now = {row.key: row for row in furthest(seen)}
    found = []
    for rung in plan.schedule.rungs:
        rows = at_rung(seen, rung)
        going = going_on(rows, plan, spread_at(seen, rung, plan))
        found += [
            Proposal(row.point, until=plan.schedule.after(rung))
            for row in going
            if now[row.key].rung == rung and now[row.key].status == "partial"
        ]
    return found


def at_rung(seen: Sequence[Seen], rung: int) -> list[Seen]:
    """What rested at a rung, wherever it is now: a row for each mix, the last of several."""
    rows = {row.key: row for row in seen if row.rung == rung and row.status == "partial"}
    return list(rows.values())


def going_on(
    rows: Sequence[Seen], plan: SearchPlan, spread: dict[str, tuple[float, int]]
) -> list[Seen]:
    """Those of the mixes at one rung that are good enough, or not surely worse than another."""
    if not rows:
        return []
    ranks = beaten_by(goals_of(rows, plan))
    fewest = math.ceil(plan.schedule.keep * len(rows) - 1e-9)
    last = sorted(ranks)[max(fewest, 1) - 1]  # equals of the last one that is kept are kept too
    beaten = surely_beaten(rows, plan, spread)
    return [
        row
        for row, rank, surely in zip(rows, ranks, beaten, strict=True)
        if rank <= last or not surely
    ]


def spread_at(seen: Sequence[Seen], rung: int, plan: SearchPlan) -> dict[str, tuple[float, int]]:
    """Standard deviation of one seed's value in each goal, with its degrees of freedom.

    Of the mixes at the rung itself, where some have several seeds there; else of the nearest rung
    before it, where trainings were less far and as a rule scattered more.
    """
    before = [other for other in reversed(plan.schedule.rungs) if other <= rung]
    known = [at_rung(seen, other) for other in before]
    found: dict[str, tuple[float, int]] = {}
    for name in plan.by_seed:
        scatters = (scatter(scores_of(rows, name)) for rows in known)
        found[name] = next((one for one in scatters if one[1]), (math.nan, 0))
    return found


def seeds_of_new(at: int, plan: SearchPlan) -> int:
    """Seeds of the mix that is proposed `at`-th (from 0); 0 for those of the study."""
    lone = plan.seeds == 1 and bool(plan.schedule.rungs)
    return REPLICATES if lone and at < REPLICATED else 0
