"""The record of a run: everything measured, in one SQLite file that only this package reads."""

from __future__ import annotations

from reports.record.reading import Reading
from reports.record.rows import (
    CurvePoint,
    Measurement,
    Metric,
    MixRow,
    Note,
    PartialRow,
    Picture,
    RecordError,
    Sample,
    StageRow,
    TrialRow,
)
from reports.record.writing import Record

__all__ = [
    "CurvePoint",
    "Measurement",
    "Metric",
    "MixRow",
    "Note",
    "PartialRow",
    "Picture",
    "Reading",
    "Record",
    "RecordError",
    "Sample",
    "StageRow",
    "TrialRow",
]
