from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from reports.analysis.paired import holm_all, paired
from reports.analysis.seeds import scatter
from reports.analysis.statistics import holm, summarise, t_quantile


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 8, 11])
def test_two_mixes_are_held_against_each_other_by_the_paired_t_test(seeds):
    values = np.random.default_rng(seeds).normal(30, 0.3, (2, seeds))
    found, one = paired(values, 0), summarise(values[1] - values[0])
    assert found.n.tolist() == [seeds, seeds]
    assert found.mean[1] == pytest.approx(one.mean)
    assert (found.low[1], found.high[1]) == (pytest.approx(one.low), pytest.approx(one.high))
    assert found.p_value[1] == pytest.approx(one.p_value, abs=1e-12)
    assert (found.mean[0], found.low[0], found.p_value[0]) == (0.0, 0.0, 1.0)
    assert found.claimable.tolist() == [seeds >= 3] * 2


def test_the_scatter_of_all_mixes_judges_each_unless_its_own_is_larger():
    rng = np.random.default_rng(0)
    values = 30 + rng.normal(0, 0.1, (40, 3)) + rng.normal(0, 1.0, 3)  # seeds shift all alike
    values[5] = values[0] + 0.2  # by luck without any scatter
    values[6] = values[0] + np.array([-2.0, 0.0, 2.0])
    found, (sd, degrees) = paired(values, 0), scatter(values)
    half = t_quantile(0.975, degrees) * sd * math.sqrt(2 / 3)
    assert found.high[5] - found.mean[5] == pytest.approx(half)
    assert found.high[6] - found.mean[6] == pytest.approx(t_quantile(0.975, degrees) * 2 / 3**0.5)
    assert found.p_value[5] > 1e-6


def test_claims_of_no_difference_are_wrong_as_seldom_as_they_say():
    rng = np.random.default_rng(1)
    false, held = 0, 0
    for _ in range(200):
        values = rng.normal(0, 0.1, (8, 3)) + rng.normal(0, 0.5, 3)
        found = paired(values, 0)
        false += holm_all(found.p_value[1:]).any()
        held += ((found.low <= 0.0) & (found.high >= 0.0))[1:].sum()
    assert false <= 16  # of 200, where 5 % are 10
    assert held >= 0.94 * 200 * 7


def test_without_a_second_seed_nothing_is_claimed():
    found = paired(np.array([[1.0], [2.0], [np.nan]]), 0)
    assert found.mean[1] == 1.0
    assert np.isnan([found.low[1], found.mean[2]]).all()
    assert found.p_value.tolist() == [1.0, 1.0, 1.0]


def test_a_mix_that_shares_no_seed_is_unknown():
    values = np.array([[1.0, 2.0, np.nan], [1.5, 2.5, np.nan], [np.nan, np.nan, 3.0]])
    found = paired(values, 0)
    assert (found.n[2], found.p_value[2]) == (0, 1.0)
    assert np.isnan([found.mean[2], found.low[2]]).all()


@settings(max_examples=60, deadline=None)
@given(some.lists(some.sampled_from([0.0, 0.001, 0.01, 0.012, 0.02, 0.05, 0.2, 1.0]), max_size=9))
def test_holm_of_many_is_holm_of_each(p_values):
    assert holm_all(np.array(p_values)).tolist() == holm(p_values)
