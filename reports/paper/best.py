"""Which mix is the best of a table's column, and whether that can be claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis.paired import beaten_by_best, paired
from reports.numbers.found import Found
from reports.numbers.objectives import interval
from reports.numbers.protocols import COUNTED
from reports.numbers.rankings import not_separable, rank_texts, ranks
from reports.numbers.sittings import METRIC as LATENCY

FORECAST = ("params", "macs", "peak_memory", "training_memory")  # the same whenever they are found


@dataclass(frozen=True)
class Best:
    """The best of some mixes in one metric.

    Args:
        mix: Its key; "" without numbers or a direction.
        alike: Those that it is not distinguishable from.
        judged: Whether the data can support any claim at all.
    """

    mix: str = ""
    alike: frozenset[str] = frozenset()
    judged: bool = False

    @property
    def alone(self) -> bool:
        """Whether it is better than all others beyond doubt."""
        return self.judged and bool(self.mix) and not self.alike


def best_of(found: Found, metric: str, mixes: Sequence[str]) -> Best:
    """The best mean, and who is not distinguishable from it.

    Accuracies are compared seed by seed (see `paired`), all comparisons of the best together
    (see `beaten_by_best`); latencies as they are ranked; other costs by their intervals, or as
    counts.

    Args:
        found: What was found.
        metric: Column of the table of results.
        mixes: Keys of those that are compared.
    """
    base = metric.partition("@")[0]
    better = found.metrics[base].better if base in found.metrics else "none"
    values = {mix: found.number(mix, metric) for mix in mixes}
    values = {mix: value for mix, value in values.items() if value == value}
    if better == "none" or not values:
        return Best()
    choose = max if better == "higher" else min
    first = choose(values, key=lambda mix: values[mix])
    others = [mix for mix in values if mix != first]
    if metric in found.per_seed:
        return _by_seeds(found, metric, first, others)
    return _by_costs(found, metric, first, others)


def _by_seeds(found: Found, metric: str, first: str, others: Sequence[str]) -> Best:
    """As the answer judges: with the scatter of all mixes, of which these are compared."""
    rows = found.seeds(metric)
    places = {str(mix): at for at, mix in enumerate(rows.index)}
    gaps = paired(rows.to_numpy(dtype=float), places[first])
    at = [places[mix] for mix in others]
    told = beaten_by_best(gaps.p_value[at])
    alike = {mix for mix, apart in zip(others, told, strict=True) if not apart}
    return Best(first, frozenset(alike), bool(gaps.claimable[at].any()))


def _by_costs(found: Found, metric: str, first: str, others: Sequence[str]) -> Best:
    if metric == LATENCY:
        ranked = rank_texts(ranks(found))
        tied = not_separable(found, first)
        alike = {mix for mix in others if mix in tied or mix not in ranked}
        return Best(first, frozenset(alike), first in ranked)
    if f"{metric}_low" in found.table:
        ends = interval(found.table, metric)
        alike = {mix for mix in others if _overlap(ends, first, mix)}
        return Best(first, frozenset(alike), True)
    exact = metric.partition("@")[0] in FORECAST or _unit(found, metric) in COUNTED
    equal = {mix for mix in others if found.number(mix, metric) == found.number(first, metric)}
    return Best(first, frozenset(equal if exact else others), exact)


def _unit(found: Found, metric: str) -> str:
    return found.metrics[metric.partition("@")[0]].unit


def _overlap(ends: pd.DataFrame, one: str, other: str) -> bool:
    """Whether two intervals meet; without an interval nothing can be told apart."""
    (low, high), (other_low, other_high) = ends.loc[[one, other], ["low", "high"]].to_numpy()
    return not (high < other_low or other_high < low)
