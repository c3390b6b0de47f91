from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from reports.analysis.pareto import beaten, front, front_probability, fronts, near_front

UP_DOWN = ("higher", "lower")
POINTS = np.array([[30.0, 10.0], [29.0, 5.0], [28.0, 6.0], [31.0, 20.0], [29.0, 5.0]])


def test_a_point_is_on_the_front_if_no_other_is_at_least_as_good_and_once_better():
    assert front(POINTS, UP_DOWN).tolist() == [True, True, False, True, True]


def test_an_equal_objective_does_not_save_a_point():
    points = np.array([[30.0, 10.0], [30.0, 11.0], [29.0, 10.0]])
    assert front(points, UP_DOWN).tolist() == [True, False, False]


def test_what_was_not_measured_is_off_the_front_and_dominates_nothing():
    points = np.array([[99.0, np.nan], [30.0, 10.0]])
    assert front(points, UP_DOWN).tolist() == [False, True]


def test_no_point_has_no_front():
    assert front(np.zeros((0, 2)), UP_DOWN).tolist() == []


def by_definition(points: np.ndarray) -> list[bool]:
    """Lower is better."""
    return [
        not any((other <= point).all() and (other < point).any() for other in points)
        for point in points
    ]


@settings(max_examples=60, deadline=None)
@given(
    some.integers(1, 4).flatmap(
        lambda k: arrays(np.float64, (12, k), elements=some.integers(0, 4).map(float))
    )
)
def test_the_front_is_what_the_definition_says(points):
    assert front(points, ["lower"] * points.shape[1]).tolist() == by_definition(points)
    assert front(-points, ["higher"] * points.shape[1]).tolist() == by_definition(points)


def test_directions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"1 directions do not fit points of shape \(5, 2\)"):
        front(POINTS, ["higher"])
    with pytest.raises(ValueError, match="a direction is higher or lower; got 'up'"):
        front(POINTS, ["up", "lower"])


def test_near_the_front_is_within_epsilon_in_some_objective():
    points = np.array([[30.0, 10.0], [29.95, 10.2], [29.0, 12.0], [np.nan, 1.0]])
    assert near_front(points, UP_DOWN, (0.1, 0.5)).tolist() == [True, True, False, False]
    assert near_front(points, UP_DOWN, (0.0, 0.0)).tolist() == [True, False, False, False]


def test_front_probability_counts_draws():
    draws = np.array([[[30.0, 1.0], [29.0, 2.0]], [[30.0, 1.0], [31.0, 2.0]]])
    assert front_probability(draws, UP_DOWN).tolist() == [1.0, 0.5]


@settings(max_examples=40, deadline=None)
@given(
    some.integers(1, 4).flatmap(
        lambda k: arrays(np.float64, (3, 9, k), elements=some.integers(0, 3).map(float))
    )
)
def test_the_fronts_of_draws_are_those_of_each_by_itself(draws):
    directions = ["higher", "lower", "higher", "lower"][: draws.shape[2]]
    each = [front(points, directions) for points in draws]
    np.testing.assert_array_equal(fronts(draws, directions), each)


def test_no_draw_has_no_fronts():
    assert fronts(np.zeros((0, 4, 2)), UP_DOWN).shape == (0, 4)
    assert fronts(np.zeros((3, 0, 2)), UP_DOWN).shape == (3, 0)


@pytest.mark.parametrize("objectives", [2, 3])
def test_of_many_points_none_on_the_front_is_beaten_and_every_other_is(objectives):
    points = np.random.default_rng(0).normal(size=(20_000, objectives)).round(2)
    mask = front(points, ["lower"] * objectives)
    assert not beaten(points[mask], points[mask]).any()
    assert beaten(points[~mask], points[mask]).all()


def test_points_far_out_are_points_like_others():
    points = np.array([[np.inf, 1.0], [1.0, np.inf], [np.inf, np.inf], [np.inf, 1.0]])
    assert front(points, ["lower"] * 2).tolist() == [True, True, False, True]


def test_within_epsilon_is_who_no_other_beats_by_all_of_it():
    points = np.array([[30.0, 10.0], [29.9, 10.5], [29.9, 10.6], [29.8, 10.5]])
    assert near_front(points, UP_DOWN, (0.1, 0.5)).tolist() == [True, True, False, False]
    counted = np.array([[30.0, 10.0], [29.95, 10.0], [29.0, 10.0]])  # of equal cost
    assert near_front(counted, UP_DOWN, (0.1, 0.0)).tolist() == [True, True, False]
