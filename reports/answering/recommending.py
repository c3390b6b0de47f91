"""The mix for each budget of one cost: who wins, how surely, and who would do as well."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.analysis.budgets import budgets, fewer_steps, win_shares, winner
from reports.analysis.paired import Paired, beaten_by_best, paired
from reports.analysis.pareto import Mask
from reports.analysis.seeds import most_seeds, scatter
from reports.analysis.statistics import Numbers
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric, scale
from reports.numbers.named import Named, named
from reports.numbers.objectives import Weighed, weighed
from reports.numbers.units import TIE, Scale, percent

MOST = 5  # budgets of one cost
NAMED = 2  # rivals that are named
CLOSE = (
    1.05  # a step of the front that costs less than 5 % more than another is no step for a budget
)
ROUNDING = 1.0 + 1e-11  # so that a mix that costs just as much is within its budget


@dataclass(frozen=True)
class Line:
    """The mix for one budget.

    Args:
        budget: "under 5 ms", "up to 5 ms" where the mix costs just as much, or "any".
        best: The mix with the best mean that fits.
        quality: Its quality.
        cost: Its cost.
        behind: What it lacks to the best mix of all, with its 95 % interval; "" for that one.
        wins: How often it wins when seeds and timings are drawn again; "" where that is unknown.
        rivals: Others that fit and can't be told from it, the cheapest first; the first few.
        more: How many more there are.
        seeds: Whether there are seeds enough to tell any two mixes apart.
    """

    budget: str
    best: Named
    quality: str
    cost: str
    behind: str
    wins: str
    rivals: tuple[Named, ...]
    more: int
    seeds: bool

    @property
    def as_good(self) -> str:
        """The rivals in words."""
        if not self.seeds:
            return "too few seeds to tell"
        if not self.rivals:
            return "none"
        names = ", ".join(each.letter or each.label for each in self.rivals)
        return f"{names} and {self.more} more" if self.more else names


@dataclass(frozen=True)
class Costly:
    """The budgets of one cost.

    Args:
        cost: Heading of the cost.
        quality: Heading of the quality.
        lines: From the smallest budget on.
        left_out: Steps of the front that have no budget of their own here.
    """

    cost: str
    quality: str
    lines: tuple[Line, ...]
    left_out: int


@dataclass(frozen=True)
class _Case:
    """Everything that lines of one cost are made of; scores are accuracies, higher is better.

    Args:
        metrics: Names of the quality and the cost.
        mixes: That have both.
        scores: (mixes,).
        costs: (mixes,).
        drawn: Scores and costs drawn again, (draws, some of the mixes) each; None without draws.
        seeds: (mixes, seeds) the quality.
        noise: Scatter of the seeds, and its degrees of freedom.
    """

    metrics: tuple[str, str]
    mixes: Weighed
    scores: Numbers
    costs: Numbers
    drawn: tuple[Numbers, Numbers] | None
    seeds: Numbers
    noise: tuple[float, int]


def by_cost(found: Found, cost: str) -> Costly | None:
    """The mix for each budget of one cost; None where no mix has both."""
    case = _case(found, (quality_metric(found), cost))
    if case is None:
        return None
    steps = _steps(case)
    limits = _limits(found, case, steps)
    kept = fewer_steps([float(case.scores[at]) for at in steps], MOST)
    to_best = paired(case.seeds, steps[-1], case.noise)
    lines = tuple(_line(found, case, limits[at], to_best) for at in kept)
    gained, spent = (scale(found, name).heading for name in case.metrics)
    return Costly(spent, gained, lines, len(steps) - len(kept))


def _case(found: Found, metrics: tuple[str, str]) -> _Case | None:
    """None where no mix has both, or a cost is not positive."""
    mixes = weighed(found, metrics) if metrics[0] != metrics[1] else None
    if mixes is None or not (mixes.points[:, 1] > 0).all():
        return None
    sign = 1.0 if mixes.directions[0] == "higher" else -1.0
    seeds = found.seeds(metrics[0])[mixes.rows].to_numpy(dtype=float)
    drawn = None
    if mixes.redrawn is not None:
        drawn = (sign * mixes.redrawn.values[..., 0], mixes.redrawn.values[..., 1].copy())
    scores, costs = sign * mixes.points[:, 0], mixes.points[:, 1]
    return _Case(metrics, mixes, scores, costs, drawn, seeds, scatter(seeds))


def _steps(case: _Case) -> list[int]:
    """The mixes of the front, the cheapest first, the best of those that cost about as much."""
    at = np.flatnonzero(case.mixes.on_front)
    order = at[np.lexsort((-case.scores[at], case.costs[at]))]
    kept: list[int] = []
    for each in order[::-1].tolist():
        if not kept or case.costs[each] * CLOSE <= case.costs[kept[-1]]:
            kept.append(each)
    return kept[::-1]


def _limits(found: Found, case: _Case, steps: list[int]) -> list[float]:
    """A budget in raw units for each step of the staircase."""
    cost, keys = case.metrics[1], [case.mixes.mixes[at] for at in steps]
    factor = scale(found, cost).factor
    costs = [found.number(key, cost) / factor for key in keys]
    ends = [
        [found.number(key, f"{cost}{end}") / factor for key in keys] for end in ("_low", "_high")
    ]
    low, high = (
        [middle if math.isnan(end) else end for end, middle in zip(side, costs, strict=True)]
        for side in ends
    )
    return [limit * factor * ROUNDING for limit in budgets(costs, low, high)]


def _line(found: Found, case: _Case, limit: float, to_best: Paired) -> Line:
    at = winner(case.scores, case.costs, limit)
    assert at is not None  # the step that the budget was made for
    shown, spent = (scale(found, name) for name in case.metrics)
    fits = np.flatnonzero(case.costs <= limit)
    own, most = int(np.searchsorted(fits, at)), most_seeds(case.seeds)
    gaps = paired(case.seeds[fits], own, case.noise, most)
    alike = fits[~_claimed(gaps, fits == at) & (fits != at)]
    alike = alike[np.argsort(case.costs[alike], kind="stable")]
    return Line(
        budget=_budget(limit, float(case.costs[at]), spent),
        best=named(found, case.mixes.mixes[at]),
        quality=shown.number(float(case.mixes.points[at, 0])),
        cost=spent.number(float(case.costs[at])),
        behind=_behind(shown, to_best, at),
        wins=_wins(case, limit, at),
        rivals=tuple(named(found, case.mixes.mixes[each]) for each in alike[:NAMED]),
        more=max(len(alike) - NAMED, 0),
        seeds=bool(gaps.claimable[fits != at].any()) or len(fits) == 1,
    )


def _budget(limit: float, cost: float, spent: Scale) -> str:
    """Under 5 ms; up to 5 ms where the mix costs just as much."""
    if math.isinf(limit):
        return "any"
    below = "under" if cost < limit * (1.0 - 1e-9) else "up to"
    return f"{below} {_round(limit / spent.factor, spent)}"


def _claimed(gaps: Paired, own: Mask) -> Mask:
    """Which mixes the best one beats, by claims that hold together; never itself."""
    claimed = np.zeros(len(own), dtype=bool)
    claimed[~own] = beaten_by_best(gaps.p_value[~own])
    return claimed


def _wins(case: _Case, limit: float, at: int) -> str:
    if case.drawn is None:
        return ""
    shares = case.mixes.shares(win_shares(*case.drawn, limit))
    return percent(float(shares[at]))


def _behind(shown: Scale, to_best: Paired, at: int) -> str:
    """What a mix lacks to the best of all, with its interval where seeds allow one."""
    gap, low, high = (float(each[at]) for each in (to_best.mean, to_best.low, to_best.high))
    if gap == 0.0 or math.isnan(gap):
        return ""
    text = shown.signed(gap).removesuffix(f"{TIE}{shown.unit}")
    spread = shown.spread(low, high) if to_best.claimable[at] else ""
    return f"{text} ({spread})" if spread else text


def _round(number: float, shown: Scale) -> str:
    """A round number with the unit, and no digits that it does not need."""
    text = f"{number:.9g}" if number < 1e6 else f"{number:,.0f}".replace(",", TIE)
    return f"{text}{TIE}{shown.unit}" if shown.unit else text
