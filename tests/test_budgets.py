from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from reports.analysis.budgets import budgets, fewer_steps, roundest, win_shares, winner
from reports.analysis.frugality import rates, rates_with_intervals


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (4.7, 6.3, 5.0),
        (5.0, 6.3, 5.0),
        (10.2, 14.1, 12.0),
        (9.2, 10.0, 9.5),
        (12.1, 12.9, 12.5),
        (0.0231, 0.0239, 0.0235),
        (37.0, 260.0, 50.0),
        (1234.5, 1234.6, 1234.5),
        (0.0102 / 1e-3, 10.29, 10.2),  # a float above 10.2
    ],
)
def test_a_budget_is_the_roundest_number_between_two_steps(low, high, wanted):
    assert roundest(low, high) == wanted


@settings(max_examples=200, deadline=None)
@given(some.floats(1e-6, 1e9), some.floats(1.0001, 100.0))
def test_a_round_number_is_enough_for_one_and_too_little_for_the_next(low, times):
    assert low * (1.0 - 1e-12) <= roundest(low, low * times) < low * times


def test_between_equal_or_unreal_costs_there_is_no_budget():
    with pytest.raises(ValueError, match="lies between two positive costs; got 2 and 2"):
        roundest(2.0, 2.0)
    with pytest.raises(ValueError, match="got 0 and 2"):
        roundest(0.0, 2.0)


def test_every_step_of_a_staircase_has_a_budget_and_the_last_takes_any():
    costs = [1.0, 2.0, 2.2]
    # the second and the third can't be told apart: the budget lies between what was measured
    assert budgets(costs, [0.9, 1.9, 2.0], [1.2, 2.1, 2.4]) == [1.5, 2.0, math.inf]
    assert budgets([3.0], [3.0], [3.0]) == [math.inf]
    assert budgets([], [], []) == []


def test_of_many_steps_those_are_kept_that_gain_most():
    assert fewer_steps([1.0, 1.1, 3.0, 3.05, 4.0], 3) == [0, 2, 4]
    assert fewer_steps([1.0, 2.0], 1) == [0, 1]
    assert fewer_steps([1.0], 5) == [0]


def test_the_best_that_fits_wins_and_of_equals_the_cheapest():
    scores, costs = np.array([30.0, 31.0, 31.0, np.nan]), np.array([1.0, 3.0, 2.0, 0.5])
    assert winner(scores, costs, 1.5) == 0
    assert winner(scores, costs, math.inf) == 2
    assert winner(scores, costs, 0.7) is None


def test_wins_are_counted_over_draws_in_which_something_fits():
    scores = np.array([[30.0, 31.0], [32.0, 31.0], [32.0, 31.0], [30.0, 31.0]])
    costs = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 1.0], [3.0, 3.0]])
    assert win_shares(scores, costs, 2.0).tolist() == [0.25, 0.5]
    assert win_shares(scores, costs, 1.0).tolist() == [0.5, 0.25]


def test_a_rate_is_gain_over_what_is_spent_beyond_the_zero():
    found = rates(np.array([8.0, 9.0, 1.0]), np.array([2.0, 5.0, 1.02]), 1.0)
    np.testing.assert_allclose(found, [8.0, 2.25, np.nan])  # the last costs 2 % more than nothing
    np.testing.assert_allclose(rates(np.array([8.0]), np.array([2.0]), 0.0), [4.0])


def test_rates_have_intervals_over_draws():
    rng = np.random.default_rng(0)
    gains, costs = np.array([8.0, 1.0]), np.array([2.0, 0.1])
    drawn = (gains + rng.normal(0, 0.2, (4000, 2)), np.broadcast_to(costs, (4000, 2)))
    found = rates_with_intervals(gains, costs, 0.0, drawn)
    assert found.low[0] == pytest.approx(4.0 - 1.96 * 0.1, abs=0.01)
    assert found.high[0] == pytest.approx(4.0 + 1.96 * 0.1, abs=0.01)
    alone = rates_with_intervals(gains, costs, 1.0, None)
    assert alone.value[0] == 8.0
    assert np.isnan([alone.low[0], alone.high[0], alone.value[1]]).all()
    partly = rates_with_intervals(gains, costs, 1.0, drawn)
    assert np.isnan(partly.low[1])
