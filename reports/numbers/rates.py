"""What each mix gains for what it costs: accuracy for each ms, each GMAC, each MiB."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.frugality import Rates, rates_with_intervals
from reports.analysis.redrawing import DRAWS, SEED, Scores
from reports.analysis.statistics import Numbers
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric, scale
from reports.numbers.objectives import measure
from reports.numbers.units import Scale

COSTS = ("latency", "macs", "peak_memory", "params", "energy")
MOST = 3  # costs whose rates are shown


@dataclass(frozen=True)
class Zero:
    """From where gains and costs are counted.

    Args:
        words: What it is.
        quality: The quality there.
        costs: What that costs; 0 for what is not named.
    """

    words: str
    quality: float
    costs: dict[str, float]


@dataclass(frozen=True)
class Frugal:
    """Rates of some mixes for one cost.

    Args:
        heading: "dB per ms".
        texts: For each mix its rate and the 95 % interval; dash and "" where there is none.
    """

    heading: str
    texts: tuple[tuple[str, str], ...]


def zero(found: Found) -> Zero | None:
    """The network that does nothing, where it was trained; else the input, which costs nothing.

    None where neither has a value of the quality that mixes are ranked by.
    """
    quality = quality_metric(found)
    ended = found.table["status"].isin(["done", "partial"])
    table = found.table[found.table["baseline"] & ended]
    if quality in table and table[quality].notna().any():
        mix = str(table[quality].dropna().index[0])
        costs = {name: found.number(mix, name) for name in COSTS}
        costs = {name: value for name, value in costs.items() if not math.isnan(value)}
        return Zero(f"the network that does nothing ({found.label(mix)})", *_at(found, mix, costs))
    if quality in ("gain", "ssim_gain"):
        return Zero("the degraded input, which costs nothing", 0.0, {})
    inputs = found.ranked.get(f"input_{quality}")
    if inputs is None or inputs.isna().all():
        return None
    return Zero("the degraded input, which costs nothing", float(inputs.mean()), {})


def _at(found: Found, mix: str, costs: dict[str, float]) -> tuple[float, dict[str, float]]:
    return found.number(mix, quality_metric(found)), costs


def frugal(found: Found, mixes: Sequence[str]) -> tuple[str, tuple[Frugal, ...]]:
    """From where gains are counted, in words, and the rates of some mixes for each cost.

    Empty where gains have no zero or higher is not better.

    Args:
        found: The numbers.
        mixes: Their keys.
    """
    quality, start = quality_metric(found), zero(found)
    names = [name for name in COSTS if name in found.cost_metrics][:MOST]
    if start is None or not names or found.metrics[quality].better != "higher":
        return "", ()
    return start.words, tuple(_frugal(found, mixes, name, start) for name in names)


def _frugal(found: Found, mixes: Sequence[str], cost: str, start: Zero) -> Frugal:
    quality = quality_metric(found)
    found_rates = _rates(found, mixes, quality, cost, start)
    gained, spent = scale(found, quality), scale(found, cost)
    ratio = gained.factor / spent.factor
    values = found_rates.value / ratio
    decimals = _decimals(values)
    shown = Scale("rate", ratio, "", decimals)
    rows = zip(found_rates.value, found_rates.low, found_rates.high, strict=True)
    texts = tuple((shown.number(v), shown.spread(low, high)) for v, low, high in rows)
    per = f"{spent.unit}{_of(cost)}".strip() or spent.title.lower()
    return Frugal(f"{gained.unit or gained.title} per {per}", texts)


def _of(cost: str) -> str:
    """What is counted, where the unit is only a prefix: G MACs."""
    return {"macs": " MACs", "params": " parameters"}.get(cost, "")


def _rates(found: Found, mixes: Sequence[str], quality: str, cost: str, start: Zero) -> Rates:
    some = found.ranked.index.get_indexer(pd.Index(mixes))
    measured = [measure(found, name).some(some) for name in (quality, cost)]
    gains, costs = (each.middle for each in measured)
    spent = start.costs.get(cost, 0.0)
    scores = measured[0]
    if not isinstance(scores, Scores) or not len(scores.errors):
        return rates_with_intervals(gains - start.quality, costs, spent, None)
    drawn = [
        each.redrawn(DRAWS, np.random.default_rng((SEED, at))) for at, each in enumerate(measured)
    ]
    return rates_with_intervals(
        gains - start.quality, costs, spent, (drawn[0] - start.quality, drawn[1])
    )


def _decimals(values: Numbers) -> int:
    """Three significant digits of the middle one."""
    known = np.abs(values[~np.isnan(values)])
    middle = float(np.median(known)) if len(known) else 1.0
    return min(max(2 - math.floor(math.log10(middle)), 0), 5) if middle > 0 else 2
