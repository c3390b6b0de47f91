from __future__ import annotations

import math

import numpy as np
import pytest

from reports.analysis.pareto import front
from reports.analysis.redrawing import CLIP, Costs, Scores, possible, redraw
from reports.analysis.seeds import errors, scatter

UP_DOWN = ("higher", "lower")
RNG = np.random.default_rng


def counted(values: list[float]) -> Costs:
    nothing = np.full(len(values), np.nan)
    return Costs(np.array(values), nothing, nothing)


def test_errors_are_what_mix_and_seed_leave_over_and_as_large_as_chance():
    mixes, seeds = np.array([[1.0], [5.0], [2.0]]), np.array([[0.0, 3.0, -1.0]])
    assert np.abs(errors(mixes + seeds)).max() < 1e-12
    noise = RNG(0).normal(0, 0.2, (50, 4))
    found = errors(100 * np.arange(50)[:, None] + noise)
    assert math.sqrt((found**2).mean()) == pytest.approx(scatter(noise)[0])
    assert math.sqrt((found**2).mean()) == pytest.approx(0.2, rel=0.1)


def test_without_a_second_seed_there_are_no_errors():
    assert errors(np.ones((4, 1))).size == 0
    assert errors(np.array([[1.0, np.nan], [np.nan, 2.0]])).size == 0


@pytest.mark.parametrize("n", [2, 3, 5])
def test_means_drawn_again_spread_as_the_standard_error_says(n):
    values = RNG(1).normal(30.0, 0.2, (40, n))
    scores = Scores.of(values)
    draws = scores.redrawn(20_000, RNG(0))
    assert draws.shape == (20_000, 40)
    assert draws.std(axis=0).mean() == pytest.approx(scatter(values)[0] / math.sqrt(n), rel=0.02)
    np.testing.assert_allclose(draws.mean(axis=0), values.mean(axis=1), atol=0.01)


def test_a_mix_with_more_seeds_moves_less_and_one_without_is_unknown():
    values = RNG(0).normal(30, 0.2, (30, 5))
    values[0, 1:], values[1] = np.nan, np.nan
    draws = Scores.of(values).redrawn(4000, RNG(0))
    assert draws[:, 0].std() > 1.8 * draws[:, 2].std()
    assert np.isnan(draws[:, 1]).all()


def test_costs_are_drawn_within_their_intervals_and_counts_stay():
    value, low, high = np.array([10.0, 5.0]), np.array([9.0, np.nan]), np.array([11.0, np.nan])
    draws = Costs(value, low, high).redrawn(20_000, RNG(0))
    assert (abs(draws[:, 0] - 10.0) <= 1.0).mean() == pytest.approx(0.95, abs=0.01)
    np.testing.assert_array_equal(draws[:, 1], 5.0)


def test_mixes_that_are_one_network_share_the_error_of_its_timing():
    costs = Costs(np.full(3, 10.0), np.array([9.0, 9.0, 9.5]), np.full(3, 11.0))
    draws = costs.redrawn(50, RNG(0))
    np.testing.assert_array_equal(draws[:, 0], draws[:, 1])
    assert not np.array_equal(draws[:, 0], draws[:, 2])


def test_no_draw_leaves_its_reach():
    values = RNG(0).normal(30, 0.2, (20, 3))
    scores = Scores.of(values)
    costs = Costs(np.full(20, 1.0), np.full(20, 0.9), np.full(20, 1.1))
    for objective in (scores, costs):
        low, high = objective.reach()
        draws = objective.redrawn(3000, RNG(0))
        assert (draws >= low - 1e-12).all()
        assert (draws <= high + 1e-12).all()
    assert costs.reach()[1][0] == pytest.approx(1.0 + CLIP * 0.1 / 1.96, rel=1e-3)


def test_who_cannot_be_on_a_front_is_not_drawn_and_changes_none():
    rng = RNG(0)
    values = rng.normal(30, 1, (200, 1)) + rng.normal(0, 0.02, (200, 3))
    scores, latency = Scores.of(values), np.exp(rng.normal(0, 0.5, 200))
    costs = Costs(latency, 0.99 * latency, 1.01 * latency)
    mask = possible([scores, costs], UP_DOWN)
    assert 3 < mask.sum() < 60
    drawn = redraw([scores, costs], UP_DOWN, draws=200)
    assert drawn.at.tolist() == np.flatnonzero(mask).tolist()
    whole = [each.redrawn(200, RNG(1)) for each in (scores, costs)]
    for accuracy, time in zip(*whole, strict=True):
        for left in np.flatnonzero(~mask):
            assert ((accuracy >= accuracy[left]) & (time < time[left])).any()


def test_equal_mixes_are_equally_likely_and_a_clear_one_is_sure():
    noise = RNG(0).normal(0, 0.2, (4, 3))
    values = np.array([[30.0], [30.0], [30.0], [35.0]]) + noise - noise.mean(axis=1, keepdims=True)
    drawn = redraw([Scores.of(values), counted([1.0, 1.0, 1.0, 2.0])], UP_DOWN)
    assert drawn.at.tolist() == [0, 1, 2, 3]
    assert drawn.probability[3] == 1.0
    assert drawn.probability[:3].sum() == pytest.approx(1.0, abs=0.1)
    assert drawn.probability[:3].min() > 0.25


def test_errors_of_two_scores_of_one_training_are_those_of_the_same_seeds():
    values = RNG(0).normal(30, 0.2, (6, 3))
    drawn = redraw([Scores.of(values), Scores.of(2 * values)], ("higher", "lower"))
    np.testing.assert_allclose(2 * drawn.values[..., 0], drawn.values[..., 1])
    two = Costs(np.ones(2), np.full(2, 0.9), np.array([1.1, 1.2]))
    apart = redraw([two, two], ("higher", "lower")).values  # two measures err each by itself
    assert abs(np.corrcoef(apart[:, 0, 0], apart[:, 0, 1])[0, 1]) < 0.2


def test_a_mix_that_lacks_a_value_is_left_out():
    values = np.array([[30.0, 30.1], [np.nan, np.nan], [31.0, 31.2]])
    drawn = redraw([Scores.of(values), counted([1.0, 0.5, 2.0])], UP_DOWN, draws=20)
    assert drawn.at.tolist() == [0, 2]


def test_chances_come_true_as_often_as_they_say():
    rng = RNG(0)
    said, came = [], []
    for _ in range(60):
        truth = 30 + rng.normal(0, 0.3, 16)
        cost = np.exp(rng.normal(0, 0.5, 16))
        values = truth[:, None] + rng.normal(0, 0.15, (16, 3)) + rng.normal(0, 0.3, 3)
        drawn = redraw([Scores.of(values), counted(cost.tolist())], UP_DOWN, draws=200)
        real = front(np.stack([truth, cost], axis=1), UP_DOWN)
        said += drawn.probability.tolist()
        came += real[drawn.at].tolist()
    chances, true = np.array(said), np.array(came, dtype=float)
    for low, high in ((0.05, 0.35), (0.35, 0.65), (0.65, 0.95)):
        some = (chances >= low) & (chances < high)
        assert some.sum() > 40
        assert true[some].mean() == pytest.approx(chances[some].mean(), abs=0.12)
