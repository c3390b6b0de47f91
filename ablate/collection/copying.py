"""Rows and files of one run, as another takes them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ablate.collection.fitting import Part
from ablate.costs.placing import BOUND
from ablate.costs.stage_phase import TOPIC
from reports.record import Measurement, MixRow, Note, StageRow

# Topics of notes that a run makes anew: on what sittings measured, and on how its search ended.
MADE_ANEW: Final = ("latency", "launch", "conditions", "sensors", "energy", BOUND, TOPIC, "search")


def mix_rows(part: Part) -> list[MixRow]:
    """The mixes of a run with their levels and stages."""
    levels = part.record.levels().groupby("mix", sort=False, observed=True)
    stages = part.record.stages().groupby("mix", sort=False, observed=True)
    of_levels = {key: dict(zip(t["axis"], t["level"], strict=True)) for key, t in levels}
    of_stages = {
        key: tuple(StageRow(*row[1:]) for row in table.to_numpy().tolist()) for key, table in stages
    }
    return [
        MixRow(
            key=row["key"],
            label=row["label"],
            spec=row["spec"],
            levels=of_levels.get(row["key"], {}),
            stages=of_stages.get(row["key"], ()),
            baseline=bool(row["baseline"]),
        )
        for row in part.mixes.to_dict("records")
    ]


def counted(part: Part) -> list[Measurement]:
    """What is known of mixes wherever they run: all that no sitting measured and no trial."""
    measured = part.record.measurements()
    trials = {*part.trials["key"], *part.record.partials()["key"]}
    kept = measured[(measured["sitting"] == "") & ~measured["subject"].isin(trials)]
    return measurements(kept)


def remarks(part: Part) -> list[Note]:
    """What was noted of mixes, trials and the whole run, wherever they run."""
    notes = part.record.notes()
    kept = notes[~notes["topic"].isin(MADE_ANEW)]
    return [Note(**row) for row in named(kept)]


def measurements(table: pd.DataFrame) -> list[Measurement]:
    """The rows of a table of measurements as `Measurement`s; an end that is not there is none."""
    rows = named(table)
    for row in rows:
        row |= {end: None for end in ("low", "high") if pd.isna(row[end])}
    return [Measurement(**row) for row in rows]


def named(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as arguments by name."""
    return [{str(n): v for n, v in row.items()} for row in table.to_dict("records")]


def link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk has no links.

    Raises:
        FileNotFoundError: It is not there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
