"""What the stages of each mix cost, as far as it was measured by stage."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.numbers.found import Found
from reports.numbers.results import main_mode

REST = "rest"  # what runs in no stage
STACKED = ("latency", "macs", "bytes_moved", "flops")  # what may be added up
ROOFLINE = "bound"  # topic of notes on what limits a stage


def by_stage(found: Found) -> pd.DataFrame:
    """Costs of stages: columns mix, slot, metric, mode, value, low, high; the latest of each."""
    rows = found.parts
    of_stage = [":" in str(subject) for subject in rows["subject"].tolist()]
    rows = rows.loc[np.array(of_stage, dtype=bool)]
    names = [str(subject).rpartition(":") for subject in rows["subject"].tolist()]
    rows = rows.assign(mix=[name[0] for name in names], slot=[name[2] for name in names])
    rows = rows[rows["mix"].isin(found.table.index)]
    modes = main_mode(rows) if len(rows) else {}
    rows = rows[rows["mode"] == rows["metric"].map(modes)]
    kept = rows.drop_duplicates(["mix", "slot", "metric"], keep="last")
    return kept[["mix", "slot", "metric", "mode", "value", "low", "high"]]


def stage_metrics(found: Found, table: pd.DataFrame) -> list[str]:
    """What can be added up first; other costs after it."""
    measured = [name for name in found.metrics if name in set(table["metric"])]
    return [*(n for n in STACKED if n in measured), *(n for n in measured if n not in STACKED)]


def of_metric(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of one cost."""
    return table[table["metric"] == metric]


def families_of_stages(found: Found) -> dict[tuple[str, str], str]:
    """(mix, slot) -> family."""
    rows = found.stages[["mix", "slot", "family"]].to_numpy().tolist()
    return {(str(mix), str(slot)): str(family) for mix, slot, family in rows}


def limits_of_stages(found: Found) -> dict[str, str]:
    """Subject, mix:slot -> what limits it, in words."""
    rows = found.notes[found.notes["topic"] == ROOFLINE]
    return dict(zip(rows["subject"], rows["text"], strict=True))
