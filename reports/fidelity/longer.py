"""What a longer training of a few mixes came to, as `ablate fidelity` left it in the record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis.statistics import Numbers
from reports.answering.answer import quality_metric
from reports.fidelity.checkpoints import RAW
from reports.numbers.found import Found

FACT = "fidelity"  # JSON: name of the longer run -> what is kept of it
FEWEST = 2  # mixes that can be held against each other


@dataclass(frozen=True)
class Kept:
    """A longer training as the record keeps it.

    Args:
        times: How many times as long.
        steps: Steps of the longer training; 0 where mixes differ in them.
        metric: What `values` are of.
        values: By key of the mix and seed.
    """

    times: float
    steps: int
    metric: str
    values: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Longer:
    """The same mixes with the same seeds, trained briefly and longer.

    Args:
        run: Name of the folder of the longer run.
        times: How many times as long.
        steps: Steps of the longer training; 0 where mixes differ in them.
        mixes: Keys, the best of the short training first.
        short: (mixes, seeds), higher is better; NaN where one of the two trainings is missing.
        long: (mixes, seeds).
    """

    run: str
    times: float
    steps: int
    mixes: tuple[str, ...]
    short: Numbers
    long: Numbers


def kept_text(facts: Mapping[str, str], run: str, kept: Kept) -> str:
    """The record's fact with one more longer run, or a newer state of one."""
    known = _decoded(facts.get(FACT, "{}"))
    mixes = {
        mix: {str(seed): value for seed, value in sorted(by_seed.items())}
        for mix, by_seed in kept.values.items()
    }
    one = {"times": kept.times, "steps": kept.steps, "metric": kept.metric, "values": mixes}
    return json.dumps({**known, run: one})


def longer(found: Found) -> tuple[Longer, ...]:
    """Every longer training that the record knows, of what mixes are ranked by today."""
    made = (
        _longer(found, str(run), kept)
        for run, raw in _decoded(found.facts.get(FACT, "{}")).items()
        if (kept := _kept(raw)) and kept.metric == quality_metric(found)
    )
    return tuple(one for one in made if one is not None)


def scores(found: Found, metric: str) -> pd.DataFrame:
    """What the trials of a record came to: rows mixes, columns seeds.

    A gain is what it is called after, less the same of the input: a run of mixes that restore the
    same input does not rank by it.
    """
    if metric in found.per_seed:
        return found.per_seed[metric]
    raw = RAW.get(metric, metric)
    if raw == metric or not {raw, f"input_{raw}"} <= set(found.per_seed):
        return pd.DataFrame()
    return found.per_seed[raw] - found.per_seed[f"input_{raw}"]


def _longer(found: Found, run: str, kept: Kept) -> Longer | None:
    """Short and long of the mixes that still stand in the table of results."""
    short = found.per_seed.get(kept.metric)
    if short is None:
        return None
    mixes = [mix for mix in kept.values if mix in found.ranked.index]
    seeds = sorted({seed for mix in mixes for seed in kept.values[mix]} & set(short.columns))
    before = short.reindex(index=mixes, columns=seeds).to_numpy(dtype=float)
    after = np.array([[kept.values[mix].get(seed, math.nan) for seed in seeds] for mix in mixes])
    if len(mixes) < FEWEST or not seeds:
        return None
    missing = np.isnan(before) | np.isnan(after)
    there = ~missing.all(axis=1)
    sign = 1.0 if found.metrics[kept.metric].better == "higher" else -1.0
    both = [sign * np.where(missing, np.nan, values)[there] for values in (before, after)]
    if there.sum() < FEWEST:
        return None
    order = np.argsort(-np.nanmean(both[0], axis=1), kind="stable")
    names = [mix for mix, one in zip(mixes, there, strict=True) if one]
    return Longer(
        run=run,
        times=kept.times,
        steps=kept.steps,
        mixes=tuple(names[at] for at in order),
        short=both[0][order],
        long=both[1][order],
    )


def _decoded(text: str) -> dict[str, Any]:
    """A JSON object; an empty one where that is something else."""
    try:
        raw = json.loads(text)
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _kept(raw: object) -> Kept | None:
    """What was written about one run; None where it is not as this version writes it."""
    if not isinstance(raw, dict) or not isinstance(raw.get("values"), dict):
        return None
    try:
        values = {str(mix): _by_seed(seeds) for mix, seeds in raw["values"].items()}
        return Kept(float(raw["times"]), int(raw["steps"]), str(raw["metric"]), values)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _by_seed(raw: Mapping[str, Any]) -> dict[int, float]:
    pairs: Sequence[tuple[int, float]] = [(int(s), float(v)) for s, v in raw.items()]
    return {seed: value for seed, value in pairs if math.isfinite(value)}
