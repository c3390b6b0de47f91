from __future__ import annotations

import numpy as np
import pytest

from reports.analysis.knee import knee, knee_shares, knees
from reports.analysis.pareto import fronts

UP_DOWN = ("higher", "lower")


def test_the_knee_bulges_furthest_beyond_the_line_through_the_ends():
    # scaled: (0, 0), (1/4, 0.8), (3/4, 0.9), (1, 1) of cost and quality
    points = np.array([[20.0, 1.0], [28.0, 2.0], [29.0, 4.0], [30.0, 5.0], [10.0, 9.0]])
    assert knee(points, UP_DOWN) == 1
    assert knee(-points, ("lower", "higher")) == 1


def test_of_three_objectives_it_lies_beyond_the_plane():
    ends = np.eye(3) * 3.0
    points = np.vstack([ends, [[0.9, 0.9, 0.9]], [[0.4, 0.4, 1.0]]])
    assert knee(points, ["lower"] * 3) == 4


@pytest.mark.parametrize(
    "points",
    [
        [[30.0, 1.0]],
        [[30.0, 1.0], [31.0, 2.0]],
        [[30.0, 1.0], [31.0, 2.0], [32.0, 3.0]],  # straight
        [[30.0, 1.0], [30.2, 2.5], [32.0, 3.0]],  # bulges the other way
        [[30.0, 1.0], [30.0, 1.0], [30.0, 1.0]],  # equal
    ],
)
def test_a_front_that_does_not_bulge_has_no_knee(points):
    assert knee(np.array(points), UP_DOWN) is None


def test_a_knee_is_as_steady_as_the_share_of_draws_that_have_it():
    first = [[20.0, 1.0], [28.0, 2.0], [29.0, 4.0], [30.0, 5.0]]
    other = [[20.0, 1.0], [21.0, 2.0], [29.5, 2.5], [30.0, 5.0]]
    none = [[20.0, 1.0], [19.0, 2.0], [19.0, 4.0], [19.0, 5.0]]
    draws = np.array([first, first, other, none])
    on_front = fronts(draws, UP_DOWN)
    assert knees(draws, UP_DOWN, on_front).tolist() == [1, 1, 2, -1]
    assert knee_shares(draws, UP_DOWN, on_front).tolist() == [0.0, 0.5, 0.25, 0.0]


def test_nothing_has_no_knee():
    assert knees(np.zeros((2, 0, 2)), UP_DOWN, np.zeros((2, 0), dtype=bool)).tolist() == [-1, -1]
