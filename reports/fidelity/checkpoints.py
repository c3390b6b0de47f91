"""The accuracy of every mix at the checkpoints of its training, and at its end, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.seeds import levelled
from reports.analysis.statistics import Numbers
from reports.answering.answer import quality_metric
from reports.numbers.found import Found
from reports.numbers.quality import GAINS

MOST = 12  # checkpoints that are looked at; of more, as many spread evenly
SHARED = 0.5  # part of the mixes that must have a seed, or a checkpoint, for it to be looked at
RAW = {metric.name: name for name, metric in GAINS.items()}


@dataclass(frozen=True)
class Course:
    """How the mixes stood at each checkpoint.

    Args:
        mixes: Keys of those that have all checkpoints.
        parts: How much of its training a mix had behind it, ascending; the last is 1.
        steps: The steps of that; 0 where mixes are trained with different numbers of steps.
        values: (checkpoints, mixes, seeds), higher is better; NaN where a mix lacks a seed. The
            last row is the end, scored as checkpoints are: on fewer images than the result.
        final: (mixes, seeds): the result itself.
    """

    mixes: tuple[str, ...]
    parts: tuple[float, ...]
    steps: tuple[int, ...]
    values: Numbers
    final: Numbers

    @property
    def means(self) -> Numbers:
        """(checkpoints, mixes): over the seeds that a mix has."""
        return mean_over_seeds(self.values)


def course(found: Found) -> Course | None:
    """The mixes' accuracy over training; None where it was scored at the end only."""
    quality = quality_metric(found)
    name = scored_curve(found)
    if not name or quality not in found.per_seed:
        return None
    final = found.seeds(quality).dropna(how="all")
    if found.followed is not None:
        final = final[final.index.isin(found.followed)]
    final = final.loc[:, final.notna().mean() >= SHARED]
    sign = 1.0 if found.metrics[quality].better == "higher" else -1.0
    points = _points(found, name, final)
    if points.empty or final.empty:
        return None
    parts, steps, values = _spread(points, final)
    if name == RAW.get(quality):
        values = values - _inputs(found, name, final)
    whole = np.flatnonzero((~np.isnan(values)).any(axis=2).all(axis=0))  # mixes
    if len(parts) < 2 or not len(whole):
        return None
    return Course(
        mixes=tuple(str(mix) for mix in final.index[whole]),
        parts=parts,
        steps=steps,
        values=sign * values[:, whole],
        final=sign * final.to_numpy(dtype=float)[whole],
    )


def scored_curve(found: Found) -> str:
    """The curve of what mixes are ranked by; "" where that was scored at the end only."""
    quality = quality_metric(found)
    steps = found.curve.groupby("name", observed=True)["step"].nunique()
    names = (quality, f"validation_{quality}", f"val_{quality}", RAW.get(quality, quality))
    return next((name for name in names if steps.get(name, 0) > 1), "")


def mean_over_seeds(values: Numbers) -> Numbers:
    """Means over seeds, of mixes that lack some as if they had all; NaN where nothing is.

    Args:
        values: (mixes, seeds) or (checkpoints, mixes, seeds).

    Returns:
        (mixes,) or (checkpoints, mixes).
    """
    if values.ndim > 2:
        return np.stack([mean_over_seeds(each) for each in values])
    values = levelled(values)
    present = ~np.isnan(values)
    counts = present.sum(axis=-1)
    sums = np.where(present, values, 0.0).sum(axis=-1)
    means: Numbers = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _points(found: Found, name: str, final: pd.DataFrame) -> pd.DataFrame:
    """Columns mix and seed (positions in the table of results), part, step, value."""
    done = found.trials[found.trials["status"] == "done"][["key", "mix", "seed"]]
    rows = found.curve[found.curve["name"] == name].merge(done, left_on="trial", right_on="key")
    rows["part"] = (
        rows["step"] / rows.groupby("trial", observed=True)["step"].transform("max")
    ).round(4)
    rows["mix"] = final.index.get_indexer(pd.Index(rows["mix"]))
    rows["seed"] = final.columns.get_indexer(pd.Index(rows["seed"]))
    return rows[(rows["mix"] >= 0) & (rows["seed"] >= 0)]


def _spread(
    points: pd.DataFrame, final: pd.DataFrame
) -> tuple[tuple[float, ...], tuple[int, ...], Numbers]:
    """Parts, steps and values (checkpoints, mixes, seeds) of the checkpoints that count."""
    having = points.groupby("part", observed=True)["mix"].nunique()
    parts = [float(part) for part in having.index[having >= SHARED * len(final)]]
    parts = parts[:: -max(1, -(-len(parts) // MOST))][::-1]  # the end stays
    at = {part: place for place, part in enumerate(parts)}
    rows = points[points["part"].isin(parts)]
    values = np.full((len(parts), *final.shape), np.nan)
    places = rows["part"].map(at).to_numpy(dtype=int)
    values[places, rows["mix"].to_numpy(), rows["seed"].to_numpy()] = rows["value"].to_numpy()
    steps = [rows["step"][places == place].unique().tolist() for place in range(len(parts))]
    return tuple(parts), tuple(int(s[0]) if len(s) == 1 else 0 for s in steps), values


def _inputs(found: Found, raw: str, final: pd.DataFrame) -> Numbers:
    """(mixes, seeds): the same score of the degraded input."""
    table = found.per_seed[f"input_{raw}"]
    return table.reindex(index=final.index, columns=final.columns).to_numpy(dtype=float)
