"""Everything a report needs of a run, read from its record once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from reports.analysis.once import once
from reports.numbers.units import Scale, scale_of
from reports.record import Metric
from reports.record.hashing import record_hash


@dataclass(frozen=True)
class Found:
    """Everything a report needs, read from a record once; nobody changes it.

    Args:
        path: The record.
        facts: Facts of the run.
        objectives: Metrics that make the front; gains where mixes restored different inputs.
        metrics: All metrics by name.
        table: One row per mix, indexed by its key; see `results`.
        per_seed: For each metric of trials: rows mixes, columns seeds.
        levels: Rows mixes, columns axes.
        stages: Columns mix, slot, blocks, family, depth.
        trials: Columns key, mix, seed, status, reason, seconds.
        partials: Columns key, trial, mix, seed, step, seconds: trials at rungs, before their end.
        trial_facts: Columns trial, name, value.
        measurements: As recorded, for what is not in the table.
        samples: Columns subject, metric, mode, sitting, process, round, value: round by round, of
            the sittings that most mixes were timed in last, and of the machine.
        curve: Columns trial, name, step, value.
        notes: Columns subject, topic, text.
        followed: Mixes whose curves were read; None where they are those of all.
    """

    path: Path
    facts: Mapping[str, str]
    objectives: tuple[str, ...]
    metrics: Mapping[str, Metric]
    table: pd.DataFrame
    per_seed: Mapping[str, pd.DataFrame]
    levels: pd.DataFrame
    stages: pd.DataFrame
    trials: pd.DataFrame
    partials: pd.DataFrame
    trial_facts: pd.DataFrame
    measurements: pd.DataFrame
    samples: pd.DataFrame
    curve: pd.DataFrame
    notes: pd.DataFrame
    followed: frozenset[str] | None = None
    _columns: dict[str, list[float]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def record_hash(self) -> str:
        """SHA-256 of the record, as `sha256sum` prints it."""
        return record_hash(self.path)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """The measurements of whole networks, not of trials, of stages or of the machine."""
        return self.measurements[self._of_mixes]

    @cached_property
    def parts(self) -> pd.DataFrame:
        """The measurements of what is neither a whole network nor a trial: stages, the machine."""
        of_trials = self.measurements["metric"].isin(list(self.per_seed))
        return self.measurements[~self._of_mixes & ~of_trials]

    @cached_property
    def _of_mixes(self) -> pd.Series:
        return self.measurements["subject"].isin(self.table.index)

    @cached_property
    def cost_metrics(self) -> tuple[str, ...]:
        """What mixes are weighed by beside accuracy, as far as measured; the objectives first."""
        names = [
            name
            for name, metric in self.metrics.items()
            if metric.better != "none" and name not in self.per_seed
        ]
        first = [name for name in self.objectives if name in names]
        known = self.ranked.notna().any()
        return tuple(name for name in dict.fromkeys(first + names) if known.get(name, False))

    def number(self, mix: str, column: str) -> float:
        """One number of the table; NaN where it is absent."""
        if column not in self._columns:
            self._columns[column] = self._numbers(column)
        return self._columns[column][self._row[mix]]

    def label(self, mix: str) -> str:
        """The label of a mix."""
        return self._labels[self._row[mix]]

    def status(self, mix: str) -> str:
        """How its trials ended, see `results`; of a stopped one with the step."""
        status = self._statuses[self._row[mix]]
        at = self.number(mix, "stopped_at")
        return status if math.isnan(at) else f"{status} at step {at:.0f}"

    @cached_property
    def scales(self) -> dict[str, Scale]:
        """How each number of the table is shown, by its column."""
        names = [str(name) for name in self.table if str(name).partition("@")[0] in self.metrics]
        names = [name for name in names if not name.endswith(("_low", "_high"))]
        return {
            name: scale_of(name, self.metrics[name.partition("@")[0]].unit, self.table[name])
            for name in names
        }

    @cached_property
    def letters(self) -> dict[str, str]:
        """A, B, C ... for the mixes on the front (no baselines), cheapest first by the first cost.

        A front of more than 26 mixes goes on with A2, B2 ....
        """
        members = self.table[self.table["on_front"] & ~self.table["baseline"]]
        if members.empty:
            return {}
        costs = [name for name in self.objectives if name in self.cost_metrics]
        members = members.sort_values(list(costs or self.objectives)[:1])
        return {
            str(key): chr(ord("A") + at % 26) + (str(at // 26 + 1) if at >= 26 else "")
            for at, key in enumerate(members.index)
        }

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """The mixes that count: trained without diverging, and no baseline."""
        return self.table[self.table["status"].isin(["done", "partial"]) & ~self.table["baseline"]]

    @once
    def seeds(self, metric: str) -> pd.DataFrame:
        """Seed by seed what the mixes that count came to: their rows, columns seeds, NaN for none.

        Raises:
            KeyError: No trial was scored by this metric.
        """
        return self.per_seed[metric].reindex(self.ranked.index)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {str(key): at for at, key in enumerate(self.table.index.tolist())}

    @cached_property
    def _labels(self) -> list[str]:
        return list(map(str, self.table["label"].tolist()))

    @cached_property
    def _statuses(self) -> list[str]:
        return list(map(str, self.table["status"].tolist()))

    def _numbers(self, column: str) -> list[float]:
        """A column of the table as plain numbers; all NaN where there is none."""
        if column not in self.table:
            return [math.nan] * len(self.table)
        return self.table[column].to_numpy(dtype=float).tolist()
