"""What a record adds up to: one table with a row per mix, and the parts the report is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from reports.analysis.redrawing import DRAWS
from reports.analysis.seeds import levelled
from reports.analysis.summaries import summaries
from reports.numbers.found import Found
from reports.numbers.membership import with_front
from reports.numbers.quality import GAINS, comparable, with_gains
from reports.numbers.sittings import main_sittings
from reports.record import Metric, Reading

MANY = 5000  # trials from which on loss curves stay in the record, where scores are there
FOLLOWED = 1000  # mixes whose curves are read of as many trials, and those on the front
LOSS = "loss"


def results(record: Reading) -> pd.DataFrame:
    """One row per mix, ready for pandas.

    Columns: label, baseline, status (done; partial: a trial failed; diverged; failed; stopped: left
    at a rung, its step in `stopped_at`; waiting), one per axis, and for each metric its value in
    its raw unit, with _low, _high (95 %) and _n where there are (means over seeds; of a mix that
    lacks seeds, less what those that it has add for all mixes alike); `psnr_sd`; `gain` over
    the degraded input; `on_front`, `front_probability`. What was not measured is NaN. Units are in
    `attrs["units"]`, directions in `attrs["better"]`, objectives in `attrs["objectives"]`: gains
    over the degraded input in place of PSNR and SSIM where mixes restored different inputs.
    """
    return collect(record).table


def read(path: Path | str, opened: Callable[[Path | str], Reading] = Reading.open) -> Found:
    """Read a record.

    Args:
        path: The record.
        opened: Opens it.

    Raises:
        RecordError: It cannot be read.
    """
    with opened(path) as record:
        return collect(record, followed=FOLLOWED)


def collect(record: Reading, draws: int = DRAWS, followed: int | None = None) -> Found:
    """Everything of an open record that a report needs.

    Args:
        record: Open for reading.
        draws: Of the bootstrap behind `front_probability`; with 0 that is absent.
        followed: How many mixes' curves are read where there are very many trials, evenly spaced
            and beside those of the front; None for all.
    """
    trials, measurements, partials = record.trials(), record.measurements(), record.partials()
    metrics = {row[0]: Metric(*row) for row in record.metrics().to_numpy().tolist()}
    per_seed = with_gains(by_seed(trials, measurements))
    metrics |= {metric.name: metric for metric in GAINS.values() if metric.name in per_seed}
    objectives = tuple(dict.fromkeys(comparable(name, per_seed) for name in record.objectives))
    table = _named(record.mixes(), trials, partials)
    parts = _summaries(per_seed, table)
    parts += _costs(measurements[measurements["subject"].isin(table.index)], table.index)
    wide = _wide(record.levels(), table.index)  # which may be read elsewhere meanwhile
    table = with_front(
        pd.concat([table, wide, *parts], axis=1), per_seed, objectives, metrics, draws
    )
    table.attrs["units"] = {name: metric.unit for name, metric in metrics.items()}
    table.attrs["better"] = {name: metric.better for name, metric in metrics.items()}
    table.attrs["objectives"] = objectives
    some = _followed(trials, table, followed)
    sittings = main_sittings(measurements, table.index[~table["baseline"]])
    return Found(
        path=record.path,
        facts=record.facts(),
        objectives=objectives,
        metrics=metrics,
        table=table,
        per_seed=per_seed,
        levels=wide,
        stages=record.stages(),
        trials=trials,
        partials=partials,
        trial_facts=record.trial_facts(),
        measurements=measurements,
        samples=record.samples(set(sittings.values())),
        curve=_curve(record, trials, some),
        notes=standing(record.notes(), measurements),
        followed=some,
    )


def standing(notes: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """The notes without those that say a cost was not measured where it was in the end.

    Args:
        notes: Columns subject, topic, text; topic is a metric, subject a mix or "" for all mixes.
        measurements: Columns subject, metric.
    """
    missing = notes["text"].str.contains("was not measured", regex=False)
    if not missing.any():
        return notes
    about = measurements[measurements["metric"].isin(notes["topic"][missing])]
    known = set(zip(about["subject"], about["metric"], strict=True))
    known |= {("", metric) for metric in about["metric"].unique()}
    pairs = zip(notes["subject"], notes["topic"], strict=True)
    measured = pd.Series([pair in known for pair in pairs], notes.index, dtype=bool)
    return notes[~(missing & measured)]


def main_mode(measurements: pd.DataFrame) -> dict[str, str]:
    """For each metric the mode (image size) that most mixes were measured in, the first of equals.

    Args:
        measurements: Columns subject, metric, mode.
    """
    modes: dict[str, dict[str, pd.Series]] = {}
    groups = measurements.groupby(["metric", "mode"], sort=False, observed=True)["subject"]
    for (metric, mode), subjects in groups:
        modes.setdefault(str(metric), {})[str(mode)] = subjects
    return {
        metric: max(of, key=lambda mode: of[mode].nunique()) if len(of) > 1 else next(iter(of))
        for metric, of in modes.items()
    }


def by_seed(trials: pd.DataFrame, measurements: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Of finished trials: metric -> rows mixes, columns seeds; NaN where there is no value.

    Args:
        trials: Columns key, mix, seed, status.
        measurements: Columns subject, metric, value; the last of a trial and a metric counts.
    """
    done = trials[trials["status"] == "done"]
    mixes, row = np.unique(done["mix"].to_numpy(dtype=object), return_inverse=True)
    seeds, column = np.unique(done["seed"].to_numpy(), return_inverse=True)
    trial = pd.Index(done["key"]).get_indexer(pd.Index(measurements["subject"]))
    own = trial >= 0
    metric_of, metrics = pd.factorize(measurements["metric"][own])
    trial, measured = trial[own], measurements["value"].to_numpy(dtype=float)[own]
    found = {}
    for number, metric in enumerate(metrics):
        values, at = np.full((len(mixes), len(seeds)), np.nan), trial[metric_of == number]
        values[row[at], column[at]] = measured[metric_of == number]
        known = ~np.isnan(values)
        names, numbers = mixes[known.any(axis=1)], seeds[known.any(axis=0)]
        found[str(metric)] = pd.DataFrame(
            values[known.any(axis=1)][:, known.any(axis=0)],
            index=pd.Index(names, name="mix"),
            columns=pd.Index(numbers, name="seed"),
        )
    return found


def _named(mixes: pd.DataFrame, trials: pd.DataFrame, partials: pd.DataFrame) -> pd.DataFrame:
    """Label, baseline and status of each mix, and where those stopped that went no further."""
    table = mixes.set_index("key")[["label", "baseline"]]
    rested = partials.groupby("mix", observed=True)["step"].max().reindex(table.index)
    status = _status(trials).reindex(table.index)
    status = status.mask(status.isna() & rested.notna(), "stopped").fillna("waiting")
    table.insert(2, "status", status)
    if (status == "stopped").any():
        table.insert(3, "stopped_at", rested.where(status == "stopped").astype(float))
    return table


def _wide(levels: pd.DataFrame, mixes: pd.Index[str]) -> pd.DataFrame:
    """Rows mixes, columns axes in order of appearance."""
    columns, axes = pd.factorize(levels["axis"])
    grid = np.full((len(mixes), len(axes)), np.nan, dtype=object)
    grid[mixes.get_indexer(pd.Index(levels["mix"])), columns] = levels["level"]
    named = {str(axis): grid[:, at].tolist() for at, axis in enumerate(axes)}
    return pd.DataFrame(named, index=mixes).rename_axis(columns="axis")


def _followed(trials: pd.DataFrame, table: pd.DataFrame, most: int | None) -> frozenset[str] | None:
    """Mixes whose curves are read; None for all."""
    mixes = trials["mix"].unique()
    if most is None or len(trials) <= MANY or len(mixes) <= most:
        return None
    evenly = mixes[np.linspace(0, len(mixes) - 1, most).astype(int)]
    return frozenset(map(str, [*evenly, *table.index[table["on_front"]]]))


def _curve(record: Reading, trials: pd.DataFrame, mixes: frozenset[str] | None) -> pd.DataFrame:
    """Curves of some mixes or all; of very many trials only scores, where there are any."""
    some = None if mixes is None else trials["key"][trials["mix"].isin(mixes)].tolist()
    names = (
        [name for name in record.curve_names(some) if name != LOSS] if len(trials) > MANY else []
    )
    return record.curve(names or None, some)


def _status(trials: pd.DataFrame) -> pd.Series:
    """One word per mix: a mix with a diverged seed is diverged, whatever the others did."""
    mixes = pd.Index(trials["mix"].unique())
    diverged, done, failed = (
        mixes.isin(trials["mix"][trials["status"] == status])
        for status in ("diverged", "done", "failed")
    )
    words = np.select([diverged, done & ~failed, done], ["diverged", "done", "partial"], "failed")
    return pd.Series(words.astype(object), index=mixes, dtype=object)


def _summaries(per_seed: Mapping[str, pd.DataFrame], table: pd.DataFrame) -> list[pd.DataFrame]:
    """Means over seeds with their spread; of mixes that lack seeds as if they had all of them."""
    parts, keys = [], table.index
    counts = (table["status"].isin(["done", "partial"]) & ~table["baseline"]).to_numpy(dtype=bool)
    for metric, values in per_seed.items():
        rows = summaries(levelled(values.reindex(keys).to_numpy(dtype=float), counts))
        columns = {
            metric: rows.mean,
            f"{metric}_sd": rows.sd,
            f"{metric}_low": rows.low,
            f"{metric}_high": rows.high,
            f"{metric}_n": rows.n,
        }
        parts.append(pd.DataFrame(columns, index=keys))
    return parts


def _costs(measurements: pd.DataFrame, keys: pd.Index[str]) -> list[pd.DataFrame]:
    """The latest measurement of each mix; sizes other than the main one as metric@size."""
    main = main_mode(measurements)
    parts = []
    groups = measurements.groupby(["metric", "mode"], sort=False, observed=True)
    for (metric, mode), rows in groups:
        name = str(metric) if main[str(metric)] == mode else f"{metric}@{mode}"
        last = rows.drop_duplicates("subject", keep="last").set_index("subject").reindex(keys)
        columns = {name: last["value"], f"{name}_low": last["low"], f"{name}_high": last["high"]}
        parts.append(pd.DataFrame(columns).dropna(axis=1, how="all"))
    return parts
