"""Stages of mixes with their places under the roofs of the machine, read from a record."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pandas as pd

from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.units import plain

LIMIT = "bound"  # topic of notes on what limits a stage
MACHINE = "machine"  # subject of the roofs
COLUMNS = ("intensity", "roof_share", "latency", "flops")


@dataclass(frozen=True)
class Placed(Named):
    """One stage of one mix.

    Args:
        slot: The stage.
        family: Of its blocks.
        intensity: Operations per byte moved.
        rate: Operations per second that it came to.
        share: Least time that its limit allows, over the time it took.
        limit: What limits it, in words.
    """

    slot: str
    family: str
    intensity: float
    rate: float
    share: float
    limit: str


def roofs(rows: pd.DataFrame, mode: str) -> tuple[float, float] | None:
    """Bytes and operations per second of the machine at best, the latest."""
    own = rows[(rows["subject"] == MACHINE) & (rows["mode"] == mode)]
    last = own.drop_duplicates("metric", keep="last").set_index("metric")["value"]
    values = [float(last.get(name, 0.0)) for name in ("copy_bandwidth", "product_rate")]
    return (values[0], values[1]) if min(values) > 0 else None


def mixes_placed(found: Found, known: pd.DataFrame) -> list[str]:
    """Mixes with stages that were placed, the front first."""
    named = dict.fromkeys(str(subject).partition(":")[0] for subject in known["subject"])
    there = [mix for mix in named if mix in found.table.index]
    return [
        *(m for m in found.letters if m in there),
        *(m for m in there if m not in found.letters),
    ]


def placed(found: Found, mode: str, mixes: Collection[str]) -> Iterator[Placed]:
    """Stages of these mixes with everything that a place takes."""
    rows = found.measurements
    rows = rows[rows["metric"].isin(COLUMNS) & rows["subject"].str.contains(":", regex=False)]
    size = mode.partition(" ")[0]  # operations are counted, whatever the way of running
    rows = rows[(rows["mode"] == mode) | ((rows["metric"] == "flops") & (rows["mode"] == size))]
    table = rows.pivot_table(
        index="subject", columns="metric", values="value", aggfunc="last", observed=True
    )
    table = table.reindex(columns=list(COLUMNS)).dropna()
    notes = found.notes[found.notes["topic"] == LIMIT]
    limits = dict(zip(notes["subject"], notes["text"], strict=True))
    filled = found.stages[["mix", "slot", "family"]].to_numpy().tolist()
    families = {(str(mix), str(slot)): str(family) for mix, slot, family in filled}
    for subject, (intensity, share, seconds, flops) in zip(
        table.index, table.to_numpy(dtype=float).tolist(), strict=True
    ):
        mix, _, slot = str(subject).rpartition(":")
        if mix in mixes and min(intensity, seconds, flops) > 0 and math.isfinite(intensity):
            yield Placed(
                mix=mix,
                label=found.label(mix),
                letter=found.letters.get(mix, ""),
                slot=plain(slot),
                family=families.get((mix, slot), ""),
                intensity=intensity,
                rate=flops / seconds,
                share=share,
                limit=limits.get(str(subject), ""),
            )
