"""What to train next: a strategy's mixes, taken from rung to rung, until the search is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablate.searches.confirm import confirmations
from ablate.searches.rungs import promotions, seeds_of_new
from ablate.searches.schedule import SearchPlan, furthest
from ablate.searches.space import Point, Proposal, Seen, Space, propose
from ablate.searches.stopping import (
    Spent,
    most_at_once,
    time_is_up,
    trials_begun,
    why_to_stop,
)


def proposals(
    space: Space, seen: Sequence[Seen], plan: SearchPlan, spent: Spent | None = None
) -> list[Proposal]:
    """The next batch: the search's, and when that is over the front's further seeds.

    A pure function: the same rows give the same batch. Empty when there is no more to do.

    Args:
        space: What may be proposed.
        seen: A row for every mix and rung that was trained, in the order of the proposals.
        plan: Strategy, goals, rungs and rules.
        spent: Time so far; none where no rule asks for it.
    """
    return search_on(space, seen, plan, spent) or confirmations(seen, plan)


def search_on(
    space: Space, seen: Sequence[Seen], plan: SearchPlan, spent: Spent | None = None
) -> list[Proposal]:
    """The next batch of the search itself: first what rests and goes on, then new mixes.

    Raises:
        NothingToTry: Nothing was tried yet, and nothing is proposed.
        ValueError: The strategy cannot work for this study.
    """
    spent = spent or Spent()
    if not time_is_up(plan.stop, spent):
        found = promotions(seen, plan)
        if found:
            return found
    if why_over(seen, plan, spent):
        return []
    points = propose(space, furthest(seen), plan.search)
    return list(_affordable(points[: most_at_once(plan.stop, plan.seeds)], seen, plan))


def why_over(seen: Sequence[Seen], plan: SearchPlan, spent: Spent | None = None) -> str:
    """Which rule ended the search, in words; empty where none did."""
    return why_to_stop(seen, plan.stop, spent or Spent(), plan.goals, plan.seeds)


def cut_short(space: Space, seen: Sequence[Seen], plan: SearchPlan) -> str:
    """Which rule ended the search before its strategy was through; empty where it was."""
    reason = why_over(seen, plan)
    return reason if reason and propose(space, furthest(seen), plan.search) else ""


def _affordable(
    points: Sequence[Point], seen: Sequence[Seen], plan: SearchPlan
) -> Iterator[Proposal]:
    """New mixes, as many as the budget of trials has room for."""
    begun, known = trials_begun(seen, plan.seeds), len({row.key for row in seen})
    for at, point in enumerate(points):
        seeds = seeds_of_new(known + at, plan)
        room = plan.stop.trials - begun if plan.stop.trials else seeds or plan.seeds
        if room < plan.seeds:
            return
        seeds = min(seeds, room)
        begun += seeds or plan.seeds
        yield Proposal(point, until=plan.schedule.first, seeds=seeds)
