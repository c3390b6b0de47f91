"""What a record adds up to: one table with a row per mix, and the parts the report is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from reports.analysis.pareto import front, front_probability
from reports.analysis.seeds import levelled
from reports.analysis.statistics import Numbers, jittered, resampled_means, summarise
from reports.found import Found
from reports.quality import GAINS, comparable, with_gains
from reports.record import Metric, Reading

DRAWS = 1000
SEED = 20240229  # of the bootstrap, so that a report can be written twice


def results(record: Reading) -> pd.DataFrame:
    """One row per mix, ready for pandas.

    Columns: label, baseline, status (done; partial: a trial failed; diverged; failed; stopped: left
    at a rung, its step in `stopped_at`; waiting), one per axis, and for each metric its value in
    its raw unit, with _low, _high (95 %) and _n where there are; `psnr_sd` over seeds; `gain` over
    the degraded input; `on_front`, `front_probability`. What was not measured is NaN. Units are in
    `attrs["units"]`, directions in `attrs["better"]`, objectives in `attrs["objectives"]`: gains
    over the degraded input in place of PSNR and SSIM where mixes restored different inputs.
    """
    return collect(record).table


def read(path: Path | str) -> Found:
    """Read a record.

    Raises:
        RecordError: It cannot be read.
    """
    with Reading.open(path) as record:
        return collect(record)


def collect(record: Reading, draws: int = DRAWS) -> Found:
    """Everything of an open record that a report needs.

    Args:
        record: Open for reading.
        draws: Of the bootstrap behind `front_probability`; with 0 that is absent.
    """
    mixes, trials, measurements = record.mixes(), record.trials(), record.measurements()
    partials = record.partials()
    metrics = {
        metric.name: metric
        for metric in (Metric(*row) for row in record.metrics().to_numpy().tolist())
    }
    per_seed = with_gains(_per_seed(trials, measurements))
    if _confirmed(record.facts(), trials):
        per_seed = {name: _levelled(values) for name, values in per_seed.items()}
    metrics |= {metric.name: metric for metric in GAINS.values() if metric.name in per_seed}
    objectives = tuple(dict.fromkeys(comparable(name, per_seed) for name in record.objectives))
    table = mixes.set_index("key")[["label", "baseline"]]
    rested = partials.groupby("mix")["step"].max().reindex(table.index)
    status = _status(trials).reindex(table.index)
    status = status.mask(status.isna() & rested.notna(), "stopped").fillna("waiting")
    table.insert(2, "status", status)
    if (status == "stopped").any():
        table.insert(3, "stopped_at", rested.where(status == "stopped").astype(float))
    levels = record.levels().pivot(index="mix", columns="axis", values="level")
    levels = levels.reindex(index=table.index, columns=list(record.levels()["axis"].unique()))
    parts = [table, levels, *_summaries(per_seed, table.index)]
    parts += _costs(measurements[measurements["subject"].isin(table.index)], table.index)
    table = pd.concat(parts, axis=1)
    table = _with_front(table, per_seed, objectives, metrics, draws)
    table.attrs["units"] = {name: metric.unit for name, metric in metrics.items()}
    table.attrs["better"] = {name: metric.better for name, metric in metrics.items()}
    table.attrs["objectives"] = objectives
    return Found(
        facts=record.facts(),
        objectives=objectives,
        metrics=metrics,
        table=table,
        per_seed=per_seed,
        levels=levels,
        stages=record.stages(),
        trials=trials,
        partials=partials,
        trial_facts=record.trial_facts(),
        measurements=measurements,
        samples=record.samples(),
        curve=record.curve(),
        notes=standing(record.notes(), measurements),
    )


def standing(notes: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """The notes without those that say a cost was not measured where it was in the end.

    Args:
        notes: Columns subject, topic, text; topic is a metric, subject a mix or "" for all mixes.
        measurements: Columns subject, metric.
    """
    known = set(measurements[["subject", "metric"]].itertuples(index=False, name=None))
    known |= {("", metric) for _, metric in known}
    missing = notes["text"].str.contains("was not measured", regex=False)
    pairs = zip(notes["subject"], notes["topic"], strict=True)
    measured = pd.Series([pair in known for pair in pairs], notes.index, dtype=bool)
    return notes[~(missing & measured)]


def main_mode(measurements: pd.DataFrame) -> dict[str, str]:
    """For each metric the mode (image size) that most mixes were measured in, the first of equals.

    Args:
        measurements: Columns subject, metric, mode.
    """
    chosen = {}
    for metric, rows in measurements.groupby("metric", sort=False):
        counts = rows.groupby("mode", sort=False)["subject"].nunique()
        chosen[str(metric)] = str(counts.idxmax())
    return chosen


def _per_seed(trials: pd.DataFrame, measurements: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Of finished trials: metric -> rows mixes, columns seeds."""
    done = trials[trials["status"] == "done"][["key", "mix", "seed"]]
    rows = measurements.merge(done, left_on="subject", right_on="key")
    return {
        str(metric): of_one.pivot_table(index="mix", columns="seed", values="value", aggfunc="last")
        for metric, of_one in rows.groupby("metric", sort=False)
    }


def _confirmed(facts: Mapping[str, str], trials: pd.DataFrame) -> bool:
    """Whether some mixes were trained with more seeds than the study gives to each."""
    return "seeds" in facts and bool((trials["seed"] >= int(facts["seeds"])).any())


def _levelled(values: pd.DataFrame) -> pd.DataFrame:
    """Values whose means compare although some mixes have fewer seeds."""
    numbers = levelled(values.to_numpy(dtype=float))
    return pd.DataFrame(numbers, index=values.index, columns=values.columns)


def _status(trials: pd.DataFrame) -> pd.Series:
    """One word per mix: a mix with a diverged seed is diverged, whatever the others did."""
    return trials.groupby("mix")["status"].agg(_one_word)


def _one_word(statuses: pd.Series) -> str:
    seen = set(statuses)
    if "diverged" in seen:
        return "diverged"
    if seen == {"done"}:
        return "done"
    return "partial" if "done" in seen else "failed"


def _summaries(per_seed: Mapping[str, pd.DataFrame], keys: pd.Index[str]) -> list[pd.DataFrame]:
    parts = []
    for metric, values in per_seed.items():
        rows = [summarise(row) for row in values.reindex(keys).to_numpy(dtype=float)]
        columns = {
            metric: [row.mean for row in rows],
            f"{metric}_sd": [row.sd for row in rows],
            f"{metric}_low": [row.low for row in rows],
            f"{metric}_high": [row.high for row in rows],
            f"{metric}_n": [row.n for row in rows],
        }
        parts.append(pd.DataFrame(columns, index=keys))
    return parts


def _costs(measurements: pd.DataFrame, keys: pd.Index[str]) -> list[pd.DataFrame]:
    """The latest measurement of each mix; sizes other than the main one as metric@size."""
    main = main_mode(measurements)
    parts = []
    for (metric, mode), rows in measurements.groupby(["metric", "mode"], sort=False):
        name = str(metric) if main[str(metric)] == mode else f"{metric}@{mode}"
        last = rows.drop_duplicates("subject", keep="last").set_index("subject").reindex(keys)
        columns = {name: last["value"], f"{name}_low": last["low"], f"{name}_high": last["high"]}
        parts.append(pd.DataFrame(columns).dropna(axis=1, how="all"))
    return parts


def _with_front(
    table: pd.DataFrame,
    per_seed: Mapping[str, pd.DataFrame],
    objectives: Sequence[str],
    metrics: Mapping[str, Metric],
    number: int,
) -> pd.DataFrame:
    """Add on_front and front_probability; absent where an objective was not measured."""
    if not objectives:
        return table.assign(on_front=False, front_probability=math.nan)
    counts = table["status"].isin(["done", "partial"])
    columns = [table[o] if o in table else pd.Series(np.nan, table.index) for o in objectives]
    points = np.stack([column.to_numpy(dtype=float) for column in columns], axis=1)
    points[~counts.to_numpy()] = np.nan
    directions = [metrics[o].better if o in metrics else "higher" for o in objectives]
    known = all(direction in ("higher", "lower") for direction in directions)
    on_front = front(points, directions) if known else np.zeros(len(table), dtype=bool)
    probability = np.full(len(table), math.nan)
    seeds = [per_seed[o].shape[1] for o in objectives if o in per_seed]
    whole = ~np.isnan(points).any(axis=1)
    if number and known and whole.any() and min(seeds, default=0) > 1:
        draws = np.stack([_draws(table[whole], per_seed, o, number) for o in objectives], axis=2)
        probability[whole] = front_probability(draws, directions)
    return table.assign(on_front=on_front, front_probability=probability)


def _draws(
    table: pd.DataFrame, per_seed: Mapping[str, pd.DataFrame], objective: str, number: int
) -> Numbers:
    """(draws, mixes) of one objective; the same seeds are drawn for every objective.

    Mixes that are the same network (only task or training differ) share one timing, and its error.
    """
    rng = np.random.default_rng(SEED)
    if objective in per_seed:
        values = per_seed[objective].reindex(table.index).to_numpy(dtype=float)
        return resampled_means(values, number, rng)
    ends = table.reindex(columns=[objective, f"{objective}_low", f"{objective}_high"])
    timings, same = np.unique(ends.to_numpy(dtype=float), axis=0, return_inverse=True)
    value, low, high = timings.T
    return jittered(value, low, high, number, rng)[:, same.ravel()]
