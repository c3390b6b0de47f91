"""Learning curves: which one tells most, and its mean over the seeds of each mix."""

from __future__ import annotations

import pandas as pd

from reports.numbers.found import Found
from reports.numbers.goals import quality_metric
from reports.numbers.quality import GAINS

MOST_POINTS = 40  # of a curve


def mean_curves(found: Found, name: str) -> pd.DataFrame:
    """Rows mixes but baselines, columns steps: means over seeds, thinned where there are many."""
    baselines = found.table.index[found.table["baseline"]]
    trials = found.trials[~found.trials["mix"].isin(baselines)]
    trials = trials.rename(columns={"key": "trial"})[["trial", "mix"]]
    rows = found.curve[found.curve["name"] == name].merge(trials, on="trial")
    curves = rows.pivot_table(
        index="mix", columns="step", values="value", aggfunc="mean", observed=True
    )
    every = max(1, -(-curves.shape[1] // MOST_POINTS))
    return curves.iloc[:, ::-1].iloc[:, ::every].iloc[:, ::-1]  # the last step stays


def followed_words(found: Found) -> str:
    """Whose curves were read, where not those of all; "" otherwise."""
    if found.followed is None:
        return ""
    return (
        f"Curves were read of {len(found.followed):,} of {len(found.table):,} mixes: some, evenly "
        "spaced among all, and those on the front."
    )


def curve_name(found: Found) -> str:
    """The quality over training where it was scored more than once; else the longest curve."""
    steps = found.curve.groupby("name", observed=True)["step"].nunique()
    quality = quality_metric(found)
    raw = {metric.name: name for name, metric in GAINS.items()}.get(quality, quality)
    for wanted in (quality, f"validation_{quality}", f"val_{quality}", raw):
        if steps.get(wanted, 0) > 1:
            return wanted
    return str(steps.idxmax()) if len(steps) else quality
