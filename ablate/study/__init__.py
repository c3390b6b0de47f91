"""Studies: questions in TOML files, read completely and checked before anything is trained."""

from __future__ import annotations

from ablate.study.loading import load_study, shipped_studies
from ablate.study.places import StudyError
from ablate.study.points import Axis
from ablate.study.schema import schema
from ablate.study.study import ReportSettings, Study

__all__ = [
    "Axis",
    "ReportSettings",
    "Study",
    "StudyError",
    "load_study",
    "schema",
    "shipped_studies",
]
