from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from reports.analysis.pareto import front, front_probability, hypervolume, near_front

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


def test_ten_thousand_points_take_less_than_two_seconds():
    points = np.random.default_rng(0).normal(size=(10_000, 3))
    start = time.process_time()
    front(points, ["lower"] * 3)
    assert time.process_time() - start < 2.0


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


def test_hypervolume_is_the_area_of_the_staircase():
    points = np.array([[1.0, 3.0], [2.0, 1.0], [2.5, 2.5], [9.0, 9.0]])
    # lower is better: (4-1)(4-3) + (4-2)(3-1)
    assert hypervolume(points, ["lower", "lower"], (4.0, 4.0)) == 7.0
    assert hypervolume(points, ["lower", "lower"], (1.0, 1.0)) == 0.0


def test_hypervolume_of_boxes_counts_what_they_share_once():
    # lower is better, corner (3, 3, 3): boxes of 8, of 3 x 1 x 1 and of 1 x 1 x 3
    points = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0], [2.0, 2.0, 0.0], [2.0, 2.0, 2.5]])
    three, corner = ["lower"] * 3, (3.0, 3.0, 3.0)
    assert hypervolume(points[:1], three, corner) == 8.0
    assert hypervolume(points, three, corner) == 8.0 + 1.0 + 1.0
    assert hypervolume(-points, ["higher"] * 3, (-3.0, -3.0, -3.0)) == 10.0
    assert hypervolume(points[:, :1], ["lower"], (3.0,)) == 3.0
    assert hypervolume(points[:0], three, corner) == 0.0


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (6, 3), elements=some.integers(0, 3).map(float)))
def test_hypervolume_counts_the_unit_cells_below_the_front(points):
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    covered = (points[None, :, :] <= cells[:, None, :]).all(axis=2).any(axis=1)
    assert hypervolume(points, ["lower"] * 3, (4.0, 4.0, 4.0)) == covered.sum()


def test_a_reference_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"2 directions do not fit points of shape \(1, 3\)"):
        hypervolume(np.zeros((1, 2)), ["lower"] * 2, (1, 1, 1))
