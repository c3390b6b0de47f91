from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from reports.analysis.paired import holm_all, paired
from reports.analysis.statistics import holm, summarise


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5, 8, 11])
def test_many_pairs_at_once_are_what_each_is_by_itself(seeds):
    values = np.random.default_rng(seeds).normal(30, 0.3, (12, seeds))
    values[3, 1:] = np.nan
    values[4] = np.nan
    values[5] = values[0] + 0.25  # without an error
    found = paired(values, 0)
    for row, gap in enumerate(values - values[0]):
        one = summarise(gap)
        assert found.n[row] == one.n
        for mine, wanted in zip(
            (found.mean[row], found.low[row], found.high[row]),
            (one.mean, one.low, one.high),
            strict=True,
        ):
            assert mine == pytest.approx(wanted, nan_ok=True)
        if one.sd > 1e-9 or one.n < 3:
            assert found.p_value[row] == pytest.approx(one.p_value, abs=1e-12)
    assert found.p_value[0] == 1.0
    assert found.claimable.tolist() == (found.n >= 3).tolist()


@settings(max_examples=60, deadline=None)
@given(some.lists(some.sampled_from([0.0, 0.001, 0.01, 0.012, 0.02, 0.05, 0.2, 1.0]), max_size=9))
def test_holm_of_many_is_holm_of_each(p_values):
    assert holm_all(np.array(p_values)).tolist() == holm(p_values)
