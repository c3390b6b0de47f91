from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from reports.analysis.volume import covered, hypervolume, hypervolumes

UP_DOWN = ("higher", "lower")


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
@given(
    some.integers(2, 4).flatmap(
        lambda k: arrays(np.float64, (6, k), elements=some.integers(0, 3).map(float))
    )
)
def test_hypervolume_counts_the_unit_cells_below_the_front(points):
    objectives = points.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(4)] * objectives), axis=-1).reshape(-1, objectives)
    inside = (points[None, :, :] <= cells[:, None, :]).all(axis=2).any(axis=1)
    volume = hypervolume(points, ["lower"] * objectives, (4.0,) * objectives)
    assert volume == pytest.approx(inside.sum())


@pytest.mark.parametrize("objectives", [2, 3])
def test_volumes_of_draws_are_those_of_each_by_itself(objectives):
    draws = np.random.default_rng(0).normal(size=(5, 30, objectives))
    directions, corner = ["higher"] * objectives, [-0.5] * objectives
    each = [hypervolume(points, directions, corner) for points in draws]
    np.testing.assert_allclose(hypervolumes(draws, directions, corner), each)


def test_a_reference_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"2 directions do not fit points of shape \(1, 3\)"):
        hypervolume(np.zeros((1, 2)), ["lower"] * 2, (1, 1, 1))


def test_what_a_front_covers_is_a_share_of_the_box_of_all_points():
    points = np.array([[30.0, 1.0], [31.0, 2.0], [32.0, 3.0]])
    # in units of the box: steps of half a side; the middle point covers a quarter
    assert covered(points, UP_DOWN).value == pytest.approx(0.25)
    corner = np.array([[32.0, 1.0], [30.0, 3.0]])
    assert covered(corner, UP_DOWN).value == pytest.approx(1.0)
    assert math.isnan(covered(points[:1], UP_DOWN).value)


def test_the_interval_of_what_is_covered_holds_the_truth():
    rng = np.random.default_rng(0)
    truth = np.stack([30.0 + 0.2 * np.arange(8), 1.0 + np.arange(8.0)], axis=1)
    held, off = 0, []
    for _ in range(60):
        noise = np.stack([rng.normal(0, 0.1, 8), np.zeros(8)], axis=1)
        measured = truth + noise
        drawn = measured + np.stack([rng.normal(0, 0.1, (200, 8)), np.zeros((200, 8))], axis=2)
        said = covered(measured, UP_DOWN, drawn)
        costs, true = measured * [-1, 1], truth * [-1, 1]
        box = np.ptp(costs, axis=0).prod()
        real = hypervolume(true, ["lower"] * 2, costs.max(axis=0).tolist()) / box
        held += said.low <= real <= said.high
        off.append(said.value - real)
    assert held >= 52
    assert abs(np.mean(off)) < 0.01
