from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.design import Design
from reports.analysis.estimates import of_costs, of_trials
from reports.analysis.power import smallest_difference
from reports.analysis.swaps import swaps
from tests.test_regression import design

ADD = np.array([0.0, 0.3, 1.0])


def measured(of: Design, noise: float = 0.01, seeds: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    values = 28.0 + ADD[of.codes[:, 0]] + 0.1 * of.codes[:, -1]
    return of_trials(of, values[:, None] + rng.normal(0.0, noise, (of.mixes, seeds)))


def test_a_swap_is_the_mean_over_pairs_that_differ_in_nothing_else():
    found = measured(design(3, 2, 2))
    by_name = {(swap.axis, swap.before, swap.after): swap for swap in swaps(found)}
    assert len(by_name) == 3 + 1 + 1
    swap = by_name["axis0", "level0", "level2"]
    codes, means = found.model.design.codes, found.means
    by_hand = means[codes[:, 0] == 2].mean() - means[codes[:, 0] == 0].mean()
    assert swap.value == pytest.approx(by_hand)
    assert (swap.pairs, swap.contexts, swap.paired, swap.claimed) == (4, 4, True, True)
    assert swap.low < 1.0 < swap.high


def test_a_swap_the_other_way_round_has_the_other_sign():
    swap = swaps(measured(design(3, 2)))[0]
    other = swap.reversed
    assert (other.before, other.after) == (swap.after, swap.before)
    assert (other.value, other.low, other.high) == (-swap.value, -swap.high, -swap.low)


def test_where_no_pair_was_tried_the_fit_says_it():
    # levels 0 and 2 of the first axis never meet the same level of the second
    codes = np.array([[0, 0], [1, 0], [1, 1], [2, 1], [1, 2], [0, 2], [2, 3], [1, 3]])
    names = (("a", "b", "c"), ("p", "q", "r", "s"))
    found = {(s.before, s.after): s for s in swaps(measured(Design(("x", "y"), names, codes)))}
    swap = found["a", "c"]
    assert (swap.pairs, swap.paired) == (0, False)
    assert swap.value == pytest.approx(1.0, abs=0.05)
    assert swap.contexts == 4


def test_few_pairs_among_many_mixes_leave_it_to_the_fit():
    rng = np.random.default_rng(7)
    whole = design(3, 4, 4, 4)
    of = whole.only(np.isin(np.arange(whole.mixes), rng.permutation(whole.mixes)[:40]))
    values = ADD[of.codes[:, 0]] + rng.normal(0.0, 0.3, 40)  # one pair is no judge
    found = swaps(of_trials(of, values[:, None] + rng.normal(0.0, 0.01, (40, 3))))
    assert all(swap.pairs < swap.contexts for swap in found)
    assert not any(swap.paired for swap in found if swap.pairs <= 2)


def test_no_swap_is_claimed_with_two_seeds_or_without_a_difference():
    assert not any(swap.claimed for swap in swaps(measured(design(3, 2), seeds=2)))
    rng = np.random.default_rng(3)
    claims = 0
    for _ in range(60):
        of = design(3, 3)
        found = swaps(of_trials(of, rng.normal(0.0, 1.0, (9, 3))))
        claims += any(swap.claimed for swap in found)
    assert claims <= 8  # three are due


def test_the_smallest_difference_belongs_to_the_error_of_the_swap():
    swap = swaps(measured(design(3, 2, 2)))[0]
    half = swap.high - swap.value
    assert 1.2 * half < swap.smallest < 2.0 * half
    alone = swaps(measured(Design(("a",), (("x", "y"),), np.array([[0], [1]]))))[0]
    sd = (alone.high - alone.value) / 4.302653 * math.sqrt(3)
    assert alone.smallest == pytest.approx(smallest_difference(sd, 3), rel=1e-5)


def test_costs_have_their_own_intervals_and_no_smallest_difference():
    levels = pd.DataFrame({"a": ["x", "y"], "b": ["p", "p"]}, index=["m0", "m1"])
    values = pd.Series([1.0, 3.0], levels.index)
    (swap,) = swaps(of_costs(levels, values, values - 0.3, values + 0.3))
    assert (swap.value, swap.high - swap.value) == pytest.approx((2.0, math.hypot(0.3, 0.3)))
    assert swap.claimed
    assert math.isnan(swap.smallest)


def test_counts_differ_without_an_interval_where_every_combination_is_there():
    levels = pd.DataFrame(
        {"a": ["x", "x", "y", "y"], "b": ["p", "q", "p", "q"]}, index=list("abcd")
    )
    none = pd.Series(math.nan, levels.index)
    counts = pd.Series([1.0, 2.0, 3.0, 4.0], levels.index)
    found = swaps(of_costs(levels, counts, none, none, exact=True))
    assert [(swap.value, swap.claimed) for swap in found] == [(2.0, True), (1.0, True)]
    assert all(math.isnan(swap.low) for swap in found)


def test_one_at_a_time_gives_pairs_and_no_more_than_they_say():
    codes = np.array([[0, 0], [1, 0], [2, 0], [0, 1]])
    names = (("a", "b", "c"), ("p", "q"))
    of = measured(Design(("x", "y"), names, codes))
    found = swaps(of)
    assert all(swap.paired and swap.pairs == 1 for swap in found)
    assert {swap.contexts for swap in found} == {2, 3}
    assert not of.misfit.known  # whether they hold beside other choices


def test_axes_that_only_vary_together_are_not_compared():
    codes = np.array([[0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]])
    found = swaps(measured(Design(("x", "y", "z"), (("a", "b"),) * 3, codes)))
    assert [swap.axis for swap in found] == ["z"]
