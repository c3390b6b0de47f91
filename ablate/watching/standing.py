"""What the record of a run says so far: how many trials, the front up to now, what failed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.analysis.pareto import front
from reports.numbers.found import Found
from reports.numbers.results import collect
from reports.record import Reading

STAND_INS: Mapping[str, tuple[str, ...]] = {
    "latency": ("predicted_latency", "macs"),
    "energy": ("predicted_latency", "macs"),
}
"""What a cost is judged by as long as it was not measured of every mix: the first that is known."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that failed or diverged, with the kind of failure and its reason in one line."""

    label: str
    seed: int
    status: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OnFront:
    """A mix on the front so far, with the values of the metrics that it is drawn over."""

    key: str
    label: str
    trials: int
    values: Mapping[str, float]
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a run stands by its record.

    Args:
        study: Its name.
        question: What it asks.
        device: Where it trains.
        started: When its record was made, as written there.
        mixes: How many were proposed so far.
        statuses: How many trials ended how; "resting" are those that are at a rung.
        kinds: How many of those that failed did so by which kind of failure.
        failures: The last ones first.
        metrics: What the front so far is drawn over.
        units: Of these metrics, as values have them.
        headings: Of these metrics, with the unit that `words` have.
        remark: What stands in for an objective that is not measured yet; "" where nothing does.
        front: Mixes that no other dominates so far, the cheapest first.
    """

    study: str
    question: str
    device: str
    started: str
    mixes: int
    statuses: Mapping[str, int]
    kinds: Mapping[str, int]
    failures: tuple[Failure, ...]
    metrics: tuple[str, ...]
    units: Mapping[str, str]
    headings: tuple[str, ...]
    remark: str
    front: tuple[OnFront, ...]


def standing(record: Reading) -> Standing:
    """Read where a run stands; the record is left as it is.

    Raises:
        RecordError: It cannot be read.
    """
    found = collect(record, draws=0)
    metrics, remark = _judged_by(found)
    failures = _failures(found)
    members = _front(found, metrics)
    return Standing(
        study=found.facts.get("study_name", ""),
        question=found.facts.get("question", ""),
        device=found.facts.get("device", ""),
        started=found.facts.get("started", ""),
        mixes=len(found.table),
        statuses=_counted(found.trials["status"]) | _resting(found),
        kinds=_counted(pd.Series([f.kind for f in failures if f.kind], dtype=object)),
        failures=failures,
        metrics=metrics,
        units={name: found.metrics[name].unit for name in metrics if name in found.metrics},
        headings=tuple(found.scales[name].heading for name in metrics),
        remark=remark,
        front=tuple(_on_front(found, str(key), metrics) for key in members.index),
    )


def _counted(words: pd.Series) -> dict[str, int]:
    return {str(word): int(count) for word, count in words.value_counts().items()}


def _resting(found: Found) -> dict[str, int]:
    """Trials that were left at a rung, or are to go on from there."""
    number = len(set(found.partials["trial"]) - set(found.trials["key"]))
    return {"resting": number} if number else {}


def _judged_by(found: Found) -> tuple[tuple[str, ...], str]:
    """The objectives, with something known in the place of what is not, and a remark on that."""
    chosen: list[str] = []
    remarks = []
    for objective in found.objectives:
        known = next(
            (n for n in (objective, *STAND_INS.get(objective, ())) if _known(found, n)), ""
        )
        if known and known not in chosen:
            chosen.append(known)
        if known != objective and not found.ranked.empty:
            place = f"{known} stands in" if known else "left out so far"
            remarks.append(f"{objective} is not measured of every mix yet: {place}")
    return tuple(chosen), "; ".join(remarks)


def _known(found: Found, metric: str) -> bool:
    """Whether every mix that was trained has it."""
    ranked = found.ranked
    return metric in ranked and not ranked.empty and bool(ranked[metric].notna().all())


def _front(found: Found, metrics: tuple[str, ...]) -> pd.DataFrame:
    """The rows that no other dominates, by the last metric, which is usually the cost."""
    ranked = found.ranked
    better = [found.metrics[name].better for name in metrics]
    costs = ["lower" if side == "none" else side for side in better]  # a prediction of a cost
    if not metrics:
        return ranked.iloc[:0]
    mask = front(ranked[list(metrics)].to_numpy(dtype=float), costs)
    return ranked[np.asarray(mask)].sort_values(metrics[-1], kind="stable")


def _on_front(found: Found, key: str, metrics: tuple[str, ...]) -> OnFront:
    values = {name: found.number(key, name) for name in metrics}
    trials = found.trials[(found.trials["mix"] == key) & (found.trials["status"] == "done")]
    return OnFront(
        key=key,
        label=found.label(key),
        trials=len(trials),
        values={name: value for name, value in values.items() if math.isfinite(value)},
        words=tuple(found.scales[name].number(values[name]) for name in metrics),
    )


def _failures(found: Found) -> tuple[Failure, ...]:
    labels = found.table["label"].to_dict()
    facts = found.trial_facts
    kinds = facts[facts["name"] == "kind"].set_index("trial")["value"].to_dict()
    rows = found.trials[found.trials["status"].isin(["failed", "diverged"])]
    failures = [
        Failure(
            label=str(labels.get(row["mix"], row["mix"])),
            seed=int(row["seed"]),
            status=str(row["status"]),
            kind=str(kinds.get(row["key"], "diverged" if row["status"] == "diverged" else "")),
            reason=str(row["reason"]),
        )
        for row in rows.to_dict("records")
    ]
    return tuple(reversed(failures))
