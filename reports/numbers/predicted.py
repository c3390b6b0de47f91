"""What a latency model said of the mixes, held against what was measured of them later."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.numbers.found import Found
from reports.numbers.sittings import METRIC
from reports.numbers.units import TIE, count

PREDICTED = "predicted_latency"


def predictions(found: Found) -> tuple[str, ...]:
    """A sentence for each mode in which mixes were both predicted and measured."""
    rows = found.costs
    if not (rows["metric"] == PREDICTED).any():
        return ()
    predicted, measured = (_last(rows[rows["metric"] == name]) for name in (PREDICTED, METRIC))
    pairs = predicted.join(measured["value"].rename("value_measured"), how="inner")
    modes = pairs.index.get_level_values("mode")
    return tuple(_sentence(str(mode), pairs[modes == mode]) for mode in dict.fromkeys(modes))


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    """The latest number of each mix in each mode."""
    latest = rows.drop_duplicates(["subject", "mode"], keep="last")
    return latest.set_index(["mode", "subject"])[["value", "low", "high"]]


def _sentence(mode: str, pairs: pd.DataFrame) -> str:
    ratio = pairs["value"] / pairs["value_measured"]
    errors = np.abs(ratio.to_numpy(dtype=float) - 1)
    inside = pairs["value_measured"].between(pairs["low"], pairs["high"]).sum()
    mixes = count(len(pairs), "mix")
    return (
        f"{mode}: latency was predicted of {mixes} before training and measured afterwards; the "
        f"predictions were off by {100 * errors.mean():.1f}{TIE}% in the mean and "
        f"{100 * errors.max():.1f}{TIE}% at most, and {int(inside)} of "
        f"{count(len(pairs), 'measured value')} {'lies' if inside == 1 else 'lie'} within the "
        "error that was given"
    )
