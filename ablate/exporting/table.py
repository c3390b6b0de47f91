"""The trials of a run as one flat table, each with the levels and the costs of its mix."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from ablate.folder import RunFolder
from reports.numbers.found import Found
from reports.numbers.results import collect
from reports.tables import guarded, with_unit

UNTOLD = ("label", "baseline", "status", "on_front", "front_probability")


def export_csv(run: Path | str, file: Path | str) -> int:
    """Write one row for each trial: its mix on every axis, how it ended, all numbers in raw units.

    No text in it is a formula to a spreadsheet.
    A mix that was not trained yet has one row without a seed. The file appears whole or not at
    all.

    Returns:
        How many rows.

    Raises:
        RunError: There is no run.
        RecordError: Its record cannot be read.
    """
    file = Path(file)
    with RunFolder(Path(run)).open() as record:
        table = trial_table(collect(record))
    draft = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        guarded(table).to_csv(draft, index=False, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return len(table)


def trial_table(found: Found) -> pd.DataFrame:
    """One row for each trial and each mix without one, which is waiting or was stopped at a rung.

    Columns: mix (key), label, one for each axis, trial (key), seed, status, kind (of failure),
    reason, seconds, the metrics of the trial, the costs of its mix; named with their units.
    """
    axes = list(found.levels.columns)
    costs = [
        name
        for name in found.table.columns
        if name not in (*UNTOLD, *axes) and not _of_trials(found, str(name))
    ]
    mixes = found.table[["label", *axes, *costs]].rename_axis("mix").reset_index()
    table = mixes[["mix", "label", *axes]].merge(_trials(found), on="mix", how="left")
    table["status"] = table["status"].fillna(table["mix"].map(found.table["status"]))
    table["seed"] = table["seed"].astype("Int64")
    table = table.merge(mixes[["mix", *costs]], on="mix", how="left")
    return table.rename(columns=lambda name: with_unit(found, str(name)))


def _trials(found: Found) -> pd.DataFrame:
    """How each trial ended and what was measured of it."""
    facts = found.trial_facts
    kinds = facts[facts["name"] == "kind"].set_index("trial")["value"]
    trials = found.trials.rename(columns={"key": "trial"})
    trials.insert(4, "kind", trials["trial"].map(kinds))
    own = found.measurements[found.measurements["subject"].isin(trials["trial"])]
    values = own.pivot_table(
        index="subject", columns="metric", values="value", aggfunc="last", observed=True
    )
    return trials.join(values, on="trial")


def _of_trials(found: Found, column: str) -> bool:
    """Whether a column of the mixes sums up what their trials have for themselves."""
    return any(column == name or column.startswith(f"{name}_") for name in found.per_seed)
