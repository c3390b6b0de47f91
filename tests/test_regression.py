from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from reports.analysis.design import Design, coding
from reports.analysis.regression import Sum, deviations


def design(*sizes: int, drop: tuple[int, ...] = ()) -> Design:
    grid = np.array(list(itertools.product(*map(range, sizes))))
    kept = np.delete(grid, drop, axis=0)
    names = tuple(tuple(f"level{at}" for at in range(size)) for size in sizes)
    return Design(tuple(f"axis{at}" for at in range(len(sizes))), names, kept)


def test_a_design_leaves_out_axes_with_one_level_and_keeps_the_order_of_levels():
    table = pd.DataFrame({"a": ["x", "z", "x"], "b": ["p", "p", "p"], "c": ["2", "1", "1"]})
    found = Design.of(table)
    assert (found.axes, found.levels) == (("a", "c"), (("x", "z"), ("2", "1")))
    np.testing.assert_array_equal(found.codes, [[0, 0], [1, 1], [0, 1]])
    assert (found.mixes, found.combinations, found.complete) == (3, 4, False)


def test_a_design_is_complete_with_every_combination():
    assert design(2, 3).complete
    assert not design(2, 3, drop=(4,)).complete
    assert not Design((), (), np.zeros((3, 0), dtype=np.int64)).complete


def test_levels_of_an_axis_add_up_to_zero():
    np.testing.assert_array_equal(coding(4).sum(axis=0), 0.0)
    np.testing.assert_allclose(deviations(3).sum(axis=1), 0.0, atol=1e-12)


def test_weights_give_back_what_was_added_even_where_mixes_are_missing():
    found = Sum(design(3, 2, 2, drop=(0, 5, 7)))
    add = np.array([-0.5, 0.2, 0.3])
    values = 20.0 + add[found.design.codes[:, 0]] + 0.7 * found.design.codes[:, 1]
    assert found.weights(0, deviations(3)) @ values == pytest.approx(add)
    np.testing.assert_allclose(found.left(values), 0.0, atol=1e-12)
    assert (found.rank, found.spare) == (5, 4)


def test_weights_of_a_complete_design_are_differences_of_means():
    found = Sum(design(2, 3))
    weights = found.weights(1, deviations(3))
    by_hand = np.where(found.design.codes[:, 1] == 0, 1 / 2, 0.0) - 1 / 6
    np.testing.assert_allclose(weights[0], by_hand, atol=1e-12)


def test_residuals_keep_as_much_noise_as_there_are_degrees_to_spare():
    found = Sum(design(3, 3, 2, drop=(1, 2)))
    assert found.freedom.sum() == pytest.approx(found.spare)


def test_axes_that_only_vary_together_are_not_told_apart_and_others_are():
    codes = np.array([[0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]])
    names = (("x", "y"),) * 3
    found = Sum(Design(("a", "b", "c"), names, codes))
    assert found.told_apart.tolist() == [False, False, True]
    values = 3.0 * codes[:, 0] + 1.0 * codes[:, 2]
    assert found.weights(2, np.array([[-1.0, 1.0]])) @ values == pytest.approx([1.0])
