"""What became of the accuracy of mixes from one run to another, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.statistics import FEWEST_SEEDS, Numbers, Summary, holm, summarise
from reports.answering.answer import quality_metric
from reports.numbers.found import Found
from reports.numbers.results import by_seed
from reports.numbers.units import Scale, count, percent, scale_of
from reports.record import Metric


@dataclass(frozen=True)
class Gap:
    """What one mix came to in both runs.

    Args:
        label: Of the later run.
        same: It is the same mix; otherwise only its label is, as the study says something else.
        before: Mean over the seeds that both have.
        after: The same of the later run.
        change: Later minus earlier, seed by seed.
        real: Whether a difference is claimed, over all rows together.
        words: In words.
    """

    label: str
    same: bool
    before: float
    after: float
    change: Summary
    real: bool
    words: str


@dataclass(frozen=True)
class Accuracy:
    """What became of the accuracy of the mixes that both runs trained.

    Args:
        scale: What was compared, and how it is shown.
        rows: Real differences first, the largest of them first.
        common: What became of all of them together, in words; "" where it can't be told.
        basis: What the words rest on.
        shared: Trials that stand in both, as one run took them over from the other.
    """

    scale: Scale
    rows: tuple[Gap, ...]
    common: str
    basis: str
    shared: int


def accuracy(first: Found, second: Found, pairs: Sequence[tuple[str, str]]) -> Accuracy | None:
    """What became of the quality of mixes; None where none was trained in both with one seed.

    Args:
        first: The earlier run.
        second: The later one.
        pairs: Keys of mixes, in the earlier run and in the later.
    """
    values = [by_seed(found.trials, found.measurements) for found in (first, second)]
    metric = _metric(first, second, values)
    if not metric:
        return None
    before, after = (of[metric] for of in values)
    known = [pair for pair in pairs if pair[0] in before.index and pair[1] in after.index]
    seeds = [seed for seed in after.columns if seed in before.columns]
    if not known or not seeds:
        return None
    old = before.loc[[one for one, _ in known], seeds].to_numpy(dtype=float)
    new = after.loc[[other for _, other in known], seeds].to_numpy(dtype=float)
    scale = scale_of(metric, second.metrics[metric].unit, [*old.ravel(), *new.ravel()])
    better = second.metrics[metric].better
    changes = [summarise(row) for row in new - old]
    real = holm([change.p_value for change in changes])
    rows = [
        _gap(second.label(pair[1]), pair, (old[at], new[at]), changes[at], scale, better, real[at])
        for at, pair in enumerate(known)
    ]
    rows.sort(key=lambda row: (not row.real, -abs(np.nan_to_num(row.change.mean))))
    whole = ~np.isnan(new - old).any(axis=1)
    protocols = _protocols(first.metrics[metric], second.metrics[metric])
    return Accuracy(
        scale=scale,
        rows=tuple(rows),
        common=_common((new - old)[whole], scale, better),
        basis=_basis(len(rows), len(seeds)) + protocols,
        shared=len(set(first.trials["key"]) & set(second.trials["key"])),
    )


def verdict(change: Summary, scale: Scale, better: str, *, real: bool) -> str:
    """A change in words: "better by 0.12 dB [0.04, 0.20]", "no difference claimed (...)"."""
    if change.n == 0:
        return "no seed in common"
    if change.mean == 0.0 and not change.sd > 0.0:
        return "the same to the last digit"
    if not real:
        ends = f" [{scale.number(change.low)}, {scale.number(change.high)}]"
        spread = ends if change.n >= FEWEST_SEEDS else ""
        return f"no difference claimed ({scale.signed(change.mean)}{spread})"
    low, high = sorted((abs(change.low), abs(change.high)))
    way = "better" if (change.mean > 0) == (better != "lower") else "worse"
    return f"{way} by {scale.text(abs(change.mean))} [{scale.number(low)}, {scale.number(high)}]"


def _metric(first: Found, second: Found, values: Sequence[Mapping[str, pd.DataFrame]]) -> str:
    """What mixes are compared by: the quality of the later study, as trials have it.

    "" if no score of both has one unit and one direction.
    """
    names = [quality_metric(second), "psnr", *values[1]]
    known = (name for name in names if all(name in of for of in values))
    kinds = ((name, first.metrics[name], second.metrics[name]) for name in known)
    return next((name for name, before, after in kinds if _one_kind(before, after)), "")


def _one_kind(before: Metric, after: Metric) -> bool:
    same = (before.unit, before.better) == (after.unit, after.better)
    return same and after.better in ("higher", "lower")


def _gap(
    label: str,
    pair: tuple[str, str],
    values: tuple[Numbers, Numbers],
    change: Summary,
    scale: Scale,
    better: str,
    real: bool,
) -> Gap:
    both = ~np.isnan(values[1] - values[0])
    before, after = (float(one[both].mean()) if both.any() else math.nan for one in values)
    words = verdict(change, scale, better, real=real)
    return Gap(label, pair[0] == pair[1], before, after, change, real, words)


def _common(gaps: Numbers, scale: Scale, better: str) -> str:
    """What all mixes together did, seeds being what is repeated."""
    if len(gaps) < 2:
        return ""
    change = summarise(gaps.mean(axis=0))
    words = verdict(change, scale, better, real=change.excludes_zero)
    return f"all {len(gaps)} mixes together: {words}"


def _protocols(before: Metric, after: Metric) -> str:
    """That scores are of different protocols, which may be all that differs; "" where of one."""
    if before.protocol == after.protocol:
        return ""
    old, new = before.protocol or "no protocol", after.protocol or "no protocol"
    return f"; but they were scored otherwise, which may be all: {old} before, {new} after"


def _basis(mixes: int, seeds: int) -> str:
    if seeds < FEWEST_SEEDS:
        return f"{count(seeds, 'seed')} in common: no difference can be claimed"
    held = f"all {mixes} comparisons hold" if mixes > 1 else "it holds"
    return f"seed by seed over {seeds} seeds; with {percent(0.95)} probability {held} (Holm)"
