"""Errors of estimates: seeds, and combinations that were not tried."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from reports.analysis.design import Design
from reports.analysis.errors import f_probability, seed_noise
from reports.analysis.estimates import of_trials
from reports.analysis.misfit import Misfit
from reports.analysis.regression import Sum, deviations
from reports.analysis.statistics import t_quantile
from reports.analysis.student import quantile, two_sided
from tests.test_regression import design


def trials(of: Design, seeds: int, rng: np.random.Generator, noise: float = 1.0) -> np.ndarray:
    return rng.normal(0.0, noise, (of.mixes, seeds)) + rng.normal(0.0, 5.0, seeds)


def test_the_f_probability_is_that_of_the_tables():
    assert f_probability(4.46, 2, 8) == pytest.approx(0.05, abs=2e-4)  # F(2, 8) at 5 %
    assert f_probability(3.84, 1, math.inf) == pytest.approx(0.05, abs=2e-4)
    assert f_probability(0.0, 3, 5) == 1.0


def test_t_with_many_degrees_is_normal():
    assert quantile(200_000) == pytest.approx(1.959964, abs=1e-6)
    assert two_sided(1.959964, 200_000) == pytest.approx(0.05, abs=1e-6)
    for degrees in (1, 2, 3, 4, 5, 8, 9, 200, 201):
        limit = t_quantile(0.99, degrees)
        assert two_sided(-limit, degrees) == pytest.approx(0.02, abs=1e-9)
    assert two_sided(4.302653, 2) == pytest.approx(0.05, abs=1e-6)


def test_noise_is_what_effects_change_by_from_seed_to_seed():
    of, rng = design(3, 3, 2), np.random.default_rng(0)
    noises = [seed_noise(Sum(of), trials(of, 3, rng, 0.2)) for _ in range(80)]
    variances = [noise.of_axes[0].variance for noise in noises]
    assert np.mean([noise.rest.variance for noise in noises]) == pytest.approx(0.04, rel=0.05)
    assert np.mean(variances) == pytest.approx(0.04, rel=0.12)
    assert noises[0].rest.degrees == (18 - 6) * 2


def test_degrees_are_pooled_over_axes_that_are_alike():
    values = trials(design(3, 3, 2), 3, np.random.default_rng(1))
    noise = seed_noise(Sum(design(3, 3, 2)), values)
    assert {spread.degrees for spread in noise.of_axes} == {(2 + 2 + 1) * 2}


def test_an_axis_that_seeds_disagree_on_keeps_its_own_error():
    of, rng = design(2, 4, 4), np.random.default_rng(2)
    values = trials(of, 4, rng, 0.01)
    values += np.array([1.0, -1.0, 0.5, -0.5]) * (of.codes[:, :1] - 0.5)
    noise = seed_noise(Sum(of), values)
    assert noise.of_axes[0].variance > 100 * noise.of_axes[1].variance
    assert noise.of_axes[0].degrees == 3
    assert noise.of_axes[1].degrees == (3 + 3) * 3


def test_one_seed_tells_nothing_of_seeds():
    assert seed_noise(Sum(design(2, 2)), np.arange(4.0)[:, None]) is None


def test_mixes_without_all_seeds_leave_the_others_to_tell():
    of, rng = design(3, 3, 3), np.random.default_rng(3)
    values = trials(of, 3, rng)
    values[4, 1] = math.nan
    noise = seed_noise(Sum(of), values)
    assert noise.scale[4] == 1 / 2
    assert noise.rest.degrees == (26 - 7) * 2
    values[:, 1:] = math.nan
    values[:3, 1] = 0.0
    few = seed_noise(Sum(of), values)
    assert few.rest.degrees == 2  # three mixes with two seeds, which have a shift in common


def test_a_sum_leaves_nothing_over_but_what_chance_adds():
    of, rng = design(3, 3, 3, drop=(1, 5, 9)), np.random.default_rng(4)
    found = []
    for _ in range(100):
        values = trials(of, 3, rng, 0.3)
        misfit = Misfit(Sum(of), values.mean(axis=1), seed_noise(Sum(of), values))
        found.append((misfit.left - misfit.by_chance) / misfit.trace)
    assert np.mean(found) == pytest.approx(0.0, abs=0.0015)


@pytest.mark.parametrize("kept", [20, 40])
def test_the_misfit_is_the_variance_of_interactions(kept):
    whole, rng = design(4, 4, 3), np.random.default_rng(5)
    found = []
    for _ in range(100):
        of = whole.only(np.isin(np.arange(whole.mixes), rng.permutation(whole.mixes)[:kept]))
        values = sum(
            rng.normal(0.0, 0.5, (of.sizes[a], of.sizes[b]))[of.codes[:, a], of.codes[:, b]]
            for a, b in of.pairs
        )
        found.append(Misfit(Sum(of), values, None).variance)
    assert np.mean(found) == pytest.approx(0.25, rel=0.1)


def test_combinations_that_are_all_there_leave_no_interaction_in_an_effect():
    of = design(3, 2, 2)
    model = Sum(of)
    weights = model.weights(0, deviations(3))
    misfit = Misfit(model, np.zeros(of.mixes), None)
    norms = (weights**2).sum(axis=1)
    np.testing.assert_allclose(misfit.exposure(0, deviations(3), norms, weights), 0.0)
    one = np.zeros((1, of.mixes))
    one[0, [0, 4]] = -1.0, 1.0  # one pair of mixes that differ on the first axis only
    contrast = np.array([[-1.0, 1.0, 0.0]])
    # with each other axis: the cells of this pair weigh 1 instead of 1/2, the others 0
    assert misfit.exposure(0, contrast, np.array([2.0]), one) == pytest.approx([2 * 4 * 0.5**2])


def test_saturated_mixes_say_nothing_of_interactions():
    one_at_a_time = Design(("a", "b"), (("x", "y"), ("p", "q")), np.array([[0, 0], [1, 0], [0, 1]]))
    assert not Misfit(Sum(one_at_a_time), np.zeros(3), None).known


def test_an_estimate_from_seeds_is_a_t_interval_over_their_differences():
    of = Design(("a",), (("x", "y"),), np.array([[0], [1]]))
    values = np.array([[1.0, 2.0, 3.0], [1.5, 2.9, 3.1]])
    measured = of_trials(of, values)
    contrast = np.array([[-1.0, 1.0]])
    (found,) = measured.judge(0, contrast, measured.model.weights(0, contrast))
    gaps = values[1] - values[0]
    half = t_quantile(0.975, 2) * gaps.std(ddof=1) / math.sqrt(3)
    assert found.value == pytest.approx(gaps.mean())
    assert (found.high - found.value, found.degrees) == (pytest.approx(half), 2)
    assert found.p_value == pytest.approx(two_sided(gaps.mean() / found.error, 2))


def test_one_seed_takes_what_the_sum_leaves_over_for_its_error():
    of = design(2, 2)
    values = np.array([[0.0], [0.0], [1.0], [1.4]])
    measured = of_trials(of, values)
    contrast = np.array([[-1.0, 1.0]])
    (found,) = measured.judge(0, contrast, measured.model.weights(0, contrast))
    left = 4 * 0.1**2  # the interaction, 0.1 in each cell, on one degree of freedom
    assert found.error == pytest.approx(math.sqrt(left * 4 * 0.5**2))
    assert found.degrees == 1
    assert not measured.claims


def test_all_combinations_of_numbers_are_estimated_alike_in_any_order():
    of, rng = design(3, 4), np.random.default_rng(6)
    values = trials(of, 3, rng)
    order = rng.permutation(of.mixes)
    shuffled = Design(of.axes, of.levels, of.codes[order])
    for one, other in zip(
        *(
            each.judge(1, deviations(4), each.model.weights(1, deviations(4)))
            for each in (of_trials(of, values), of_trials(shuffled, values[order]))
        ),
        strict=True,
    ):
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_nothing_measured_gives_nothing():
    empty = of_trials(Design((), (), np.zeros((0, 0), dtype=np.int64)), np.zeros((0, 0)))
    assert (empty.seeds, empty.noise, list(itertools.chain(empty.means))) == (0, None, [])


def test_a_fit_is_judged_from_sums_over_levels_as_from_the_weights_of_its_mixes():
    of, contrasts = design(3, 3, 2, drop=(0, 4, 5, 10, 16)), deviations(3)
    values = trials(of, 4, np.random.default_rng(8))
    values[2, 1:3] = math.nan  # chance counts more for a mean over fewer seeds
    measured = of_trials(of, values)
    quick = measured.judge(0, contrasts)
    slow = measured.judge(0, contrasts, measured.model.weights(0, contrasts))
    for one, other in zip(quick, slow, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_what_cells_weigh_in_a_fit_is_the_same_by_columns_and_by_mixes():
    of, contrasts = design(3, 3, 2, drop=(0, 4, 5, 10, 16)), deviations(3)
    model = Sum(of)
    misfit = Misfit(model, np.zeros(of.mixes), None)
    weights = model.weights(0, contrasts)
    norms = (weights**2).sum(axis=1)
    quick, slow = (misfit.exposure(0, contrasts, norms, each) for each in (None, weights))
    assert (slow > 0.0).all()
    np.testing.assert_allclose(quick, slow, rtol=1e-9)
