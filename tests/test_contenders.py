"""Who can be on a front between bounds, and that leaving the others out changes no front."""

from __future__ import annotations

import numpy as np
import pytest

from reports.analysis.contenders import contenders
from reports.analysis.pareto import front


def test_a_point_that_is_beaten_at_its_best_by_another_at_its_worst_is_left_out():
    best = np.array([[30.0, 1.0], [29.0, 2.0], [29.9, 0.9]])
    worst = np.array([[29.5, 1.2], [28.0, 2.5], [29.0, 1.5]])
    assert contenders(best, worst, ("higher", "lower")).tolist() == [True, False, True]


def test_equal_points_and_those_that_touch_stay():
    points = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [np.nan, 0.0]])
    found = contenders(points, points, ("lower", "lower"))
    assert found.tolist() == [True, True, False, False]


@pytest.mark.parametrize("objectives", [2, 3])
def test_fronts_of_draws_are_the_same_without_those_that_are_left_out(objectives: int):
    rng = np.random.default_rng(3)
    middle, half = rng.normal(size=(300, objectives)), rng.uniform(0, 0.3, (300, objectives))
    directions = ("higher", *["lower"] * (objectives - 1))
    sign = np.where(np.asarray(directions) == "higher", 1.0, -1.0)
    kept = contenders(middle + sign * half, middle - sign * half, directions)
    assert 0 < kept.sum() < 300
    for _ in range(20):
        drawn = middle + rng.uniform(-1, 1, middle.shape) * half
        whole = front(drawn, directions)
        assert not whole[~kept].any()
        assert (front(drawn[kept], directions) == whole[kept]).all()
