"""Which choices decide whether a mix is among the best, as Optuna judges it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from reports.analysis.design import Design
from reports.analysis.statistics import Numbers

FEWEST = 30  # mixes, so that the best tenth are three
LARGEST = 500  # mixes; of more, evenly spaced ones are taken
BEST = 0.1


@dataclass(frozen=True)
class Importances:
    """How much each axis matters for being among the best tenth; they add up to 1.

    Args:
        axes: Name and share, the largest first; empty where there is a reason.
        reason: Why there are none; "" where there are.
        mixes: How many mixes they are from.
    """

    axes: tuple[tuple[str, float], ...]
    reason: str = ""
    mixes: int = 0


def importances(design: Design, means: Numbers, better: str) -> Importances:
    """PED-ANOVA: how differently the best tenth are spread over the levels than all mixes.

    Source: Watanabe, Bansal & Hutter 2023, arXiv:2304.10255, as Optuna computes it. It sees what
    a search came to, so it needs no design; it gives no direction and no interval.

    Args:
        design: The mixes.
        means: (mixes,) their values.
        better: Whether "higher" or "lower" values are.
    """
    if design.mixes < FEWEST:
        return Importances((), f"fewer than {FEWEST} mixes")
    if len(design.axes) < 2:
        return Importances((), "one choice only")
    rows = np.linspace(0, design.mixes - 1, min(design.mixes, LARGEST)).astype(int)
    try:
        found = _by_optuna(design.only(rows), means[rows], better)
    except ImportError as error:
        return Importances((), f"Optuna can't be used here: {error}")
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return Importances(tuple(ordered), mixes=len(rows))


def _by_optuna(design: Design, means: Numbers, better: str) -> dict[str, float]:
    import optuna  # takes a second, and most reports do without

    spaces: dict[str, optuna.distributions.BaseDistribution] = {
        axis: optuna.distributions.CategoricalDistribution(range(size))
        for axis, size in zip(design.axes, design.sizes, strict=True)
    }
    trials = [
        optuna.trial.create_trial(
            params=dict(zip(design.axes, codes, strict=True)), distributions=spaces, value=value
        )
        for codes, value in zip(design.codes.tolist(), means.tolist(), strict=True)
    ]
    with _silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="minimize" if better == "lower" else "maximize")
        study.add_trials(trials)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {str(axis): float(value) for axis, value in found.items()}


@contextmanager
def _silent() -> Iterator[None]:
    """Optuna tells of every study that it makes."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
