"""A checksum over all that a trial left in the record, so that what changed since is found."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reports.record import CurvePoint, Measurement, Reading, TrialRow

SEAL = "seal"  # the fact of a trial that holds it
WEIGHTS = "weights_sha256"


def sealed(
    row: TrialRow, measurements: Iterable[Measurement], curve: Iterable[CurvePoint]
) -> TrialRow:
    """A trial's row with its seal among its facts."""
    plain = [[one.metric, one.value] for one in measurements]
    points = [[point.name, point.step, point.value] for point in curve]
    told = [row.key, row.mix, row.seed, row.status, row.reason, row.seconds]
    seal = _seal(told, row.facts.get(WEIGHTS, ""), plain, points)
    return replace(row, facts={**row.facts, SEAL: seal})


def broken_seals(record: Reading) -> list[str]:
    """Keys of trials that are not what was written: a disk or a hand changed them.

    Pictures are left out, and trials that were written before seals were.

    Raises:
        RecordError: The record cannot be read.
    """
    facts, trials = record.trial_facts(), record.trials()
    seals = dict(facts[facts["name"] == SEAL][["trial", "value"]].to_numpy().tolist())
    weights = dict(facts[facts["name"] == WEIGHTS][["trial", "value"]].to_numpy().tolist())
    measured, curve = record.measurements(), record.curve()
    values = _grouped(measured[["subject", "metric", "value"]].to_numpy().tolist())
    points = _grouped(curve[["trial", "name", "step", "value"]].to_numpy().tolist())
    broken = []
    for told in trials[["key", "mix", "seed", "status", "reason", "seconds"]].to_numpy().tolist():
        key = told[0]
        seal = _seal(told, weights.get(key, ""), values.get(key, []), points.get(key, []))
        if key in seals and seals[key] != seal:
            broken.append(str(key))
    return broken


def _grouped(rows: Sequence[list[object]]) -> dict[object, list[list[object]]]:
    groups: dict[object, list[list[object]]] = {}
    for owner, *rest in rows:
        groups.setdefault(owner, []).append(rest)
    return groups


def _seal(
    told: Sequence[object],
    weights: str,
    values: Iterable[Sequence[object]],
    points: Iterable[Sequence[object]],
) -> str:
    parts = [_plain(told), weights, sorted(map(_plain, values)), sorted(map(_plain, points))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _plain(row: Sequence[object]) -> list[str]:
    """Numbers as text that does not depend on their type: 3 and 3.0, Python's and NumPy's."""
    return [_text(value) for value in row]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    return "nan" if math.isnan(number) else number.hex()
