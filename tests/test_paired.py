from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from reports.analysis.paired import beaten_by_best, paired
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
        false += any(holm(found.p_value[1:].tolist()))
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


def test_a_mix_with_fewer_seeds_is_told_from_others_by_those_that_both_have():
    rng = np.random.default_rng(2)
    values = 30 + rng.normal(0, 0.01, (6, 3)) + rng.normal(0, 1.0, 3)
    values[4], values[5] = values[4] + 1.0, values[5] + 1.0
    values[4, 2] = values[5, :2] = np.nan
    found, (sd, degrees) = paired(values, 0), scatter(values)
    assert degrees == 12 + 2 - 5 - 2  # values of mixes with several seeds, less mixes and seeds
    for row, seeds in ((4, 2), (5, 1)):
        assert found.n[row] == seeds and found.claimable[row] and found.p_value[row] < 1e-9
        own = values[row] - values[0]
        assert found.mean[row] == pytest.approx(np.nanmean(own))
        scattered = max(sd * math.sqrt(2), np.nanstd(own, ddof=1) if seeds > 1 else 0.0)
        half = t_quantile(0.975, degrees) * scattered / math.sqrt(seeds)
        assert found.high[row] - found.mean[row] == pytest.approx(half)
    from_one = paired(values, 5)  # from the mix with one seed, too
    assert from_one.claimable.tolist() == [True] * 4 + [False, True]  # no seed in common with 4
    assert from_one.p_value[0] < 1e-9


def test_two_seeds_to_a_mix_claim_nothing_however_many_mixes_there_are():
    values = np.random.default_rng(3).normal(0, 0.01, (20, 2)) + np.arange(20)[:, None]
    found = paired(values, 0)
    assert not found.claimable.any()
    assert (found.p_value == 1.0).all()
    known = paired(values, 0, scatter(values), most=3)  # the study has a mix with three
    assert known.claimable.all() and known.p_value[1] < 1e-9


def test_of_equal_mixes_the_best_seldom_beats_any_however_many_there_are():
    rng, mixes = np.random.default_rng(5), 24
    false = 0
    for _ in range(200):
        values = rng.normal(0, 0.1, (mixes, 3))
        best = int(values.mean(axis=1).argmax())
        p_values = np.delete(paired(values, best).p_value, best)
        false += beaten_by_best(p_values).any()
    assert false <= 16  # of 200; a best that is taken for granted does so in every fifth


@settings(max_examples=60, deadline=None)
@given(some.lists(some.sampled_from([0.0, 1e-4, 0.0016, 0.004, 0.02, 0.05, 0.2]), max_size=9))
def test_the_best_beats_who_is_far_enough_given_the_pairs_that_are_left(p_values):
    claimed, left = [False] * len(p_values), len(p_values) + 1
    for at in sorted(range(len(p_values)), key=lambda at: p_values[at]):
        if p_values[at] > 0.05 / math.comb(left, 2):
            break
        claimed[at], left = True, left - 1
    assert beaten_by_best(np.array(p_values)).tolist() == claimed
