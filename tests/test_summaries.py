"""Many rows at once say what each row says by itself."""

from __future__ import annotations

import numpy as np
import pytest

from reports.analysis.statistics import summarise
from reports.analysis.summaries import summaries


def test_every_row_is_summarised_as_it_would_be_alone():
    values = np.random.default_rng(1).normal(28, 1, (40, 5))
    values[np.random.default_rng(2).random((40, 5)) < 0.4] = np.nan
    values[0] = np.nan
    values[1] = [np.nan, 27.5, np.nan, np.nan, np.nan]
    found = summaries(values)
    for at, row in enumerate(values):
        alone = summarise(row)
        assert found.n[at] == alone.n
        for name in ("mean", "sd", "low", "high"):
            assert getattr(found, name)[at] == pytest.approx(getattr(alone, name), nan_ok=True)


def test_no_rows_have_no_summaries():
    assert len(summaries(np.empty((0, 3))).mean) == 0
    assert summaries(np.empty((2, 0))).n.tolist() == [0, 0]
